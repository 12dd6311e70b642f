// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

// maxEnvelopes is how many objects may stand around messages, such as {"kwargs": {"input": {"messages": […]}}}.
const maxEnvelopes = 6

// chat is messages and what stood beside them.
type chat struct {
	system   []Part
	messages []Message
	tools    []Tool
}

// read reads messages in any shape: a list of messages, the request or the response of a provider's API, what a framework
// wraps around them, or text. The role is that of messages that name none.
func (c *chat) read(v value, role string, depth int) {
	switch {
	case v.isNothing():
	case v.isArray():
		c.readList(v, role, depth)
	case v.isObject():
		var o object
		(&cursor{text: string(v)}).object(&o)
		c.readObject(&o, v, role, depth)
	default:
		if text := v.text(); text != "" {
			c.messages = append(c.messages, Message{Role: role, Parts: []Part{{Kind: PartText, Text: text}}})
		}
	}
}

// readList reads a list of messages, of texts, of parts of one message, or of lists of messages.
func (c *chat) readList(v value, role string, depth int) {
	if allParts(v) && !isItems(v) {
		c.messages = append(c.messages, Message{Role: role, Parts: readParts(v)})
		return
	}
	if c.messages == nil {
		c.messages = []Message{}
	}
	numbers := false
	items := cursor{text: string(v)}
	items.items(func(string) bool {
		if items.isObject() {
			var o object
			item := items.object(&o)
			c.readObject(&o, item, role, depth)
			return false
		}
		switch item := items.value(); {
		case item.isArray() && depth < maxEnvelopes:
			c.readList(item, role, depth+1)
		case item.isString():
			c.read(item, role, depth)
		default:
			numbers = numbers || !item.isNothing()
		}
		return false
	})
	if numbers { // the tokens of an embedding
		c.messages = append(c.messages, Message{Role: role, Parts: []Part{{Kind: PartTokens, Text: string(v)}}})
	}
}

// isItems reports whether a list of parts has some that are messages of their own, as in OpenAI's Responses API.
func isItems(v value) bool {
	items := false
	v.each(func(_ string, item value) {
		switch item.get("type").text() {
		case "function_call", "function_call_output", "reasoning", "message":
			items = items || item.get("arguments") != "" || item.get("output") != "" || item.get("summary") != ""
		}
	})
	return items
}

// readObject reads a message, or an object that holds messages: v, whose members are in o.
func (c *chat) readObject(o *object, v value, role string, depth int) {
	if o.isMessage() || depth >= maxEnvelopes {
		c.messages = append(c.messages, o.read(v, role))
		return
	}
	before := len(c.messages)
	switch {
	case o.choices.isArray():
		o.choices.each(func(_ string, choice value) { c.messages = append(c.messages, readChoice(choice, role)) })
	case o.candidates.isArray():
		o.candidates.each(func(_ string, choice value) { c.messages = append(c.messages, readChoice(choice, "assistant")) })
	case o.inner.isObject() || o.content.isObject(): // Genkit, Ollama, Logfire; Google ADK
		c.messages = append(c.messages, readChoice(v, role))
	case o.output.isArray():
		c.readAnswer(o.output)
	default:
		for _, inner := range []value{
			o.messages, o.contents, o.input, o.prompt, o.generations, o.kwargs, o.args, o.text, o.output, o.items,
		} {
			if !inner.isEmpty() {
				c.read(inner, role, depth+1)
				break
			}
		}
	}
	if system := firstOf(o.system, o.config.get("system_instruction")); !system.isEmpty() && c.system == nil {
		c.system = readSystem(system)
	}
	if tools := firstOf(o.tools, o.config.get("tools")); tools.isArray() && c.tools == nil {
		c.tools = readTools(tools)
	}
	if len(c.messages) == before && !o.known && v != "{}" {
		c.messages = append(c.messages, Message{Role: role, Parts: []Part{{Kind: PartText, Text: string(v)}}})
	}
}

// readChoice reads one of the answers to a request: the message and, beside it, why it ended.
func readChoice(choice value, role string) Message {
	var m Message
	var message, text, finish value
	choice.each(func(key string, v value) {
		switch key {
		case "message", "delta", "content":
			message = firstOf(message, v)
		case "text":
			text = v
		case "finish_reason", "finishReason", "stop_reason":
			finish = v
		}
	})
	switch said := firstOf(message, text); {
	case said.isObject():
		m = readMessage(said, role)
	case said.text() != "":
		m = Message{Role: role, Parts: []Part{{Kind: PartText, Text: said.text()}}}
	default:
		m = Message{Role: role}
	}
	if !finish.isNothing() {
		m.FinishReason = finishReason(finish.text())
	}
	return m
}

// readAnswer reads the output of OpenAI's Responses API: its items are parts of one answer.
func (c *chat) readAnswer(items value) {
	answer := Message{Role: "assistant"}
	items.each(func(_ string, item value) {
		answer.Parts = append(answer.Parts, readMessage(item, "assistant").Parts...)
	})
	c.messages = append(c.messages, answer)
}
