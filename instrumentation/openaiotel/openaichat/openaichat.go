// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package openaichat asks a model one thing in one call, observed by package openaiotel. It is what a team replaces the
// chat function of its own with; for anything more use openai-go with openaiotel.Middleware.
package openaichat

import (
	"context"
	"errors"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// ErrNoAnswer is the error of a call that succeeded and brought no text.
var ErrNoAnswer = errors.New("the model gave no answer")

// Chat asks a model to answer a prompt as a persona, and returns the text of the answer. The call, with all its retries, is
// one span, which carries the persona; "" leaves that of the context. The client needs no instrumentation of its own, and one that it has makes the span.
//
// The error is that of the SDK, or wraps [ErrNoAnswer] when the model refused or said nothing.
func Chat(ctx context.Context, client openai.Client, model, prompt, personaID string, opts ...openaiotel.Option) (string, error) {
	if personaID != "" {
		ctx = openaiotel.WithPersona(ctx, personaID)
	}
	completion, err := openaiotel.Do(ctx, func(ctx context.Context) (*openai.ChatCompletion, error) {
		return client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
			Model:    model,
			Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)},
		}, option.WithMiddleware(openaiotel.Middleware(opts...)))
	})
	if err != nil {
		return "", err
	}
	if len(completion.Choices) == 0 {
		return "", ErrNoAnswer
	}
	answer := completion.Choices[0].Message
	switch {
	case answer.Content != "":
		return answer.Content, nil
	case answer.Refusal != "":
		return "", fmt.Errorf("%w: it refused: %s", ErrNoAnswer, answer.Refusal)
	default:
		return "", ErrNoAnswer
	}
}
