// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"strconv"
	"strings"
)

// partKinds are the types of parts in the APIs and frameworks that emitters copy from, as kinds. A type that is not listed
// is passed on under its own name, with its JSON.
var partKinds = map[string]PartKind{
	"text": PartText, "input_text": PartText, "output_text": PartText, // the conventions, OpenAI
	"reasoning": PartReasoning, "thinking": PartReasoning, "redacted_thinking": PartReasoning, "summary_text": PartReasoning,
	"tool_call": PartToolCall, "tool-call": PartToolCall, "tool_use": PartToolCall, "function_call": PartToolCall,
	"function":           PartToolCall, // OpenAI's tool_calls
	"tool_call_response": PartToolCallResponse, "tool-result": PartToolCallResponse, "tool_result": PartToolCallResponse,
	"function_call_output": PartToolCallResponse,
	"refusal":              PartRefusal,
	"blob":                 PartBlob, "uri": PartURI, "file": PartFile, "input_file": PartFile, "document": PartFile,
	"image": PartURI, "image_url": PartURI, "input_image": PartURI, "media": PartURI,
	"audio": PartBlob, "input_audio": PartBlob, "video": PartURI,
}

// modalities of the types of parts that do not say it otherwise.
var modalities = map[string]string{
	"image": "image", "image_url": "image", "input_image": "image",
	"audio": "audio", "input_audio": "audio", "video": "video", "document": "document",
}

// members are the members of a part in any shape, each under the name of the conventions.
type members struct {
	kind, text, id, name, arguments, result, modality, mimeType, uri, data, fileID, format, size value
	refusal, reasoning, thought                                                                  value
}

// collect reads the members of an object that stands in a part and has members of a part itself.
func (m *members) collect(part value, depth int) {
	part.each(func(key string, item value) { m.member(key, item, depth) })
}

// member takes a member of a part, or of an object in it.
func (m *members) member(key string, item value, depth int) {
	switch key {
	case "type":
		if depth == 0 || m.kind == "" {
			m.kind = item
		}
	case "content", "text", "summary":
		if m.text.isEmpty() || key != "summary" {
			m.text = item
		}
	case "id", "tool_call_id", "toolCallId", "tool_use_id", "toolUseId":
		if m.id == "" || key != "id" {
			m.id = item
		}
	case "call_id": // of the Responses API, whose id is that of the item
		m.id = item
	case "name", "toolName":
		m.name = item
	case "arguments", "args", "input":
		if m.arguments == "" || key != "input" {
			m.arguments = item
		}
	case "response", "result", "output": // result was the name of response before 1.38
		if m.result.isNothing() || key == "response" {
			m.result = item
		}
	case "modality":
		m.modality = item
	case "mime_type", "mimeType", "media_type", "mediaType":
		m.mimeType = item
	case "uri", "url", "file_uri", "fileUri":
		m.uri = item
	case "data", "file_data":
		m.data = item
	case "file_id":
		m.fileID = item
	case "format":
		m.format = item
	case "size": // openaiotel describes media instead of carrying it
		m.size = item
	case "refusal":
		m.refusal = item
	case "thinking", "reasoning", "reasoningText":
		m.reasoning = item
	case "thought": // Gemini
		m.thought = item
	case "image_url", "input_audio", "source", "inline_data", "inlineData", "file", "image", "audio", "video",
		"function", "function_call", "functionCall", "function_response", "functionResponse", "fileData", "toolUse",
		"toolResult", "reasoningContent", "media":
		m.nested(key, item, depth)
	}
}

// wrappers are the kinds of parts that are told by the member that they stand in: Gemini's and Bedrock's have no type.
var wrappers = map[string]string{
	"inline_data": `"blob"`, "inlineData": `"blob"`, "fileData": `"uri"`,
	"function_call": `"tool_call"`, "functionCall": `"tool_call"`, "toolUse": `"tool_call"`,
	"function_response": `"tool_call_response"`, "functionResponse": `"tool_call_response"`, "toolResult": `"tool_call_response"`,
	"reasoningContent": `"reasoning"`, "image": `"image"`, "media": `"media"`,
}

func (m *members) nested(key string, item value, depth int) {
	switch {
	case item.isString():
		m.uri = item
	case item.isObject() && depth < 2:
		if m.kind == "" {
			m.kind = value(wrappers[key])
		}
		m.collect(item, depth+1)
	}
}

// readPart reads a part of any shape.
func readPart(item value) Part {
	c := cursor{text: string(item)}
	return c.part()
}

// parts reads a list of parts.
func (c *cursor) parts() []Part {
	var all []Part
	c.items(func(string) bool {
		all = append(all, c.part())
		return false
	})
	return all
}

