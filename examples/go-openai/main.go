// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command go-openai observes github.com/sashabaranov/go-openai: the client takes an http.Client, and that is all it needs.
// Set OPENAI_API_KEY; OPENAI_BASE_URL and OTEL_EXPORTER_OTLP_ENDPOINT for another server than OpenAI's and another collector than
// the one on this machine.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	goopenai "github.com/sashabaranov/go-openai"
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

	config := goopenai.DefaultConfig(os.Getenv("OPENAI_API_KEY"))
	config.BaseURL = cmp.Or(os.Getenv("OPENAI_BASE_URL"), config.BaseURL)
	config.HTTPClient = &http.Client{Transport: openaiotel.NewTransport(nil, openaiotel.WithTracerProvider(provider))}
	client := goopenai.NewClientWithConfig(config)

	ctx = openaiotel.WithPersona(ctx, "tech_educator")
	completion, err := client.CreateChatCompletion(ctx, goopenai.ChatCompletionRequest{
		Model:    goopenai.GPT4oMini,
		Messages: []goopenai.ChatCompletionMessage{{Role: goopenai.ChatMessageRoleUser, Content: "What is 2+2?"}},
	})
	if err != nil {
		return err
	}
	fmt.Println(completion.Choices[0].Message.Content)
	return nil
}
