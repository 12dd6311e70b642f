// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/openai/openai-go/v3"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// chat makes calls and prints a line for each.
type chat struct {
	client openai.Client
	tracer trace.Tracer
	out    io.Writer
}

// call asks for one answer within a trace of its own and prints what came of it.
func (c chat) call(ctx context.Context, persona string, params openai.ChatCompletionNewParams, mode streamMode) (openai.ChatCompletionMessage, error) {
	ctx, span := c.tracer.Start(ctx, "reply", trace.WithNewRoot())
	defer span.End()
	ctx = openaiotel.WithPersona(ctx, persona)

	completion, err := c.complete(ctx, params, mode)
	if err == nil && len(completion.Choices) == 0 {
		err = errors.New("the answer has no choice")
	}
	_, _ = fmt.Fprintf(c.out, "call persona=%-21s model=%-11s stream=%-5t trace=%s ",
		persona, params.Model, mode != plain, span.SpanContext().TraceID())
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		_, _ = fmt.Fprintf(c.out, "status=error prompt_tokens=-   completion_tokens=-   error=%q\n", reason(err))
		return openai.ChatCompletionMessage{}, fmt.Errorf("%s with %s: %w", persona, params.Model, err)
	}
	message := completion.Choices[0].Message
	promptTokens, completionTokens := tokens(completion.Usage)
	_, _ = fmt.Fprintf(c.out, "status=ok    prompt_tokens=%-3s completion_tokens=%-3s answer=%q\n", promptTokens, completionTokens, summary(message))
	return message, nil
}

// complete sends the request and returns the whole answer, also of a stream.
func (c chat) complete(ctx context.Context, params openai.ChatCompletionNewParams, mode streamMode) (*openai.ChatCompletion, error) {
	if mode == plain {
		return c.client.Chat.Completions.New(ctx, params)
	}
	if mode == streamed {
		params.StreamOptions.IncludeUsage = openai.Bool(true)
	}
	stream := c.client.Chat.Completions.NewStreaming(ctx, params)
	var answer openai.ChatCompletionAccumulator
	for stream.Next() {
		answer.AddChunk(stream.Current())
	}
	return &answer.ChatCompletion, errors.Join(stream.Err(), stream.Close())
}

// wantRefusal returns an error unless err is the API's refusal of an invalid request.
func wantRefusal(err error) error {
	var apiErr *openai.Error
	switch {
	case err == nil:
		return errors.New("an invalid request was answered")
	case errors.As(err, &apiErr) && apiErr.StatusCode == http.StatusBadRequest:
		return nil
	default:
		return err
	}
}

// reason says in a few words why a call failed.
func reason(err error) string {
	if apiErr, ok := errors.AsType[*openai.Error](err); ok {
		return fmt.Sprintf("%d %s", apiErr.StatusCode, apiErr.Code)
	}
	return err.Error()
}

// tokens returns the reported counts, or "-" where the API reported none.
func tokens(usage openai.CompletionUsage) (prompt, completion string) {
	if usage.TotalTokens == 0 {
		return "-", "-"
	}
	return strconv.FormatInt(usage.PromptTokens, 10), strconv.FormatInt(usage.CompletionTokens, 10)
}

// summary is the start of a message, or the first tool that it calls.
func summary(message openai.ChatCompletionMessage) string {
	if len(message.ToolCalls) > 0 {
		function := message.ToolCalls[0].Function
		return fmt.Sprintf("→ %s(%s)", function.Name, function.Arguments)
	}
	const length = 60
	text := []rune(message.Content)
	if len(text) <= length {
		return string(text)
	}
	return string(text[:length-1]) + "…"
}

// addArguments is the tool get_sum.
func addArguments(arguments string) (string, error) {
	var args struct {
		A int `json:"a"`
		B int `json:"b"`
	}
	if err := json.Unmarshal([]byte(arguments), &args); err != nil {
		return "", fmt.Errorf("arguments of get_sum: %w", err)
	}
	return strconv.Itoa(args.A + args.B), nil
}
