// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

// roles of frameworks that have other words than the conventions.
var roles = map[string]string{"human": "user", "ai": "assistant", "model": "assistant"}

// object is what a message, or an object around messages, can hold.
type object struct {
	messages, contents, input, prompt, choices, candidates, generations, output, inner, items value
	text, args, system, config, tools                                                         value
	role, name, finish, kind, content, parts, toolCalls, functionCall, toolCallID, refusal    value
	reasoning, audio, kwargs, id                                                              value
	known                                                                                     bool   // something was found
	said                                                                                      []Part // what is in parts
}

func (o *object) member(key string, v value) {
	if place := o.place(key); place != nil {
		if place.isNothing() {
			*place = v
		}
		o.known = o.known || key != "type" && !v.isEmpty()
	}
}

// object reads the object that the cursor is at.
func (c *cursor) object(o *object) value {
	start := c.at
	c.items(func(key string) bool {
		if key == "parts" && c.isArray() {
			from := c.at
			o.said = c.parts()
			o.parts, o.known = value(c.text[from:c.at]), true
		} else {
			o.member(key, c.value())
		}
		return false
	})
	return value(c.text[start:c.at])
}

// place is where a member belongs; nil if it says nothing.
func (o *object) place(key string) *value {
	switch key {
	case "role":
		return &o.role
	case "parts":
		return &o.parts
	case "content":
		return &o.content
	case "type":
		return &o.kind
	case "name":
		return &o.name
	case "finish_reason", "finishReason", "stop_reason":
		return &o.finish
	case "tool_calls":
		return &o.toolCalls
	case "function_call":
		return &o.functionCall
	case "tool_call_id", "toolCallId":
		return &o.toolCallID
	case "id":
		return &o.id
	case "refusal":
		return &o.refusal
	case "reasoning_content", "reasoning", "thinking":
		return &o.reasoning
	case "audio":
		return &o.audio
	case "kwargs":
		return &o.kwargs
	case "messages":
		return &o.messages
	case "contents":
		return &o.contents
	case "input", "inputs", "question", "query", "value":
		return &o.input
	case "prompt":
		return &o.prompt
	case "choices":
		return &o.choices
	case "candidates":
		return &o.candidates
	case "generations":
		return &o.generations
	case "output", "outputs", "answer", "result":
		return &o.output
	case "items":
		return &o.items
	case "message":
		return &o.inner
	case "text", "response", "completion", "combined_chunk_content", "output_text":
		return &o.text
	case "args":
		return &o.args
	case "system", "instructions", "system_instruction", "systemInstruction":
		return &o.system
	case "config":
		return &o.config
	case "tools":
		return &o.tools
	}
	return nil
}

// isMessage reports whether the object is a message itself.
func (o *object) isMessage() bool {
	switch {
	case o.messages != "" || o.choices != "" || o.candidates != "" || o.contents != "":
		return false
	case o.role != "" || o.parts != "" || o.toolCalls != "" || o.functionCall != "" || !o.refusal.isNothing():
		return true
	case o.kind != "":
		return o.input == "" || o.content != ""
	default:
		return o.content.isString() || o.content.isArray() || o.kwargs.get("content") != ""
	}
}

// readMessage reads a message of any shape.
func readMessage(item value, role string) Message {
	var o object
	(&cursor{text: string(item)}).object(&o)
	return o.read(item, role)
}

// read makes the message that item is, whose members are in o.
func (o *object) read(item value, role string) Message {
	m := Message{Role: role, Name: o.name.text()}
	if known, ok := langChainRoles[o.kind.text()]; ok {
		m.Role = known
	}
	if o.role.isString() {
		m.Role = o.role.text()
	}
	if known, ok := roles[m.Role]; ok {
		m.Role = known
	}
	if !o.finish.isNothing() {
		m.FinishReason = finishReason(o.finish.text())
	}
	switch kind := o.kind.text(); {
	case o.kwargs.isObject(): // LangChain's serialised messages
		inner := readMessage(o.kwargs, role)
		if known, ok := langChainRoles[lastOf(o.id)]; ok {
			inner.Role = known
		}
		return inner
	case partKinds[kind] != "" && o.content == "" || serverItem(kind): // an item of the Responses API
		return itemMessage(item, kind)
	}
	o.fill(&m)
	if m.Role == "user" && allResponses(m.Parts) {
		m.Role = "tool" // Anthropic, Gemini
	}
	return m
}

