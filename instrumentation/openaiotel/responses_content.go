// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
)

// serverTool describes what a tool did that runs at the provider.
type serverTool struct {
	Type string `json:"type"`
}

// inputItems reads the input of a request to the Responses API: a text, or a list of items. Each item is a message.
func inputItems(input gjson.Result) []message {
	if input.Type == gjson.String {
		return []message{{Role: "user", Parts: []part{textPart("text", text(input))}}}
	}
	var read []message
	input.ForEach(func(_, item gjson.Result) bool {
		if item.IsObject() {
			read = append(read, message{Role: itemRole(item), Parts: appendItem([]part{}, item)})
		}
		return true
	})
	return read
}

func itemRole(item gjson.Result) string {
	if role := name(item.Get("role")); role != "" {
		return role
	}
	if strings.HasSuffix(item.Get("type").Str, "_output") {
		return "tool"
	}
	return "assistant"
}

// instructions reads the instructions of a request to the Responses API, which are no message.
func instructions(value gjson.Result) []part {
	if value.Type == gjson.String && value.Str != "" {
		return []part{textPart("text", text(value))}
	}
	return nil
}

func appendItems(parts []part, items gjson.Result) []part {
	items.ForEach(func(_, item gjson.Result) bool {
		parts = appendItem(parts, item)
		return true
	})
	return parts
}

// appendItem reads one input or output item of the Responses API.
func appendItem(parts []part, item gjson.Result) []part {
	switch kind := name(item.Get("type")); {
	case kind == "message" || kind == "" && item.Get("role").Exists():
		content := item.Get("content")
		if content.Type == gjson.String {
			return append(parts, textPart("text", text(content)))
		}
		return appendParts(parts, content)
	case isFunctionCall(kind):
		call := toolCallDraft{id: name(item.Get("call_id")), name: name(item.Get("name"))}
		unlimited := contentBudget{on: true}
		call.readFunction(item, &unlimited)
		return call.appendTo(parts)
	case strings.HasSuffix(kind, "_call_output"):
		return append(parts, part{Type: "tool_call_response", ID: name(item.Get("call_id")), Response: itemOutput(item.Get("output"))})
	case kind == "reasoning":
		for _, list := range []string{"summary", "content"} {
			item.Get(list).ForEach(func(_, value gjson.Result) bool {
				parts = append(parts, textPart("reasoning", text(value.Get("text"))))
				return true
			})
		}
		return parts
	case len(kind) > len("_call") && strings.HasSuffix(kind, "_call"):
		// Run by the provider. What such a call holds depends on the tool, and could be media.
		return append(parts, part{
			Type: "server_tool_call", ID: name(item.Get("id")), Name: strings.TrimSuffix(kind, "_call"), ServerToolCall: &serverTool{Type: kind},
		})
	case kind == "":
		return parts
	default:
		return appendUnknown(parts, kind, name(item.Get("id")))
	}
}

// itemOutput is what a tool gave back: a text, or a list of parts.
func itemOutput(output gjson.Result) json.RawMessage {
	if output.IsArray() {
		parts, _ := encode(appendParts([]part{}, output))
		return json.RawMessage(parts)
	}
	return stringJSON(text(output))
}

// promptMessages reads the prompt of a legacy completion or the input of embeddings: a text, or a list of them. Lists of
// tokens are left out.
func promptMessages(value gjson.Result) []message {
	if value.Type == gjson.String {
		return []message{{Role: "user", Parts: []part{textPart("text", text(value))}}}
	}
	var read []message
	value.ForEach(func(_, value gjson.Result) bool {
		if value.Type == gjson.String {
			read = append(read, message{Role: "user", Parts: []part{textPart("text", text(value))}})
		}
		return true
	})
	return read
}
