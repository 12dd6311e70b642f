// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import "strings"

// Values of finish_reason.
const (
	finishStop      = "stop"
	finishLength    = "length"
	finishToolCalls = "tool_calls"
)

// completion is the whole answer to a request, before it takes the shape of a body or of a stream.
type completion struct {
	id      string
	model   model
	choices []choice
	usage   Usage
}

// choice is one of the answers: a text or tool calls.
type choice struct {
	pieces       []string // the text, one token each
	toolCalls    []toolCall
	finishReason string
}

type toolCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function functionCall `json:"function"`
}

type functionCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON
}

// text returns the content of the choice.
func (c choice) text() string { return strings.Join(c.pieces, "") }

// pieces is how many tokens of text a model would need time for.
func (c completion) pieces() int {
	n := 0
	for _, ch := range c.choices {
		n += len(ch.pieces)
	}
	return n
}

// complete answers messages.
func complete(req request, idPrefix string) completion {
	m := modelOf(req.Model, chatModel)
	c := completion{id: req.digest.id(idPrefix, 29), model: m}
	c.usage.PromptTokens = promptTokens(req, m)
	tools := toolsToCall(req)
	for i := range req.choices() {
		var ch choice
		if len(tools) > 0 {
			ch = choice{toolCalls: callTools(req, tools, i), finishReason: finishToolCalls}
		} else {
			ch = cutToLength(phrase(req, i), req.maxTokens(), m.encoding)
		}
		c.choices = append(c.choices, ch)
		c.usage.CompletionTokens += m.encoding.count(ch.text()) + callTokens(ch.toolCalls, m, costCallInAnswer)
	}
	c.usage.TotalTokens = c.usage.PromptTokens + c.usage.CompletionTokens
	return c
}

// cutToLength makes a choice of a text, of at most limit tokens; 0 is no limit.
func cutToLength(text string, limit int, enc *encoding) choice {
	c := choice{pieces: enc.split(text), finishReason: finishStop}
	for limit > 0 && enc.count(c.text()) > limit {
		c.pieces = c.pieces[:len(c.pieces)-1]
		c.finishReason = finishLength
	}
	return c
}
