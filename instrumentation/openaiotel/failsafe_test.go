// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// brokenProvider is a tracing pipeline with a bug: one of its methods panics.
type brokenProvider struct {
	embedded.TracerProvider
	broken string
}

func (p brokenProvider) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return brokenTracer{broken: p.broken}
}

type brokenTracer struct {
	embedded.Tracer
	broken string
}

func (t brokenTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	if t.broken == "Start" {
		panic("What is 2+2?")
	}
	return ctx, brokenSpan{broken: t.broken}
}

type brokenSpan struct {
	noop.Span
	broken string
}

func (s brokenSpan) IsRecording() bool {
	if s.broken == "IsRecording" {
		panic(errors.New("What is 2+2?"))
	}
	return true
}

func (s brokenSpan) SetAttributes(...attribute.KeyValue) {
	if s.broken == "SetAttributes" {
		_ = make([]int, -len(s.broken))
	}
}

func (s brokenSpan) End(...trace.SpanEndOption) {
	if s.broken == "End" {
		panic("What is 2+2?")
	}
}

func TestPanicInsideStaysInside(t *testing.T) {
	for _, broken := range []string{"Start", "IsRecording", "SetAttributes", "End"} {
		for name, answer := range map[string]answer{"whole": jsonAnswer(plainAnswer), "stream": streamAnswer(plainStream(true))} {
			t.Run(broken+"/"+name, func(t *testing.T) {
				var handled []error
				otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { handled = append(handled, err) }))
				middleware := openaiotel.Middleware(openaiotel.WithTracerProvider(brokenProvider{broken: broken}),
					openaiotel.WithContent(openaiotel.ContentSpan))
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(plainRequest))
				require.NoError(t, err)
				res, err := middleware(req, func(sent *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(sent.Body)
					require.NoError(t, err)
					require.Equal(t, plainRequest, string(body))
					return answer.respond(sent)
				})
				require.NoError(t, err)
				require.Equal(t, answer.body, string(readAll(t, res)))
				require.NotEmpty(t, handled)
				for _, err := range handled {
					require.ErrorContains(t, err, "openaiotel: panic while ")
					require.NotContains(t, err.Error(), "2+2")
				}
			})
		}
	}
}

func TestPanicOfTheErrorHandlerStaysInside(t *testing.T) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { panic("handler") }))
	t.Cleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
	req, err := http.NewRequest(http.MethodPost, "https://api.openai.com/v1/chat/completions", http.NoBody)
	require.NoError(t, err)
	_, err = openaiotel.Middleware(openaiotel.WithTracerProvider(brokenProvider{broken: "Start"}))(req,
		func(*http.Request) (*http.Response, error) { return nil, nil })
	require.NoError(t, err)
}

func TestPanicOfTheTransportIsTheApplications(t *testing.T) {
	req, err := http.NewRequest(http.MethodPost, "https://api.openai.com/v1/chat/completions", http.NoBody)
	require.NoError(t, err)
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		_, _ = newRecorder(t).middleware()(req, func(*http.Request) (*http.Response, error) { panic(http.ErrAbortHandler) })
	})
}
