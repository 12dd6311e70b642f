// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// indexed is a family of attributes that spell out a list: a prefix, the index of a message or tool, and a name, in which
// the index of a part or of a tool call can stand.
type indexed struct {
	prefix string
	// role of messages that name none; empty for the one that their side implies.
	role  string
	names map[name]piece
}

// name is what follows the index in an attribute's name, without the second index, which stands between list and last.
type name struct{ list, last string }

// piece is what an indexed attribute says about its message or tool. The order is that of reading.
type piece uint8

const (
	messageRole piece = iota
	messageName
	messageFinishReason
	messageToolCallID
	messageReasoning
	messageContent
	messageRefusal
	partType
	partText
	partURL
	partMIMEType
	partFileID
	callID
	callName
	callArguments
	toolName
	toolDescription
	toolParameters
	toolSchema
)

// group is 0 for what belongs to the message, 1 for its parts, 2 for its tool calls.
func (p piece) group() int {
	switch {
	case p < partType:
		return 0
	case p < callID:
		return 1
	default:
		return 2
	}
}

// indexedValue is an indexed attribute.
type indexedValue struct {
	family, n, m int
	piece        piece
	value        pcommon.Value
}

func compareIndexed(a, b indexedValue) int {
	return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.n, b.n), cmp.Compare(a.piece.group(), b.piece.group()),
		cmp.Compare(a.m, b.m), cmp.Compare(a.piece, b.piece))
}

// family returns the indexed attributes that a name belongs to, its index, and the rest of the name.
func (r *Reader) family(key string) (family *placed, n int, rest string) {
	for _, f := range r.families {
		if tail, ok := strings.CutPrefix(key, f.indexed.prefix); ok {
			if n, rest, ok = index(tail); ok {
				if _, known := f.indexed.piece(rest); known {
					return f, n, rest
				}
			}
		}
	}
	return nil, 0, ""
}

// familyOf is family, without a search for names that the tables have and that belong to none.
func (r *Reader) familyOf(key string, known bool, e entry) (family *placed, n int, rest string) {
	if known && !e.indexed {
		return nil, 0, ""
	}
	return r.family(key)
}

// index reads the number that text begins with, up to a dot.
func index(text string) (n int, rest string, ok bool) {
	digits := 0
	for digits < len(text) && digits < 9 && '0' <= text[digits] && text[digits] <= '9' {
		n = n*10 + int(text[digits]-'0')
		digits++
	}
	if digits == 0 || digits == len(text) || text[digits] != '.' {
		return 0, "", false
	}
	return n, text[digits+1:], true
}

// piece reads the rest of a name, after the first index.
func (x *indexed) piece(rest string) (indexedValue, bool) {
	if p, ok := x.names[name{last: rest}]; ok {
		return indexedValue{piece: p}, true
	}
	for at := 0; ; at++ {
		dot := strings.IndexByte(rest[at:], '.')
		if dot < 0 {
			return indexedValue{}, false
		}
		at += dot
		if m, last, ok := index(rest[at+1:]); ok {
			p, known := x.names[name{rest[:at], last}]
			return indexedValue{piece: p, m: m}, known
		}
	}
}

// readIndexed puts the attributes of a family together again.
func (r *content) readIndexed(p *placed) chat {
	from, _ := slices.BinarySearchFunc(r.indexed, p.family, func(v indexedValue, f int) int { return cmp.Compare(v.family, f) })
	var c chat
	for from < len(r.indexed) && r.indexed[from].family == p.family {
		to := from
		for to < len(r.indexed) && r.indexed[to].family == p.family && r.indexed[to].n == r.indexed[from].n {
			to++
		}
		if p.side == toolsSide {
			c.tools = append(c.tools, r.indexedTool(r.indexed[from:to])...)
		} else {
			c.messages = append(c.messages, r.indexedMessage(p.indexed.role, r.indexed[from:to]))
		}
		from = to
	}
	if p.side == outputSide && len(c.messages) > 1 && r.isResponse() {
		for _, more := range c.messages[1:] {
			c.messages[0].Parts = append(c.messages[0].Parts, more.Parts...)
		}
		c.messages = c.messages[:1]
	}
	if (c.messages != nil || c.tools != nil) && r.span.DroppedAttributesCount() > 0 {
		r.truncated.add(r.side) // an SDK's limit of attributes, 128 by default
	}
	return c
}

