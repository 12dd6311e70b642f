// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
)

// contentBudget bounds the content that one answer may keep.
type contentBudget struct {
	on   bool
	used int
}

// enabled is false when content is off, and from when there was more than [maxAnswer] of it.
func (b *contentBudget) enabled() bool {
	return b.on && b.used <= maxAnswer
}

// spend reports whether n more bytes may be kept.
func (b *contentBudget) spend(n int) bool {
	b.used += n
	return b.enabled()
}

// literal is the inside of a JSON string literal. Deltas are joined in this form because an escaped surrogate pair may be
// split between two of them.
type literal []byte

func (l *literal) append(v gjson.Result, budget *contentBudget) {
	if v.Type == gjson.String && len(v.Raw) > 2 && budget.spend(len(v.Raw)) {
		*l = append(*l, v.Raw[1:len(v.Raw)-1]...)
	}
}

func (l literal) String() string {
	if bytes.IndexByte(l, '\\') < 0 {
		return string(l)
	}
	return gjson.Parse(`"` + string(l) + `"`).Str
}

// messageDraft is a message in the making: a whole one is read at once, a streamed one delta by delta.
type messageDraft struct {
	role       string
	name       string
	toolCallID string // of the call that a tool message answers

	reasoning  [2]literal // by the two names that hosts give it; some send both
	text       literal
	parts      []part // content that came as a list
	refusal    literal
	transcript literal
	audio      int // bytes
	calls      []toolCallDraft
	items      []itemDraft // of a streamed response whose last event has not arrived
}

type toolCallDraft struct {
	index     count
	id        string
	name      string
	arguments literal
}

func (m *messageDraft) read(value gjson.Result, budget *contentBudget) {
	value.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "role":
			set(&m.role, value)
		case "name":
			set(&m.name, value)
		case "tool_call_id":
			set(&m.toolCallID, value)
		case "reasoning_content":
			m.reasoning[0].append(value, budget)
		case "reasoning":
			m.reasoning[1].append(value, budget)
		case "content":
			m.text.append(value, budget)
			if value.IsArray() && budget.spend(len(value.Raw)) {
				m.parts = appendParts(m.parts, value)
			}
		case "refusal":
			m.refusal.append(value, budget)
		case "audio":
			m.audio += base64Size(value.Get("data").Str)
			m.transcript.append(value.Get("transcript"), budget)
		case "tool_calls":
			m.readToolCalls(value, budget)
		case "function_call":
			if value.IsObject() && budget.spend(len(value.Raw)) {
				m.call(count{n: 0, known: true}, true).readFunction(value, budget)
			}
		}
		return true
	})
}

func (m *messageDraft) readToolCalls(calls gjson.Result, budget *contentBudget) {
	if !calls.IsArray() {
		return
	}
	calls.ForEach(func(_, value gjson.Result) bool {
		if !value.IsObject() || !budget.spend(len(value.Raw)) {
			return true
		}
		id := value.Get("id")
		c := m.call(readCount(value.Get("index")), id.Str != "")
		set(&c.id, id)
		for _, kind := range []string{"function", "custom"} {
			if function := value.Get(kind); function.IsObject() {
				c.readFunction(function, budget)
			}
		}
		return true
	})
}

// call returns the draft that a tool call, or a delta of one, belongs to. Deltas say so by their index; where a host leaves
// it out, and in a whole message, a call begins with its id.
func (m *messageDraft) call(index count, begins bool) *toolCallDraft {
	for i := range m.calls {
		if index.known && m.calls[i].index == index {
			return &m.calls[i]
		}
	}
	if index.known || begins || len(m.calls) == 0 {
		m.calls = append(m.calls, toolCallDraft{index: index})
	}
	return &m.calls[len(m.calls)-1]
}

// readFunction reads the function of a function call or the input of a custom one.
func (c *toolCallDraft) readFunction(function gjson.Result, budget *contentBudget) {
	set(&c.name, function.Get("name"))
	c.arguments.append(function.Get("arguments"), budget)
	c.arguments.append(function.Get("input"), budget)
}

func (m *messageDraft) message() message {
	out := message{Role: m.role, Name: m.name, Parts: []part{}}
	if m.role == "tool" || m.role == "function" {
		out.Parts = append(out.Parts, part{Type: "tool_call_response", ID: m.toolCallID, Response: m.toolResponse()})
		return out
	}
	for _, reasoning := range m.reasoning {
		if len(reasoning) > 0 {
			out.Parts = append(out.Parts, textPart("reasoning", reasoning.String()))
			break
		}
	}
	if len(m.text) > 0 {
		out.Parts = append(out.Parts, textPart("text", m.text.String()))
	}
	out.Parts = append(out.Parts, m.parts...)
	if len(m.refusal) > 0 {
		out.Parts = append(out.Parts, textPart("refusal", m.refusal.String()))
	}
	if len(m.transcript) > 0 {
		out.Parts = append(out.Parts, textPart("text", m.transcript.String()))
	}
	if m.audio > 0 {
		out.Parts = append(out.Parts, blobPart("audio", "", m.audio))
	}
	for i := range m.calls {
		out.Parts = m.calls[i].appendTo(out.Parts)
	}
	for _, item := range m.items {
		out.Parts = append(out.Parts, item.parts...)
		if len(item.text) > 0 {
			out.Parts = append(out.Parts, textPart("text", item.text.String()))
		}
	}
	return out
}

