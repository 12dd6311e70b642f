// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command batch makes a span of every line of a batch that is over:
//
//	go run ./examples/batch batch_abc123
//
// A persona is in the metadata of a line's request, or in its custom_id before a colon ("tech_educator:42"). Set
// OPENAI_API_KEY.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
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
	if len(os.Args) != 2 {
		return errors.New("usage: batch BATCH_ID")
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithInsecure())
	if err != nil {
		return fmt.Errorf("creating the exporter: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	defer provider.Shutdown(ctx) //nolint:errcheck // there is nobody left to tell
	spans := openaiotel.WithTracerProvider(provider)

	client := openai.NewClient(option.WithMiddleware(openaiotel.Middleware(spans)))
	batch, err := client.Batches.Get(ctx, os.Args[1])
	if err != nil {
		return err
	}
	if batch.CompletedAt == 0 {
		return fmt.Errorf("the batch is %s", batch.Status)
	}
	input, err := download(ctx, client, batch.InputFileID)
	if err != nil {
		return err
	}
	defer os.Remove(input.Name())
	defer input.Close()
	recorded := 0
	for _, id := range []string{batch.OutputFileID, batch.ErrorFileID} {
		if id == "" {
			continue // no line succeeded, or none failed
		}
		output, err := client.Files.Content(ctx, id)
		if err != nil {
			return err
		}
		n, err := openaiotel.RecordBatch(ctx, openaiotel.Batch{
			ID: batch.ID, Endpoint: batch.Endpoint,
			CreatedAt: time.Unix(batch.CreatedAt, 0), CompletedAt: time.Unix(batch.CompletedAt, 0),
			Persona: persona,
		}, input, output.Body, spans)
		output.Body.Close()
		recorded += n
		if err != nil {
			return err
		}
	}
	fmt.Println(recorded, "calls recorded")
	return nil
}

// persona is what a custom_id has before its colon.
func persona(customID string) string {
	id, _, found := strings.Cut(customID, ":")
	if !found {
		return ""
	}
	return id
}

// download keeps a file on disk, where lines can be looked up.
func download(ctx context.Context, client openai.Client, id string) (*os.File, error) {
	content, err := client.Files.Content(ctx, id)
	if err != nil {
		return nil, err
	}
	defer content.Body.Close()
	file, err := os.CreateTemp("", "batch-*.jsonl")
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(file, content.Body)
	return file, err
}
