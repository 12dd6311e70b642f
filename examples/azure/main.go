// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command azure observes openai-go with Azure OpenAI, whose v1 API takes the deployment for the model. With the options of
// openai-go's azure package, which put the deployment into the path, give the middleware after them.
//
// Set AZURE_OPENAI_ENDPOINT (https://{resource}.openai.azure.com), AZURE_OPENAI_API_KEY and AZURE_OPENAI_DEPLOYMENT.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel/openaichat"
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

	client := openai.NewClient(
		option.WithBaseURL(os.Getenv("AZURE_OPENAI_ENDPOINT")+"/openai/v1/"),
		option.WithHeader("Api-Key", os.Getenv("AZURE_OPENAI_API_KEY")),
		option.WithMiddleware(openaiotel.Middleware(openaiotel.WithTracerProvider(provider))),
	)
	answer, err := openaichat.Chat(ctx, client, os.Getenv("AZURE_OPENAI_DEPLOYMENT"), "What is 2+2?", "tech_educator")
	if err != nil {
		return err
	}
	fmt.Println(answer)
	return nil
}
