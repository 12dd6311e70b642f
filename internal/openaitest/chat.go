// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

// Bodies of chat completions, in the field order of the real API.
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

// readChat reads a request to POST /chat/completions.
func (s *Server) readChat(body []byte) (request, func() answer, *apiError) {
	var req request
	refusal := decode(body, &req, &req.digest)
	if refusal == nil {
		refusal = req.checkParameters(chatModel)
	}
	if refusal == nil {
		refusal = req.checkMessages()
	}
	return req, func() answer {
		c := complete(req, "chatcmpl-")
		a := answer{id: c.id, usage: c.usage, usageSent: !req.Stream || req.StreamOptions.includeUsage(), pieces: c.pieces()}
		if req.Stream {
			a.events = c.events(req.StreamOptions.includeUsage())
		} else {
			a.body = c.body()
		}
		return a
	}, refusal
}

// body is the completion as one body.
func (c completion) body() body {
	b := body{
		ID: c.id, Object: "chat.completion", Created: created, Model: c.model.version,
		Usage: usageBody{Usage: c.usage}, ServiceTier: "default", SystemFingerprint: c.fingerprint(),
	}
	for i, ch := range c.choices {
		msg := bodyMessage{Role: "assistant", ToolCalls: ch.toolCalls, Annotations: []struct{}{}}
		if len(ch.toolCalls) == 0 {
			msg.Content = new(ch.text())
		}
		b.Choices = append(b.Choices, bodyChoice{Index: i, Message: msg, FinishReason: ch.finishReason})
	}
	return b
}
