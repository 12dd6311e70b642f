// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"cmp"
	"encoding/json"
)

// defaultMaxTokens is the limit of a legacy completion that sets none.
const defaultMaxTokens = 16

// A legacy completion and a chunk of its stream, which differ in what they leave out.
type (
	completionBody struct {
		ID      string             `json:"id"`
		Object  string             `json:"object"`
		Created int64              `json:"created"`
		Model   string             `json:"model"`
		Choices []completionChoice `json:"choices"`
		Usage   json.RawMessage    `json:"usage,omitempty"`
	}
	completionChoice struct {
		Text         string    `json:"text"`
		Index        int       `json:"index"`
		Logprobs     *struct{} `json:"logprobs"`
		FinishReason *string   `json:"finish_reason"`
	}
)

// readCompletion reads a request to POST /completions.
func (s *Server) readCompletion(body []byte) (request, func() answer, *apiError) {
	var read struct {
		request
		Prompt texts `json:"prompt"`
	}
	refusal := decode(body, &read, &read.digest)
	req := read.request
	if refusal == nil {
		refusal = req.checkParameters(completionModel)
	}
	if refusal == nil && len(read.Prompt) == 0 {
		refusal = invalid("prompt", "missing_required_parameter", "Missing required parameter: 'prompt'.")
	}
	return req, func() answer {
		c := completeTexts(req, read.Prompt)
		a := answer{id: c.id, usage: c.usage, usageSent: !req.Stream || req.StreamOptions.includeUsage(), pieces: c.pieces()}
		if req.Stream {
			a.events = c.legacyEvents(req.StreamOptions.includeUsage())
		} else {
			a.body = c.legacyBody()
		}
		return a
	}, refusal
}

// completeTexts answers each prompt as often as is asked for. Nothing frames a prompt: it costs its tokens.
func completeTexts(req request, prompts texts) completion {
	m := modelOf(req.Model, completionModel)
	c := completion{id: req.digest.id("cmpl-", 29), model: m}
	for _, prompt := range prompts {
		asked := req
		asked.Messages = []message{{Role: "user", Content: content{Text: prompt.text}}}
		c.usage.PromptTokens += prompt.count(m.encoding)
		for range req.choices() {
			ch := cutToLength(phrase(asked, len(c.choices)), cmp.Or(req.maxTokens(), defaultMaxTokens), m.encoding)
			c.choices = append(c.choices, ch)
			c.usage.CompletionTokens += m.encoding.count(ch.text())
		}
	}
	c.usage.TotalTokens = c.usage.PromptTokens + c.usage.CompletionTokens
	return c
}

func (c completion) legacyTemplate() completionBody {
	return completionBody{ID: c.id, Object: "text_completion", Created: created, Model: c.model.version, Choices: []completionChoice{}}
}

func (c completion) legacyBody() completionBody {
	b := c.legacyTemplate()
	for i, ch := range c.choices {
		b.Choices = append(b.Choices, completionChoice{Text: ch.text(), Index: i, FinishReason: &ch.finishReason})
	}
	b.Usage = mustMarshal(c.usage)
	return b
}

// legacyEvents cuts the completion into chunks, one token each; the last of a choice has its finish reason.
func (c completion) legacyEvents(includeUsage bool) []event {
	var events []event
	add := func(usage json.RawMessage, choices ...completionChoice) {
		b := c.legacyTemplate()
		b.Choices = append(b.Choices, choices...)
		if includeUsage {
			b.Usage = usage
		}
		events = append(events, event{data: b})
	}
	for i, ch := range c.choices {
		for _, piece := range ch.pieces {
			add(null, completionChoice{Text: piece, Index: i})
		}
		add(null, completionChoice{Index: i, FinishReason: &ch.finishReason})
	}
	if includeUsage {
		add(mustMarshal(c.usage))
	}
	return append(events, doneEvent)
}
