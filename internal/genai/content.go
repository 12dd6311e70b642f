// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Messages parses the call's content. It takes time proportional to the content, so ask once.
func (c *Call) Messages() Messages { return c.MessagesWithin(math.MaxInt) }

// MessagesWithin is Messages that reads no more than limit bytes of content, for a call whose ContentSize is more. What is
// beyond is cut: of the answer at last, because it is hardly ever what is long.
func (c *Call) MessagesWithin(limit int) Messages {
	if c.reader == nil {
		return Messages{}
	}
	r := content{
		reader: c.reader, span: c.span, values: make([]pcommon.Value, c.reader.keys), set: make([]bool, c.reader.keys), left: limit,
	}
	r.collect()
	var answer Messages
	// The answer to embeddings is vectors. Some emitters write them where others have text.
	if c.Operation != semconv.OperationEmbeddings {
		r.readSide(outputSide)
		answer, r.m = r.m, Messages{}
	}
	for _, s := range []side{systemSide, inputSide, toolsSide} {
		r.readSide(s)
	}
	r.m.Output = answer.Output
	if r.m.System == nil {
		r.m.System = answer.System
	}
	if r.m.Tools == nil {
		r.m.Tools = answer.Tools
	}
	r.m.Broken = r.broken
	r.m.TruncatedInput = r.truncated.has(systemSide) || r.truncated.has(inputSide) || r.truncated.has(toolsSide)
	r.m.TruncatedOutput = r.truncated.has(outputSide)
	r.m.Truncated = r.truncated != 0
	return r.m
}

// ContentSize is the number of bytes that the span carries as content, in all dialects together: no less than Messages
// would have to parse. It does not parse, and does not allocate.
func (c *Call) ContentSize() int {
	if c.reader == nil {
		return 0
	}
	total := 0
	c.span.Attributes().Range(func(key string, v pcommon.Value) bool {
		e, known := c.reader.names[key]
		family, _, _ := c.reader.familyOf(key, known, e)
		if e.content > 0 || family != nil {
			total += size(v, 0)
		}
		return true
	})
	events := c.span.Events()
	for i := range events.Len() {
		if event := events.At(i); c.reader.events[event.Name()] != 0 {
			event.Attributes().Range(func(_ string, v pcommon.Value) bool {
				total += size(v, 0)
				return true
			})
		}
	}
	return total
}

// size is the number of bytes of text in a value.
func size(v pcommon.Value, depth int) int {
	total := 0
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return len(v.Str())
	case pcommon.ValueTypeBytes:
		return v.Bytes().Len()
	case pcommon.ValueTypeSlice:
		if list := v.Slice(); depth < maxDepth {
			for i := range list.Len() {
				total += size(list.At(i), depth+1)
			}
		}
	case pcommon.ValueTypeMap:
		if depth < maxDepth {
			v.Map().Range(func(_ string, v pcommon.Value) bool {
				total += size(v, depth+1)
				return true
			})
		}
	}
	return total
}

// content reads the content of one span.
type content struct {
	reader    *Reader
	span      ptrace.Span
	values    []pcommon.Value // by index of the content attribute
	set       []bool
	indexed   []indexedValue
	m         Messages
	side      side // that is being read
	left      int  // how many bytes may still be read
	truncated sides
	broken    bool
}

// collect finds all content attributes in one pass.
func (r *content) collect() {
	r.span.Attributes().Range(func(key string, v pcommon.Value) bool {
		e, known := r.reader.names[key]
		if e.content > 0 {
			r.values[e.content-1], r.set[e.content-1] = v, true
		}
		if family, n, rest := r.reader.familyOf(key, known, e); family != nil {
			if named, ok := family.indexed.piece(rest); ok {
				named.family, named.n, named.value = family.family, n, v
				r.indexed = append(r.indexed, named)
			}
		}
		return true
	})
	slices.SortStableFunc(r.indexed, compareIndexed)
}

// readSide reads one side from the first source that has it, and from those that add to it.
func (r *content) readSide(s side) {
	r.side = s
	from := -1
	for _, p := range r.reader.sources[s] {
		if from >= 0 && !(p.more && p.dialect == from) {
			continue
		}
		var c chat
		switch {
		case p.indexed != nil:
			c = r.readIndexed(p)
		case p.events != nil:
			c = r.readEvents(p)
		case r.set[p.value]:
			c = r.readValue(p.as, r.values[p.value])
		}
		if r.take(s, c, from >= 0) {
			from = p.dialect
		}
	}
}

// take keeps what a source gave; false if that was nothing.
func (r *content) take(s side, c chat, more bool) bool {
	switch s {
	case systemSide:
		r.m.System = c.system
		return c.system != nil
	case toolsSide:
		if c.tools != nil {
			r.m.Tools = c.tools
		}
		return c.tools != nil
	}
	if r.m.System == nil {
		r.m.System = c.system
	}
	if r.m.Tools == nil {
		r.m.Tools = c.tools
	}
	messages := &r.m.Input
	if s == outputSide {
		messages = &r.m.Output
	}
	if more && len(*messages) > 0 && len(c.messages) > 0 {
		last := &(*messages)[len(*messages)-1]
		last.Parts = append(last.Parts, c.messages[0].Parts...)
		return true
	}
	if c.messages != nil {
		*messages = c.messages
	}
	return c.messages != nil
}

// defaultRole is the role of messages that name none.
func (s side) defaultRole() string {
	if s == outputSide {
		return "assistant"
	}
	return "user"
}

