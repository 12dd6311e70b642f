// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// contentRules say what may be recorded of content.
type contentRules struct {
	mode       ContentMode
	redact     func(text string) string // nil for none
	maxMessage int                      // bytes; 0 for no limit
	maxTotal   int                      // bytes; 0 for no limit
}

// messages applies the rules to a list of messages, which it may change.
func (c *contentRules) messages(list []message) []message {
	for i := range list {
		c.parts(list[i].Parts)
	}
	if c.maxTotal > 0 {
		return fit(list, c.maxTotal)
	}
	return list
}

// parts applies the rules to the parts of one message.
func (c *contentRules) parts(parts []part) {
	if c.redact != nil {
		for i := range parts {
			parts[i].eachText(c.redact)
		}
	}
	if c.maxMessage > 0 {
		cutParts(parts, c.maxMessage)
	}
}

// instructions applies the rules to the system instructions.
func (c *contentRules) instructions(parts []part) []part {
	c.parts(parts)
	if c.maxTotal > 0 {
		cutParts(parts, c.maxTotal/2)
	}
	return parts
}

// tools applies the rules to tool definitions. Those that do not fit are left out from the end.
func (c *contentRules) tools(list []toolDefinition) []toolDefinition {
	total := 0
	for i := range list {
		tool := &list[i]
		if c.redact != nil {
			tool.Description = c.redact(tool.Description)
			tool.Parameters = changeJSON(tool.Parameters, c.redact)
		}
		encoded, _ := encode(tool)
		if total += len(encoded) + len("[,]"); c.maxTotal > 0 && total > c.maxTotal {
			return list[:i]
		}
	}
	return list
}

// eachText changes every text of a part that an application, a user or a model wrote.
func (p *part) eachText(change func(string) string) {
	if p.Content != nil && *p.Content != "" {
		changed := change(*p.Content)
		p.Content = &changed
	}
	if p.URI != "" {
		p.URI = change(p.URI)
	}
	p.Arguments = changeJSON(p.Arguments, change)
	p.Response = changeJSON(p.Response, change)
}

// changeJSON changes a JSON value as a text: the inside of a string, or the document. What is then no JSON becomes a string.
func changeJSON(raw json.RawMessage, change func(string) string) json.RawMessage {
	if len(raw) == 0 {
		return raw
	}
	var inside string
	if json.Unmarshal(raw, &inside) == nil {
		return stringJSON(change(inside))
	}
	changed := change(string(raw))
	if json.Valid([]byte(changed)) {
		return json.RawMessage(changed)
	}
	return stringJSON(changed)
}

// cutParts shortens the texts of a message so that all together keep at most limit bytes.
func cutParts(parts []part, limit int) {
	for i := range parts {
		parts[i].eachText(func(text string) string {
			kept := cutText(text, limit)
			limit -= min(limit, len(text))
			return kept
		})
	}
}

// cutText keeps the first limit bytes of a text, without breaking a character, and says how much it cut.
func cutText(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return fmt.Sprintf("%s…[%d bytes cut]…", text[:limit], len(text)-limit)
}

// fit leaves messages out of the middle of a list until its JSON has at most limit bytes. It keeps the newest, then the
// first, which is where the system prompt is, and says in the place of the others how many there were.
func fit(list []message, limit int) []message {
	sizes, total := make([]int, len(list)), len("[]")
	for i := range list {
		sizes[i] = encodedSize(&list[i])
		total += sizes[i]
	}
	if total <= limit {
		return list
	}
	last := &list[len(list)-1]
	left := limit - len("[]") - markerSize
	if len(list) == 1 {
		left = limit - len("[]")
	}
	sizes[len(list)-1] = last.shrinkTo(left)
	if left -= sizes[len(list)-1]; left < 0 {
		return nil
	}
	if len(list) == 1 {
		return list
	}
	head := 0
	if sizes[0] <= left {
		head = 1
		left -= sizes[0]
	}
	tail := len(list) - 1
	for tail > head && sizes[tail-1] <= left {
		tail--
		left -= sizes[tail]
	}
	if tail == head {
		return list
	}
	marker := textPart("text", fmt.Sprintf("…[%d messages cut]…", tail-head))
	kept := append(list[:head:head], message{Role: list[head].Role, Parts: []part{marker}, FinishReason: list[head].FinishReason})
	return append(kept, list[tail:]...)
}

// markerSize is room for the message that stands for others.
const markerSize = 128 + maxNameLength

// encodedSize is how many bytes of a JSON list a message takes.
func encodedSize(m *message) int {
	encoded, _ := encode(m)
	return len(encoded) + len(",")
}

// shrinkTo shortens a message until its JSON has at most limit bytes, and returns how many it has. What cannot be shortened
// far enough loses its parts.
func (m *message) shrinkTo(limit int) int {
	size := encodedSize(m)
	for text := limit / 2; size > limit && text > 16; text /= 2 {
		cutParts(m.Parts, text)
		size = encodedSize(m)
	}
	if size > limit {
		m.Parts = []part{textPart("text", fmt.Sprintf("…[%d parts cut]…", len(m.Parts)))}
		size = encodedSize(m)
	}
	return size
}
