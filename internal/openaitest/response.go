// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
)

// created is the fixed creation time of every completion: 2026-01-01T00:00:00Z.
const created = 1767225600

// Bodies of responses, in the field order of the real API.
type (
	body struct {
		ID                string       `json:"id"`
		Object            string       `json:"object"`
		Created           int64        `json:"created"`
		Model             string       `json:"model"`
		Choices           []bodyChoice `json:"choices"`
		Usage             usageBody    `json:"usage"`
		ServiceTier       string       `json:"service_tier"`
		SystemFingerprint string       `json:"system_fingerprint"`
	}
	bodyChoice struct {
		Index        int         `json:"index"`
		Message      bodyMessage `json:"message"`
		Logprobs     *struct{}   `json:"logprobs"`
		FinishReason string      `json:"finish_reason"`
	}
	bodyMessage struct {
		Role        string     `json:"role"`
		Content     *string    `json:"content"`
		ToolCalls   []toolCall `json:"tool_calls,omitempty"`
		Refusal     *string    `json:"refusal"`
		Annotations []struct{} `json:"annotations"`
	}
	usageBody struct {
		Usage
		PromptTokensDetails struct {
			CachedTokens int `json:"cached_tokens"`
			AudioTokens  int `json:"audio_tokens"`
		} `json:"prompt_tokens_details"`
		CompletionTokensDetails struct {
			ReasoningTokens          int `json:"reasoning_tokens"`
			AudioTokens              int `json:"audio_tokens"`
			AcceptedPredictionTokens int `json:"accepted_prediction_tokens"`
			RejectedPredictionTokens int `json:"rejected_prediction_tokens"`
		} `json:"completion_tokens_details"`
	}
)

func (c completion) fingerprint() string { return newDigest([]byte(c.model.version)).id("fp_", 10) }

// responseWriter sends one completion. Clients may go away at any time, which is no failure of the server: write errors
// are dropped.
type responseWriter struct {
	w    http.ResponseWriter
	ctx  context.Context
	pace pace
	cut  bool // break the connection half-way
}

// plain sends the completion as one body.
func (o responseWriter) plain(c completion) {
	chunks := 0
	response := body{
		ID: c.id, Object: "chat.completion", Created: created, Model: c.model.version,
		Usage: usageBody{Usage: c.usage}, ServiceTier: "default", SystemFingerprint: c.fingerprint(),
	}
	for i, ch := range c.choices {
		msg := bodyMessage{Role: "assistant", ToolCalls: ch.toolCalls, Annotations: []struct{}{}}
		if len(ch.toolCalls) == 0 {
			msg.Content = new(ch.text())
		}
		response.Choices = append(response.Choices, bodyChoice{Index: i, Message: msg, FinishReason: ch.finishReason})
		chunks += len(ch.pieces)
	}
	data := mustMarshal(response)

	if !o.pace.whole(o.ctx, chunks) {
		return
	}
	o.w.Header().Set("Content-Type", "application/json")
	o.w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	o.w.WriteHeader(http.StatusOK)
	if o.cut {
		_, _ = o.w.Write(data[:len(data)/2])
		o.breakOff()
	}
	_, _ = o.w.Write(data)
}

// breakOff closes the connection without ending the response.
func (o responseWriter) breakOff() {
	_ = http.NewResponseController(o.w).Flush()
	panic(http.ErrAbortHandler)
}

// mustMarshal is for the types of this file and of stream.go, all of which JSON can say.
func mustMarshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