// readValue reads the value of a content attribute.
func (r *content) readValue(as format, v pcommon.Value) chat {
	role := r.side.defaultRole()
	if as == toolArguments {
		role = "assistant" // it asked for the tool
	}
	var c chat
	switch as {
	case plainText:
		c.messages = r.textMessage(role, PartText, v)
	case reasoningText:
		c.messages = r.textMessage(role, PartReasoning, v)
	case systemParts:
		if list, text := r.json(v); list != "" {
			c.system = readSystem(list)
		} else if text != "" {
			c.system = []Part{{Kind: PartText, Text: text}}
		}
	case toolDefinitions:
		list, _ := r.json(v)
		c.tools = readTools(list)
	case toolCalls:
		if list, _ := r.json(v); list.isArray() && list != "[]" {
			c.messages = []Message{{Role: role, Parts: readCalls(list)}}
		}
	case toolArguments:
		if text := r.text(v); text != "" && text != "{}" {
			c.messages = []Message{{Role: role, Parts: []Part{{Kind: PartToolCall, Name: r.toolName(), Arguments: text}}}}
		}
	case toolResult:
		if text := r.text(v); text != "" && text != "{}" {
			c.messages = []Message{{Role: "tool", Parts: []Part{{Kind: PartToolCallResponse, Text: text}}}}
		}
	case quotedTexts:
		c = r.anyMessages(v, role)
		for i := range c.messages {
			for j := range c.messages[i].Parts {
				c.messages[i].Parts[j].Text = unquote(c.messages[i].Parts[j].Text)
			}
		}
	case eventList:
		list, _ := r.json(v)
		c.readEventList(list, r.side)
	default:
		c = r.anyMessages(v, role)
	}
	return c
}

// toolNames are the attributes that name the tool, on the span of a tool.
var toolNames = [...]string{semconv.GenAIToolName, "ai.toolCall.name", "lk.function_tool.name", "tool_name"}

func (r *content) toolName() string {
	for _, key := range toolNames {
		if v, ok := r.span.Attributes().Get(key); ok && v.Type() == pcommon.ValueTypeStr {
			return v.Str()
		}
	}
	return ""
}

// anyMessages reads messages of any shape.
func (r *content) anyMessages(v pcommon.Value, role string) chat {
	var c chat
	if list, text := r.json(v); list != "" {
		c.read(list, role, 0)
	} else if text != "" {
		c.messages = []Message{{Role: role, Parts: []Part{{Kind: PartText, Text: text}}}}
	}
	return c
}

func (r *content) textMessage(role string, kind PartKind, v pcommon.Value) []Message {
	text := r.text(v)
	if text == "" {
		return nil
	}
	return []Message{{Role: role, Parts: []Part{{Kind: kind, Text: text}}}}
}

// json returns a content attribute as JSON, or else as text. Where that was JSON once and was cut, the side is marked, and
// what is left of it is returned.
func (r *content) json(v pcommon.Value) (value, string) {
	text := r.textOf(v)
	if json, ok := parse(text); ok {
		return json, text
	}
	if !looksLikeJSON(text) {
		r.checkLimit(text)
		return "", text
	}
	r.truncated.add(r.side)
	if whole, known, ok := closed(text); ok {
		if json, ok := parse(whole); ok {
			r.broken = r.broken || !known
			return json, whole
		}
	}
	r.broken = true
	return "", text
}

// looksLikeJSON reports whether text begins as a JSON object or as an array of anything but numbers. Prose can begin with
// a bracket, too.
func looksLikeJSON(text string) bool {
	text = strings.TrimSpace(text)
	if text == "" || text[0] != '[' && text[0] != '{' {
		return false
	}
	next := strings.TrimLeft(text[1:], " \t\r\n")
	return next == "" || next[0] == '"' || text[0] == '[' && (next[0] == '{' || next[0] == '[')
}

// text returns a content attribute as text.
func (r *content) text(v pcommon.Value) string {
	text := r.textOf(v)
	r.checkLimit(text)
	return text
}

// textOf returns as much of a content attribute as may still be read: of text its beginning, of structured values all or none.
func (r *content) textOf(v pcommon.Value) string {
	var text string
	whole := false
	switch bytes := size(v, 0); {
	case bytes <= r.left:
		text, whole = textOf(v)
		r.left -= bytes
	case v.Type() == pcommon.ValueTypeStr:
		text = v.Str()
		n := r.left
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text, r.left = text[:n], 0
	}
	if !whole {
		r.truncated.add(r.side)
	}
	return text
}

// limits are the lengths that operators set as OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, and New Relic's 4095. A text of exactly
// such a length was cut, but for one in a thousand; taking a whole text for a cut one only costs a token count.
var limits = [...]int{1024, 2048, 4095, 4096, 8192, 16384, 32768, 65536}

func (r *content) checkLimit(text string) {
	if len(text) >= limits[0] && slices.Contains(limits[:], len([]rune(text))) {
		r.truncated.add(r.side)
	}
}

// textOf is a value as text, structured values as JSON; false where it is nested too deep to be read.
func textOf(v pcommon.Value) (string, bool) {
	switch v.Type() {
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		if !shallow(v, maxDepth) {
			return "", false
		}
	}
	return v.AsString(), true
}

// shallow reports whether a structured value is nested no deeper than depth.
func shallow(v pcommon.Value, depth int) bool {
	ok := depth > 0
	switch v.Type() {
	case pcommon.ValueTypeSlice:
		list := v.Slice()
		for i := 0; ok && i < list.Len(); i++ {
			ok = shallow(list.At(i), depth-1)
		}
	case pcommon.ValueTypeMap:
		v.Map().Range(func(_ string, v pcommon.Value) bool {
			ok = ok && shallow(v, depth-1)
			return ok
		})
	}
	return ok
}
