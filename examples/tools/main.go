// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command tools lets a model call a Go function: a span for each call of the model, and one for the tool between them.
// Set OPENAI_API_KEY.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"strconv"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithInsecure())
	if err != nil {
		return fmt.Errorf("creating the exporter: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	defer provider.Shutdown(ctx) //nolint:errcheck // there is nobody left to tell
	spans := openaiotel.WithTracerProvider(provider)

	client := openai.NewClient(option.WithMiddleware(openaiotel.Middleware(spans)))
	params := openai.ChatCompletionNewParams{
		Model:    "gpt-4o-mini",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is 1234 plus 5678?")},
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: "get_sum",
			Parameters: shared.FunctionParameters{"type": "object", "properties": map[string]any{
				"a": map[string]any{"type": "number"}, "b": map[string]any{"type": "number"},
			}},
		})},
	}
	ctx = openaiotel.WithPersona(ctx, "tech_educator")
	for {
		completion, err := client.Chat.Completions.New(ctx, params)
		if err != nil {
			return err
		}
		message := completion.Choices[0].Message
		if len(message.ToolCalls) == 0 {
			fmt.Println(message.Content)
			return nil
		}
		params.Messages = append(params.Messages, message.ToParam())
		for _, call := range message.ToolCalls {
			result, err := openaiotel.Tool(ctx, openaiotel.ToolCall{
				ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments,
			}, func(context.Context) (string, error) { return sum(call.Function.Arguments) }, spans)
			if err != nil {
				result = "error: " + err.Error()
			}
			params.Messages = append(params.Messages, openai.ToolMessage(result, call.ID))
		}
	}
}

// sum adds the two numbers that the model gave.
func sum(arguments string) (string, error) {
	var numbers struct{ A, B float64 }
	if err := json.Unmarshal([]byte(arguments), &numbers); err != nil {
		return "", err
	}
	return strconv.FormatFloat(numbers.A+numbers.B, 'f', -1, 64), nil
}