func (m *messageDraft) toolResponse() json.RawMessage {
	if m.parts != nil {
		parts, _ := encode(m.parts)
		return json.RawMessage(parts)
	}
	return stringJSON(m.text.String())
}

// appendTo appends the call, unless it has no name: then it is none.
func (c *toolCallDraft) appendTo(parts []part) []part {
	if c.name == "" {
		return parts
	}
	p := part{Type: "tool_call", ID: c.id, Name: c.name}
	switch arguments := c.arguments.String(); {
	case arguments == "":
	case parseObject([]byte(arguments)).Exists():
		p.Arguments = json.RawMessage(arguments)
	default:
		p.Arguments = stringJSON(arguments)
	}
	return append(parts, p)
}

func stringJSON(s string) json.RawMessage {
	encoded, _ := encode(s) // a string can always be encoded
	return json.RawMessage(encoded)
}

// mediaModalities are the kinds of a content part that hold a URL, by their modality.
var mediaModalities = map[string]string{"image_url": "image", "video_url": "video", "audio_url": "audio"}

// appendParts reads the content of a message that is a list of parts. Media are described, never carried.
func appendParts(parts []part, content gjson.Result) []part {
	content.ForEach(func(_, value gjson.Result) bool {
		switch kind := name(value.Get("type")); kind {
		case "":
		case "text", "refusal":
			parts = append(parts, textPart(kind, text(value.Get(kind))))
		case "input_text", "output_text":
			parts = append(parts, textPart("text", text(value.Get("text"))))
		case "reasoning":
			parts = append(parts, textPart(kind, text(value.Get("text"))))
		case "input_image":
			parts = appendFile(parts, "image", value, "image_url", "")
		case "input_file":
			parts = appendFile(parts, "document", value, "file_url", "file_data")
		case "image_url", "video_url", "audio_url":
			parts = appendMedia(parts, mediaModalities[kind], value.Get(kind+".url").Str)
		case "input_audio":
			mimeType := "audio/" + text(value.Get("input_audio.format"))
			parts = append(parts, blobPart("audio", mimeType, base64Size(value.Get("input_audio.data").Str)))
		case "file":
			parts = appendFile(parts, "document", value.Get("file"), "", "file_data")
		default:
			parts = appendUnknown(parts, kind, "")
		}
		return true
	})
	return parts
}

// appendUnknown says that there was something, whose content is unknown and could be media. What would pass for a part of the
// conventions is left out.
func appendUnknown(parts []part, kind, id string) []part {
	switch kind {
	case "blob", "file", "uri", "reasoning", "text", "refusal", "tool_call", "tool_call_response", "server_tool_call", "server_tool_call_response":
		return parts
	default:
		return append(parts, part{Type: kind, ID: id})
	}
}

// appendFile describes a file that the API knows by its id, that a URL points to, or that is inline. The keys say which.
func appendFile(parts []part, modality string, file gjson.Result, urlKey, dataKey string) []part {
	if id := text(file.Get("file_id")); id != "" {
		return append(parts, part{Type: "file", Modality: modality, FileID: id})
	}
	return appendMedia(parts, modality, cmp.Or(file.Get(urlKey).Str, file.Get(dataKey).Str))
}

// appendMedia describes what a URL points to, or holds. Without a URL there is nothing to describe.
func appendMedia(parts []part, modality, url string) []part {
	if url == "" {
		return parts
	}
	rest, isData := strings.CutPrefix(url, "data:")
	if !isData {
		return append(parts, part{Type: "uri", Modality: modality, URI: validText(strings.Clone(url))})
	}
	header, data, _ := strings.Cut(rest, ",")
	mimeType, _, _ := strings.Cut(header, ";")
	size := len(data)
	if strings.HasSuffix(header, ";base64") {
		size = base64Size(data)
	}
	return append(parts, blobPart(modality, mimeType, size))
}

func blobPart(modality, mimeType string, size int) part {
	content := ""
	return part{Type: "blob", Modality: modality, MIMEType: strings.Clone(mimeType), Content: &content, Size: size}
}

// base64Size is how many bytes padded base64 stands for.
func base64Size(data string) int {
	return len(data)/4*3 - (len(data) - len(strings.TrimRight(data, "=")))
}
