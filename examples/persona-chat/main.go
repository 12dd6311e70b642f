// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command persona-chat lets three personas answer with two OpenAI models, and sends every call as an OpenTelemetry span to
// a collector. It shows what an application adds to be seen in MLflow: the middleware and one WithPersona per request.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// flushTimeout bounds how long the program waits for the collector when it ends.
const flushTimeout = 10 * time.Second

func main() {
	log.SetFlags(0)
	if err := start(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func start(out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	provider, err := newTracerProvider(ctx)
	if err != nil {
		return fmt.Errorf("setting up tracing: %w", err)
	}
	defer func() {
		// A lost trace is worth a line, and no reason for the program to fail.
		flushCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := provider.Shutdown(flushCtx); err != nil {
			log.Printf("sending the last spans: %v", err)
		}
	}()
	return run(ctx, provider, out)
}

// newTracerProvider sends spans by OTLP over HTTP to the collector that the OTEL_EXPORTER_OTLP_* variables name, or else
// to the one on this machine.
func newTracerProvider(ctx context.Context) (*sdktrace.TracerProvider, error) {
	var opts []otlptracehttp.Option
	if cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) == "" {
		opts = append(opts, otlptracehttp.WithEndpointURL("http://localhost:4318/v1/traces"))
	}
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, err
	}
	res, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("persona-chat")),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(), // last, so that OTEL_SERVICE_NAME wins
	)
	if err != nil {
		return nil, err
	}
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res)), nil
}

// run makes all calls and prints a line for each. It returns an error when a call did not end as it should.
// The client reads OPENAI_API_KEY and OPENAI_BASE_URL; opts are added to what it reads.
func run(ctx context.Context, provider trace.TracerProvider, out io.Writer, opts ...option.RequestOption) error {
	instrumented := option.WithMiddleware(openaiotel.Middleware(
		openaiotel.WithTracerProvider(provider),
		// Prompts and answers stay in the application unless it says so. Here they are what there is to see.
		openaiotel.WithContent(openaiotel.ContentSpan),
	))
	c := chat{
		client: openai.NewClient(append(opts, instrumented)...),
		tracer: provider.Tracer("persona-chat"),
		out:    out,
	}
	return c.runScript(ctx)
}