// allResponses reports whether parts are the results of tools and nothing else.
func allResponses(parts []Part) bool {
	for i := range parts {
		if parts[i].Kind != PartToolCallResponse {
			return false
		}
	}
	return len(parts) > 0
}

// fill puts the parts of a message in order: what was thought, what was said, what was called.
func (o *object) fill(m *Message) {
	add := func(p ...Part) { m.Parts = append(m.Parts, p...) }
	if text := textIn(o.reasoning); text != "" {
		add(Part{Kind: PartReasoning, Text: text})
	}
	if m.Parts == nil {
		m.Parts = o.said
	} else {
		add(o.said...)
	}
	switch {
	case m.Role == "tool" && o.parts == "" || m.Role == "function":
		if !allResults(o.content) {
			if o.toolCallID == "" && o.content != "" {
				o.toolCallID = o.id // the message events of the conventions
			}
			add(Part{Kind: PartToolCallResponse, ID: o.toolCallID.text(), Text: toolResultText(o.content)})
			break
		}
		add(readParts(o.content)...)
	case o.content.isArray():
		add(readParts(o.content)...)
	case o.content.isObject():
		add(readParts(o.content.get("parts"))...)
		if o.content.get("parts") == "" {
			add(readPart(o.content))
		}
	case o.content.isString() && o.content != `""`:
		add(Part{Kind: PartText, Text: o.content.text()})
	}
	if text := textIn(o.refusal); text != "" {
		add(Part{Kind: PartRefusal, Text: text})
	}
	if o.audio.isObject() {
		add(readPart(`{"type":"audio","audio":` + o.audio + `}`))
	}
	if o.toolCalls.isArray() {
		add(readCalls(o.toolCalls)...)
	}
	if o.functionCall.isObject() {
		add(readCall(o.functionCall))
	}
}

// allResults reports whether the content of a tool's message is a list of parts, one of which is a tool's result.
func allResults(content value) bool {
	found := false
	if content.isArray() {
		content.each(func(_ string, item value) {
			found = found || partKinds[item.get("type").text()] == PartToolCallResponse
		})
	}
	return found
}

// langChainRoles are the classes and types of LangChain's messages.
var langChainRoles = map[string]string{
	"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "function", "AIMessageChunk": "assistant",
	"HumanMessage": "user", "AIMessage": "assistant", "SystemMessage": "system", "ToolMessage": "tool",
}

// lastOf is the last text of a list.
func lastOf(v value) string {
	last := ""
	v.each(func(_ string, item value) { last = item.text() })
	return last
}

// readParts reads a list of parts.
func readParts(list value) []Part {
	return (&cursor{text: string(list)}).parts()
}

// readCalls reads the tool calls of a message.
func readCalls(list value) []Part {
	var all []Part
	list.each(func(_ string, item value) { all = append(all, readCall(item)) })
	return all
}

// readCall reads a tool call, whatever type it says.
func readCall(item value) Part {
	var m members
	m.collect(item, 0)
	return Part{
		Kind: PartToolCall, ID: m.id.text(), Name: m.name.text(), Arguments: firstOf(m.arguments, m.data).text(),
	}
}

// serverItem reports whether an item of the Responses API is a tool that the provider runs itself.
func serverItem(kind string) bool {
	switch kind {
	case "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "computer_call",
		"mcp_call", "mcp_list_tools", "mcp_approval_request", "local_shell_call", "shell_call", "custom_tool_call":
		return true
	}
	return false
}

// itemMessage reads an item of the Responses API that is no message: its only part is what it is.
func itemMessage(item value, kind string) Message {
	part := readPart(item)
	role := "assistant"
	if part.Kind == PartToolCallResponse {
		role = "tool"
	}
	if serverItem(kind) {
		part = Part{Kind: PartServerToolCall, ID: part.ID, Name: kind, Text: string(item)}
	}
	return Message{Role: role, Parts: []Part{part}}
}
