// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"strings"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Messages is the content of a call. A part that the span does not carry is nil.
type Messages struct {
	// System is the instructions that stand apart from the chat history.
	System []Part
	// Input is the chat history that was sent, oldest first.
	Input []Message
	// Output has one message per choice.
	Output []Message
	// Tools are the definitions of the tools that the model may call.
	Tools []Tool
	// Truncated is true where content was cut before it reached us: its JSON is broken. What is left of it is given as
	// the text of one message.
	Truncated bool
}

// Message is one entry of a chat history, or one choice of an answer.
type Message struct {
	Role         string // "system", "user", "assistant", "tool", …
	Name         string // of the participant, usually empty
	Parts        []Part
	FinishReason string // of a choice
}

// PartKind says what a part of a message is. Kinds that are not listed are passed on by the name the span gives them.
type PartKind string

// The kinds of parts in the GenAI conventions' message schemas.
const (
	PartText             PartKind = "text"
	PartReasoning        PartKind = "reasoning"
	PartToolCall         PartKind = "tool_call"
	PartToolCallResponse PartKind = "tool_call_response"
	PartBlob             PartKind = "blob"
	PartURI              PartKind = "uri"
	PartFile             PartKind = "file"
)

// Part is a piece of a message.
type Part struct {
	Kind PartKind
	// Text of a text or reasoning part; the result of a tool, as text or JSON; the JSON of a part of another kind.
	Text string
	// ID of a tool call, the same on the call and on its response; the id of a file.
	ID string
	// Name of the tool called.
	Name string
	// Arguments of a tool call as JSON, in the emitter's own spelling.
	Arguments string
	// Modality of media: "image", "audio", "video", "document".
	Modality string
	// MIMEType of media, empty if unknown.
	MIMEType string
	// URI of media that is not part of the message.
	URI string
	// Size of media in bytes, zero if unknown.
	Size int
}

// Tool is a tool definition.
type Tool struct {
	Type        string // "function", …
	Name        string
	Description string
	Parameters  string // JSON schema, empty if unknown
}

// Messages parses the call's content. It takes time proportional to the content, so ask once.
func (c *Call) Messages() Messages {
	var m Messages
	for _, d := range dialects {
		d.messages(c.span, &m)
	}
	return m
}

// otelMessages reads content as the conventions since 1.37 have it: JSON in a string, or the same as structured values.
func otelMessages(span ptrace.Span, m *Messages) {
	attributes := span.Attributes()
	if m.System == nil {
		if list, text := content(attributes, semconv.GenAISystemInstructions, m); list.IsArray() {
			m.System = parts(list)
		} else if text != "" {
			m.System = []Part{{Kind: PartText, Text: text}}
		}
	}
	if m.Input == nil {
		m.Input = messages(attributes, semconv.GenAIInputMessages, "user", m)
	}
	if m.Output == nil {
		m.Output = messages(attributes, semconv.GenAIOutputMessages, "assistant", m)
	}
	if m.Tools == nil {
		list, _ := content(attributes, semconv.GenAIToolDefinitions, m)
		for _, tool := range list.Array() {
			m.Tools = append(m.Tools, Tool{
				Type:        tool.Get("type").String(),
				Name:        tool.Get("name").String(),
				Description: tool.Get("description").String(),
				Parameters:  tool.Get("parameters").Raw,
			})
		}
	}
}

// messages reads the attribute's list of messages; text that is no list becomes one message of the given role.
func messages(attributes pcommon.Map, key, role string, m *Messages) []Message {
	list, text := content(attributes, key, m)
	if !list.IsArray() {
		if text == "" {
			return nil
		}
		return []Message{{Role: role, Parts: []Part{{Kind: PartText, Text: text}}}}
	}
	all := []Message{}
	list.ForEach(func(_, item gjson.Result) bool {
		all = append(all, message(item))
		return true
	})
	return all
}

// message reads a message in one pass: a look-up by key would scan its text once more for each key.
func message(item gjson.Result) Message {
	var message Message
	item.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "role":
			message.Role = value.String()
		case "name":
			message.Name = value.String()
		case "parts":
			message.Parts = parts(value)
		case "finish_reason":
			message.FinishReason = value.String()
		}
		return true
	})
	return message
}

// content returns the attribute as parsed JSON and as text. The JSON is a null where the text is no JSON; if it was once,
// and was cut, m says so.
func content(attributes pcommon.Map, key string, m *Messages) (gjson.Result, string) {
	v, ok := attributes.Get(key)
	if !ok {
		return gjson.Result{}, ""
	}
	text := v.AsString()
	if gjson.Valid(text) {
		return gjson.Parse(text), text
	}
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "{") {
		m.Truncated = true
	}
	return gjson.Result{}, text
}

// parts reads a message's parts.
func parts(list gjson.Result) []Part {
	var all []Part
	if list.IsArray() {
		list.ForEach(func(_, item gjson.Result) bool {
			all = append(all, part(item))
			return true
		})
	}
	return all
}

// part reads a part in one pass.
func part(item gjson.Result) Part {
	var p Part
	var text, response, result gjson.Result
	item.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "type":
			p.Kind = PartKind(value.String())
		case "content":
			text = value
		case "id", "file_id":
			p.ID = value.String()
		case "name":
			p.Name = value.String()
		case "arguments":
			p.Arguments = jsonOrText(value)
		case "response":
			response = value
		case "result": // the name of response before 1.38
			result = value
		case "modality":
			p.Modality = value.String()
		case "mime_type":
			p.MIMEType = value.String()
		case "uri":
			p.URI = value.String()
		}
		return true
	})
	switch p.Kind {
	case PartText, PartReasoning:
		p.Text = text.String()
	case PartToolCall, PartFile:
	case PartToolCallResponse:
		if !response.Exists() {
			response = result
		}
		p.Text = jsonOrText(response)
	case PartBlob:
		p.Size = base64Size(text.Str)
	case PartURI:
		if mimeType, data, inline := dataURI(p.URI); inline {
			p.Kind, p.URI, p.MIMEType, p.Size = PartBlob, "", mimeType, base64Size(data)
		}
	default:
		p.Text = item.Raw
	}
	return p
}

// jsonOrText is a string's own text, or any other value's JSON.
func jsonOrText(v gjson.Result) string {
	if v.Type == gjson.String {
		return v.Str
	}
	return v.Raw
}

// dataURI splits a base64 data URI (RFC 2397), which carries the media itself.
func dataURI(uri string) (mimeType, data string, ok bool) {
	rest, ok := strings.CutPrefix(uri, "data:")
	if !ok {
		return "", "", false
	}
	mimeType, data, ok = strings.Cut(rest, ",")
	mimeType, _, _ = strings.Cut(mimeType, ";")
	return mimeType, data, ok
}

// base64Size is the number of bytes that base64 text stands for.
func base64Size(text string) int {
	text = strings.TrimRight(text, "=")
	return len(text) * 3 / 4
}
