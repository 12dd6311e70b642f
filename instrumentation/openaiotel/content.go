// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"cmp"
	"encoding/json"

	"github.com/tidwall/gjson"
)

// The content of the conventions' JSON schemas for gen_ai.input.messages, gen_ai.output.messages and
// gen_ai.tool.definitions.
type (
	message struct {
		Role  string `json:"role"`
		Parts []part `json:"parts"`
		Name  string `json:"name,omitempty"`
		// FinishReason is there for output messages, "" where none arrived: the schema requires it.
		FinishReason *string `json:"finish_reason,omitempty"`
	}

	// part is every kind of part: text and reasoning have content, a tool_call has a name and arguments, and so on.
	part struct {
		Type      string          `json:"type"`
		ID        string          `json:"id,omitempty"`
		Name      string          `json:"name,omitempty"`
		Arguments json.RawMessage `json:"arguments,omitempty"`
		Response  json.RawMessage `json:"response,omitempty"`
		Modality  string          `json:"modality,omitempty"`
		MIMEType  string          `json:"mime_type,omitempty"`
		URI       string          `json:"uri,omitempty"`
		FileID    string          `json:"file_id,omitempty"`
		Content   *string         `json:"content,omitempty"` // always there for text, reasoning and blob
		Size      int             `json:"size,omitempty"`    // ours: bytes of a blob, whose content is left out

		ServerToolCall *serverTool `json:"server_tool_call,omitempty"`
	}

	toolDefinition struct {
		Type        string          `json:"type"`
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Parameters  json.RawMessage `json:"parameters,omitempty"`
	}
)

func textPart(kind, content string) part {
	return part{Type: kind, Content: &content}
}

// inputMessages reads the messages of a chat request. System messages stay in the history, as the conventions ask.
func inputMessages(messages gjson.Result) []message {
	var read []message
	messages.ForEach(func(_, value gjson.Result) bool {
		if !value.IsObject() {
			return true
		}
		var draft messageDraft
		draft.read(value, &contentBudget{on: true})
		read = append(read, draft.message())
		return true
	})
	return read
}

// outputMessages has one message per choice, and is nil when content is off or was too large.
func (r *response) outputMessages() []message {
	if !r.content.enabled() {
		return nil
	}
	var read []message
	for i := range r.choices {
		m := r.choices[i].message.message()
		if m.Role == "" {
			m.Role = "assistant"
		}
		m.FinishReason = &r.choices[i].finishReason
		read = append(read, m)
	}
	return read
}

// toolDefinitions reads the tools of a request and the functions of a legacy one. The Responses API does not nest them.
func toolDefinitions(lists []gjson.Result) []toolDefinition {
	var read []toolDefinition
	for _, list := range lists {
		list.ForEach(func(_, tool gjson.Result) bool {
			if !tool.IsObject() {
				return true
			}
			kind := text(tool.Get("type"))
			definition := tool
			if kind == "" {
				kind = "function"
			} else if nested := tool.Get(gjson.Escape(kind)); nested.IsObject() {
				definition = nested
			}
			d := toolDefinition{
				Type:        kind,
				Name:        cmp.Or(text(definition.Get("name")), kind), // built-in tools have no name
				Description: text(definition.Get("description")),
			}
			if parameters := definition.Get("parameters"); parameters.IsObject() {
				d.Parameters = json.RawMessage(parameters.Raw)
			}
			read = append(read, d)
			return true
		})
	}
	return read
}
