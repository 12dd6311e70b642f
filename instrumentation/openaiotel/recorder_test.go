// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv/semconvtest"
)

// recorder is a tracer provider that keeps what its spans were told, and counts the calls of End, which the SDK's own
// recorder does not.
type recorder struct {
	trace.TracerProvider
	spans   *tracetest.SpanRecorder
	ends    atomic.Int64
	ended   chan struct{} // one value per ended span
	handled atomic.Int64  // errors that the instrumentation reported
}

func newRecorder(t testing.TB) *recorder {
	r := &recorder{spans: tracetest.NewSpanRecorder(), ended: make(chan struct{}, 100)}
	r.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		r.handled.Add(1)
		t.Logf("handled: %v", err)
	}))
	t.Cleanup(func() {
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
		// Whatever a test is about, its spans are those of the conventions.
		for _, s := range r.spans.Ended() {
			require.NoError(t, semconvtest.CheckSpan(s, "team"), s.Name()) // the attributes that tests add begin so
		}
	})
	return r
}

func (r *recorder) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return &recordingTracer{r.TracerProvider.Tracer(name, opts...), r}
}

type recordingTracer struct {
	trace.Tracer
	recorder *recorder
}

func (t *recordingTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, span := t.Tracer.Start(ctx, name, opts...)
	return ctx, &recordingSpan{span, t.recorder}
}

type recordingSpan struct {
	trace.Span
	recorder *recorder
}

func (s *recordingSpan) End(opts ...trace.SpanEndOption) {
	s.Span.End(opts...)
	s.recorder.ends.Add(1)
	s.recorder.ended <- struct{}{}
}

func (r *recorder) middleware(opts ...openaiotel.Option) middleware {
	return openaiotel.Middleware(append(opts, openaiotel.WithTracerProvider(r))...)
}

func (r *recorder) transport(base http.RoundTripper, opts ...openaiotel.Option) http.RoundTripper {
	return openaiotel.NewTransport(base, append(opts, openaiotel.WithTracerProvider(r))...)
}

// span is all that the instrumentation says in a span.
type span struct {
	Name       string
	Attributes map[string]any
	Status     sdktrace.Status
}

// failed is the status of a span that says why.
func failed(description string) sdktrace.Status {
	return sdktrace.Status{Code: codes.Error, Description: description}
}

// recorded returns the ended spans without the attributes of the test server and without the time to the first chunk, which
// must be there for streams only.
func (r *recorder) recorded(t testing.TB) []span {
	t.Helper()
	require.Zero(t, r.handled.Load(), "errors were reported")
	stubs := tracetest.SpanStubsFromReadOnlySpans(r.spans.Ended())
	require.Len(t, r.spans.Started(), len(stubs), "spans are not ended")
	require.EqualValues(t, len(stubs), r.ends.Load(), "spans ended more than once")
	spans := make([]span, 0, len(stubs))
	for _, stub := range stubs {
		require.Equal(t, trace.SpanKindClient, stub.SpanKind)
		require.Empty(t, stub.Events)
		require.Empty(t, stub.Links)
		require.Equal(t, openaiotel.ScopeName, stub.InstrumentationScope.Name)
		require.Equal(t, openaiotel.Version, stub.InstrumentationScope.Version)
		s := span{Name: stub.Name, Attributes: make(map[string]any), Status: stub.Status}
		for _, a := range stub.Attributes {
			require.NotContains(t, s.Attributes, string(a.Key))
			s.Attributes[string(a.Key)] = a.Value.AsInterface()
		}
		if seconds, ok := s.Attributes["gen_ai.response.time_to_first_chunk"]; ok {
			require.Positive(t, seconds)
			delete(s.Attributes, "gen_ai.response.time_to_first_chunk")
		}
		spans = append(spans, s)
	}
	return spans
}

func (r *recorder) recordedOne(t testing.TB) span {
	t.Helper()
	spans := r.recorded(t)
	require.Len(t, spans, 1)
	return spans[0]
}

// attributes merges what every test server call has with what is particular to a test.
func attributes(server *httptest.Server, particular map[string]any) map[string]any {
	merged := map[string]any{
		"gen_ai.operation.name": "chat",
		"gen_ai.provider.name":  "openai",
		"openai.api.type":       "chat_completions",
	}
	if server != nil {
		u, _ := url.Parse(server.URL)
		port, _ := strconv.ParseInt(u.Port(), 10, 64)
		merged["server.address"], merged["server.port"] = u.Hostname(), port
	}
	maps.Copy(merged, particular)
	return merged
}