// isResponse reports whether OpenInference's span is of OpenAI's Responses API, whose output messages are the items of one
// answer and not choices.
func (r *content) isResponse() bool {
	v, ok := r.span.Attributes().Get("output.value")
	if !ok || v.Type() != pcommon.ValueTypeStr || len(v.Str()) > r.left {
		return false
	}
	answer, _ := parse(v.Str())
	return answer.get("object").text() == "response"
}

// indexedMessage reads the attributes of one message.
func (r *content) indexedMessage(role string, list []indexedValue) Message {
	m := Message{Role: cmp.Or(role, r.side.defaultRole())}
	toolCallID := ""
	// MLflow writes every attribute as JSON, the text of a message with its quotes; OpenLLMetry always writes a role.
	quoted := role == ""
	for i := 0; i < len(list); i++ {
		v := list[i]
		switch v.piece {
		case messageRole:
			written := r.text(v.value)
			m.Role = cmp.Or(unquote(written), m.Role)
			quoted = written != m.Role && written != ""
			if mapped, ok := roles[m.Role]; ok {
				m.Role = mapped
			}
		case messageName:
			m.Name = r.text(v.value)
		case messageFinishReason:
			m.FinishReason = finishReason(r.text(v.value))
		case messageToolCallID:
			toolCallID = r.text(v.value)
		case messageReasoning:
			m.Parts = append(m.Parts, Part{Kind: PartReasoning, Text: r.text(v.value)})
		case messageContent:
			m.Parts = append(m.Parts, r.indexedContent(v.value, quoted)...)
		case messageRefusal:
			m.Parts = append(m.Parts, Part{Kind: PartRefusal, Text: r.text(v.value)})
		default:
			end := i + 1
			for end < len(list) && list[end].m == v.m && list[end].piece.group() == v.piece.group() {
				end++
			}
			m.Parts = append(m.Parts, r.indexedPart(list[i:end]))
			i = end - 1
		}
	}
	if toolCallID != "" || m.Role == "tool" {
		m.Role, m.Parts = "tool", toolResponse(toolCallID, m.Parts)
	}
	return m
}

// toolResponse is what a tool returned: the text of a tool's message, which OpenInference gives the role user for
// Anthropic's API.
func toolResponse(id string, parts []Part) []Part {
	response := Part{Kind: PartToolCallResponse, ID: id}
	for i := range parts {
		if i > 0 {
			response.Text += "\n"
		}
		response.Text += parts[i].Text
	}
	return []Part{response}
}

// indexedContent reads the content of a message: text, or the parts of a message as JSON.
func (r *content) indexedContent(v pcommon.Value, quoted bool) []Part {
	text := r.text(v)
	if text == "" {
		return nil
	}
	if strings.HasPrefix(text, "[{") {
		if list, ok := parse(text); ok && allParts(list) {
			return readParts(list)
		}
	}
	if quoted {
		text = unquote(text)
	}
	return []Part{{Kind: PartText, Text: text}}
}

// indexedPart reads the attributes of a part or of a tool call.
func (r *content) indexedPart(list []indexedValue) Part {
	p := Part{Kind: PartText}
	uri := ""
	for _, v := range list {
		text := r.text(v.value)
		switch v.piece {
		case partType:
			if kind, ok := partKinds[text]; ok {
				p.Kind = kind
			} else {
				p.Kind = PartKind(text)
			}
			p.Modality = modalities[text]
		case partText:
			p.Text = text
		case partURL:
			uri = text
		case partMIMEType:
			p.MIMEType = text
		case partFileID:
			p.Kind, p.ID = PartFile, text
		case callID:
			p.Kind, p.ID = PartToolCall, text
		case callName:
			p.Kind, p.Name = PartToolCall, text
		case callArguments:
			p.Kind, p.Arguments = PartToolCall, text
		}
	}
	if mimeType, data, inline := dataURI(uri); inline {
		p.inline(mimeType, data)
	} else if uri != "" {
		p.Kind, p.URI = PartURI, uri
	}
	return p
}

// indexedTool reads the attributes of a tool definition.
func (r *content) indexedTool(list []indexedValue) []Tool {
	t := Tool{Type: "function"}
	for _, v := range list {
		text := r.text(v.value)
		switch v.piece {
		case toolName:
			t.Name = text
		case toolDescription:
			t.Description = text
		case toolParameters:
			t.Parameters = text
		case toolSchema:
			schema, ok := parse(text)
			if !ok {
				r.truncated.add(r.side)
				continue
			}
			return readTools("[" + schema + "]")
		}
	}
	return []Tool{t}
}