// part reads a part of any shape.
func (c *cursor) part() Part {
	if !c.isObject() {
		return Part{Kind: PartText, Text: c.value().text()}
	}
	var m members
	start := c.at
	c.items(func(key string) bool {
		m.member(key, c.value(), 0)
		return false
	})
	return m.part(value(c.text[start:c.at]))
}

// part makes the part that item is, whose members are in m.
func (m *members) part(item value) Part {
	kind := m.kind.text()
	p := Part{
		Kind: PartKind(kind), ID: m.id.text(), Name: m.name.text(),
		Modality: m.modality.text(), MIMEType: m.mimeType.text(), URI: m.uri.text(),
	}
	if known, ok := partKinds[kind]; ok {
		p.Kind = known
	}
	if p.Modality == "" {
		p.Modality = modalities[kind]
	}
	switch p.Kind {
	case "":
		m.guess(&p, item)
	case PartText:
		p.Text = textIn(m.text)
		if m.text.isNumber() { // OpenLLMetry has a message for each token of an embedding
			p.Kind = PartTokens
		}
	case PartReasoning:
		p.Text = textIn(firstOf(m.reasoning, m.text))
	case PartRefusal:
		p.Text = textIn(firstOf(m.refusal, m.text))
	case PartToolCall:
		p.Arguments = firstOf(m.arguments, m.data).text()
	case PartToolCallResponse:
		p.Text = toolResultText(firstOf(m.result, m.text))
	case PartBlob, PartURI, PartFile:
		m.media(&p)
	default:
		p.Text = string(item)
	}
	return p
}

// guess makes a part of an object without a type.
func (m *members) guess(p *Part, item value) {
	switch {
	case !m.reasoning.isNothing():
		p.Kind, p.Text = PartReasoning, textIn(m.reasoning)
	case m.text.isString():
		p.Kind, p.Text = PartText, m.text.text()
		if m.thought == "true" {
			p.Kind = PartReasoning
		}
	case !m.uri.isNothing() || !m.data.isNothing() || !m.fileID.isNothing():
		m.media(p)
	default:
		p.Kind, p.Text = PartText, string(item)
	}
}

// media sorts a part into what it carries: the media itself, where it is, or the id of a file.
func (m *members) media(p *Part) {
	data := firstOf(m.data, m.text)
	if mimeType, inline, ok := dataURI(p.URI); ok {
		p.URI = ""
		p.inline(mimeType, inline)
	} else if mimeType, inline, ok := dataURI(data.text()); ok {
		p.inline(mimeType, inline)
	} else {
		switch {
		case p.URI != "":
			p.Kind = PartURI
		case !m.fileID.isNothing():
			p.Kind, p.ID = PartFile, m.fileID.text()
		case data.isString():
			p.inline(p.MIMEType, data.text())
			if size, err := strconv.Atoi(string(m.size)); err == nil && p.Size == 0 {
				p.Size = max(0, size)
			}
		}
	}
	if p.MIMEType == "" && p.Modality == "audio" && m.format.isString() {
		p.MIMEType = "audio/" + m.format.text()
	}
	if p.Modality == "" {
		p.Modality, _, _ = strings.Cut(p.MIMEType, "/")
	}
}

// textIn is the text of a string, or of a list of parts that are all text.
func textIn(v value) string {
	switch {
	case v.isArray():
		var texts []string
		v.each(func(_ string, item value) {
			if text := readPart(item).Text; text != "" {
				texts = append(texts, text)
			}
		})
		return strings.Join(texts, "\n")
	case v.isObject():
		if text := v.get("text"); text.isString() {
			return text.text()
		}
	}
	return v.text()
}

// toolResultText is what a tool returned, as text where it is text, otherwise as JSON.
func toolResultText(v value) string {
	switch kind := v.get("type").text(); {
	case v.isObject() && (kind == "text" || kind == "json" || kind == "error-text"): // Vercel AI SDK 5
		return v.get("value").text()
	case v.isArray() && allParts(v):
		return textIn(v)
	default:
		return v.text()
	}
}

// allParts reports whether a value is a list of parts of known types, which a list that somebody talks about is not.
func allParts(v value) bool {
	if !v.isArray() || v == "[]" {
		return false
	}
	all := true
	v.until(func(_ string, item value) bool {
		all = isPart(item)
		return !all
	})
	return all
}

// isPart reports whether a value is a part of a known type, and not a message.
func isPart(item value) bool {
	part := false
	if item.isObject() {
		item.until(func(key string, v value) bool {
			part = key == "type" && partKinds[v.text()] != ""
			return key == "type" || key == "role" || key == "parts"
		})
	}
	return part
}

func firstOf(values ...value) value {
	for _, v := range values {
		if !v.isNothing() {
			return v
		}
	}
	return ""
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
	return len(strings.TrimRight(text, "=")) * 3 / 4
}
