// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// eventReader reads a span event into c.
type eventReader func(r *content, name string, attributes pcommon.Map, c *chat)

// readEvents reads the span events of a source, in their order.
func (r *content) readEvents(p *placed) chat {
	var c chat
	events := r.span.Events()
	for i := range events.Len() {
		event := events.At(i)
		if read, ok := p.events[event.Name()]; ok {
			read(r, event.Name(), event.Attributes(), &c)
			if event.DroppedAttributesCount() > 0 {
				r.truncated.add(r.side)
			}
		}
	}
	if c.messages != nil && r.span.DroppedEventsCount() > 0 {
		r.truncated.add(r.side) // an SDK's limit of events, 128 by default
	}
	return c
}

// readDetails reads gen_ai.client.inference.operation.details, which has the content attributes of the span.
func readDetails(r *content, _ string, attributes pcommon.Map, c *chat) {
	for _, p := range r.reader.sources[r.side] {
		if p.key == "" {
			return // the event's own place: what follows are other dialects
		}
		if v, ok := attributes.Get(p.key); ok {
			*c = r.readValue(p.as, v)
		}
	}
}

// readContentEvent reads the events of the conventions up to 1.27, whose content is the attribute named.
func readContentEvent(key string) eventReader {
	return func(r *content, _ string, attributes pcommon.Map, c *chat) {
		if v, ok := attributes.Get(key); ok {
			more := r.anyMessages(v, r.side.defaultRole())
			c.messages = append(c.messages, more.messages...)
		}
	}
}

// readMessageEvent reads the per-message events of 1.28 to 1.36. Azure AI Inference puts the whole message into one
// attribute, the others its members into one each.
func readMessageEvent(r *content, name string, attributes pcommon.Map, c *chat) {
	role := strings.TrimSuffix(strings.TrimPrefix(name, "gen_ai."), ".message")
	if v, ok := attributes.Get(eventContent); ok {
		if body, text := r.json(v); body.isObject() {
			c.messages = append(c.messages, readMessage(body, role))
		} else if text != "" {
			c.messages = append(c.messages, Message{Role: role, Parts: []Part{{Kind: PartText, Text: text}}})
		}
		return
	}
	c.messages = append(c.messages, r.flatMessage(role, attributes))
}

// readChoiceEvent reads gen_ai.choice of 1.28 to 1.36.
func readChoiceEvent(r *content, _ string, attributes pcommon.Map, c *chat) {
	role := "assistant"
	if v, ok := attributes.Get(eventContent); ok {
		if body, _ := r.json(v); body.isObject() {
			c.messages = append(c.messages, readChoice(body, role))
		}
		return
	}
	m := r.flatMessage(role, attributes)
	if v, ok := attributes.Get("message"); ok {
		if body, text := r.json(v); body.isObject() {
			body := readMessage(body, role)
			m.Role, m.Parts = body.Role, append(m.Parts, body.Parts...)
		} else if body.isArray() { // Strands
			m.Parts = append(m.Parts, readParts(body)...)
		} else if text != "" {
			m.Parts = append(m.Parts, Part{Kind: PartText, Text: text})
		}
	}
	c.messages = append(c.messages, m)
}

// eventContent is Azure AI Inference's attribute of a span event.
const eventContent = "gen_ai.event.content"

// flatMessage reads a message whose members are attributes of their own.
func (r *content) flatMessage(role string, attributes pcommon.Map) Message {
	var o object
	attributes.Range(func(key string, v pcommon.Value) bool {
		json, text := r.json(v)
		if json == "" || json.isString() {
			json = quote(text)
		}
		if key == "index" || text == "" {
			return true
		}
		o.member(key, json)
		return true
	})
	return o.read("{}", role)
}

// quote makes a JSON string of text.
func quote(text string) value {
	return value(`"` + quoter.Replace(text) + `"`)
}

var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// readEventList reads the per-message events that Pydantic AI up to version 2 writes as one JSON attribute.
func (c *chat) readEventList(list value, s side) {
	list.each(func(_ string, event value) {
		name := event.get("event.name").text()
		answer := name == "gen_ai.choice"
		switch {
		case s == outputSide && answer:
			c.messages = append(c.messages, readChoice(event, "assistant"))
		case s == inputSide && !answer && strings.HasSuffix(name, ".message"):
			role := strings.TrimSuffix(strings.TrimPrefix(name, "gen_ai."), ".message")
			c.messages = append(c.messages, readMessage(event, role))
		}
	})
}
