// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import "encoding/json"

// Chunks of a stream, in the field order of the real API. A json.RawMessage is a field that may be absent, null or set.
type (
	chunk struct {
		ID                string          `json:"id"`
		Object            string          `json:"object"`
		Created           int64           `json:"created"`
		Model             string          `json:"model"`
		ServiceTier       string          `json:"service_tier"`
		SystemFingerprint string          `json:"system_fingerprint"`
		Choices           []chunkChoice   `json:"choices"`
		Usage             json.RawMessage `json:"usage,omitempty"`
	}
	chunkChoice struct {
		Index        int       `json:"index"`
		Delta        delta     `json:"delta"`
		Logprobs     *struct{} `json:"logprobs"`
		FinishReason *string   `json:"finish_reason"`
	}
	delta struct {
		Role      string          `json:"role,omitempty"`
		Content   json.RawMessage `json:"content,omitempty"`
		ToolCalls []toolCallDelta `json:"tool_calls,omitempty"`
		Refusal   json.RawMessage `json:"refusal,omitempty"`
	}
	toolCallDelta struct {
		Index    int           `json:"index"`
		ID       string        `json:"id,omitempty"`
		Type     string        `json:"type,omitempty"`
		Function functionDelta `json:"function"`
	}
	functionDelta struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	}
)

var null = json.RawMessage("null")

// events cuts the completion into chunks.
func (c completion) events(includeUsage bool) []event {
	template := chunk{
		ID: c.id, Object: "chat.completion.chunk", Created: created, Model: c.model.version,
		ServiceTier: "default", SystemFingerprint: c.fingerprint(), Choices: []chunkChoice{},
	}
	var events []event
	add := func(usage json.RawMessage, choices ...chunkChoice) {
		c := template
		c.Choices = append(c.Choices, choices...)
		if includeUsage {
			c.Usage = usage
		}
		events = append(events, event{data: c})
	}

	perChoice, longest := make([][]delta, len(c.choices)), 0
	for i, ch := range c.choices {
		perChoice[i] = ch.deltas(c.model.encoding)
		longest = max(longest, len(perChoice[i]))
	}
	for turn := range longest {
		for i, deltas := range perChoice {
			if turn < len(deltas) {
				add(null, chunkChoice{Index: i, Delta: deltas[turn]})
			}
		}
	}
	for i, ch := range c.choices {
		add(null, chunkChoice{Index: i, FinishReason: &ch.finishReason})
	}
	if includeUsage {
		add(mustMarshal(usageBody{Usage: c.usage}))
	}
	return append(events, doneEvent)
}

// deltas cuts a choice into the role and its tokens; a tool call into its head and the tokens of its arguments.
func (c choice) deltas(enc *encoding) []delta {
	if len(c.toolCalls) == 0 {
		deltas := []delta{{Role: "assistant", Content: mustMarshal(""), Refusal: null}}
		for _, piece := range c.pieces {
			deltas = append(deltas, delta{Content: mustMarshal(piece)})
		}
		return deltas
	}
	deltas := []delta{{Role: "assistant", Content: null, Refusal: null}}
	for i, call := range c.toolCalls {
		head := toolCallDelta{Index: i, ID: call.ID, Type: call.Type, Function: functionDelta{Name: call.Function.Name}}
		deltas = append(deltas, delta{ToolCalls: []toolCallDelta{head}})
		for _, piece := range enc.split(call.Function.Arguments) {
			fragment := toolCallDelta{Index: i, Function: functionDelta{Arguments: piece}}
			deltas = append(deltas, delta{ToolCalls: []toolCallDelta{fragment}})
		}
	}
	return deltas
}
