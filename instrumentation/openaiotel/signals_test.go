// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/log/embedded"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv/semconvtest"
)

// point is one time series of a histogram.
type point struct {
	Count  uint64
	Sum    float64
	Attrs  map[string]any
	Bounds int
}

// collect returns the histograms by name, without the sums of durations.
func collect(t testing.TB, reader *sdkmetric.ManualReader) map[string][]point {
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	got := make(map[string][]point)
	for _, scope := range all.ScopeMetrics {
		require.Equal(t, openaiotel.ScopeName, scope.Scope.Name)
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				require.Equal(t, "s", m.Unit)
				for _, p := range data.DataPoints {
					require.GreaterOrEqual(t, p.Sum, 0.0)
					got[m.Name] = append(got[m.Name], point{Count: p.Count, Attrs: attributeMap(t, p.Attributes), Bounds: len(p.Bounds)})
				}
			case metricdata.Histogram[int64]:
				require.Equal(t, "{token}", m.Unit)
				for _, p := range data.DataPoints {
					got[m.Name] = append(got[m.Name], point{Count: p.Count, Sum: float64(p.Sum), Attrs: attributeMap(t, p.Attributes), Bounds: len(p.Bounds)})
				}
			}
		}
	}
	return got
}

func attributeMap(t testing.TB, set attribute.Set) map[string]any {
	require.NoError(t, semconvtest.CheckAttributes(set.ToSlice()))
	got := make(map[string]any)
	for _, kv := range set.ToSlice() {
		got[string(kv.Key)] = kv.Value.AsInterface()
	}
	return got
}

func TestMetrics(t *testing.T) {
	common := func(more map[string]any) map[string]any {
		attrs := map[string]any{
			"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
			"gen_ai.response.model": "gpt-4o-mini-2024-07-18", "server.address": "api.openai.com", "server.port": int64(443),
		}
		maps.Copy(attrs, more)
		return attrs
	}
	reader := sdkmetric.NewManualReader()
	meter := openaiotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	// Metrics count every call, also those that no span is sampled for.
	unsampled := openaiotel.WithTracerProvider(noop.NewTracerProvider())
	for _, opts := range [][]openaiotel.Option{{meter}, {meter, unsampled}} {
		r := newRecorder(t)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(plainRequest))
		require.NoError(t, err)
		res, err := openaiotel.Middleware(append([]openaiotel.Option{openaiotel.WithTracerProvider(r)}, opts...)...)(req, streamAnswer(plainStream(true)).respond)
		require.NoError(t, err)
		readAll(t, res)
	}
	require.Equal(t, map[string][]point{
		"gen_ai.client.operation.duration": {{Count: 2, Attrs: common(nil), Bounds: 14}},
		"gen_ai.client.token.usage": {
			{Count: 2, Sum: 48, Attrs: common(map[string]any{"gen_ai.token.type": "input"}), Bounds: 14},
			{Count: 2, Sum: 18, Attrs: common(map[string]any{"gen_ai.token.type": "output"}), Bounds: 14},
		},
		"gen_ai.client.operation.time_to_first_chunk":   {{Count: 2, Attrs: common(nil), Bounds: 14}},
		"gen_ai.client.operation.time_per_output_chunk": {{Count: 10, Attrs: common(nil), Bounds: 14}},
	}, sorted(collect(t, reader)))
}

// sorted puts the input before the output.
func sorted(points map[string][]point) map[string][]point {
	tokens := points["gen_ai.client.token.usage"]
	if len(tokens) == 2 && tokens[0].Attrs["gen_ai.token.type"] == "output" {
		tokens[0], tokens[1] = tokens[1], tokens[0]
	}
	return points
}

func TestMetricsOfFailures(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meter := openaiotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	observed(t.Context(), t, http.MethodPost, "https://api.openai.com/v1/chat/completions", plainRequest, errorAnswer(500, `{}`), meter)
	observed(t.Context(), t, http.MethodGet, "https://api.openai.com/v1/batches/batch_1", "", jsonAnswer(`{"object":"batch"}`), meter)
	got := collect(t, reader)
	require.Len(t, got, 1, "absent usage is not zero, and a batch calls no model")
	require.Equal(t, "500", got["gen_ai.client.operation.duration"][0].Attrs["error.type"])
}

func TestChunksAllocateNothing(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	r := newRecorder(t)
	chunk := chunk("chatcmpl-1", `"choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]`)
	body := &endless{chunk: []byte(chunk)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(plainRequest))
	require.NoError(t, err)
	res, err := r.middleware(openaiotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))(req,
		func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body}, nil
		})
	require.NoError(t, err)
	p := make([]byte, 4096)
	_, _ = res.Body.Read(p)
	_, _ = res.Body.Read(p)
	require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = res.Body.Read(p) }))
	require.NoError(t, res.Body.Close())
}

// endless is a stream of one chunk, for ever.
type endless struct{ chunk []byte }

func (e *endless) Read(p []byte) (int, error) { return copy(p, e.chunk), nil }
func (e *endless) Close() error               { return nil }

// logs is a logger provider that keeps what it gets.
type logs struct {
	embedded.LoggerProvider
	records []log.Record
	spans   []trace.SpanContext
}

type logger struct {
	embedded.Logger
	*logs
}

func (l *logs) Logger(string, ...log.LoggerOption) log.Logger { return logger{logs: l} }

func (l logger) Enabled(context.Context, log.EnabledParameters) bool { return true }

func (l logger) Emit(ctx context.Context, record log.Record) {
	l.records = append(l.records, record)
	l.spans = append(l.spans, trace.SpanContextFromContext(ctx))
}

func TestContentInEvents(t *testing.T) {
	for mode, onSpan := range map[openaiotel.ContentMode]bool{openaiotel.ContentEvent: false, openaiotel.ContentSpanAndEvent: true} {
		var l logs
		r := observed(t.Context(), t, http.MethodPost, "https://api.openai.com/v1/chat/completions", plainRequest, jsonAnswer(toolAnswer),
			openaiotel.WithContent(mode), openaiotel.WithLoggerProvider(&l))
		_, found := r.recordedOne(t).Attributes["gen_ai.output.messages"]
		require.Equal(t, onSpan, found)

		require.Len(t, l.records, 1)
		require.Equal(t, "gen_ai.client.inference.operation.details", l.records[0].EventName())
		require.Equal(t, r.spans.Ended()[0].SpanContext(), l.spans[0])
		got := make(map[string]attribute.Value)
		l.records[0].WalkAttributes(func(kv attribute.KeyValue) bool {
			require.NoError(t, semconvtest.CheckAttributes([]attribute.KeyValue{kv}))
			got[string(kv.Key)] = kv.Value
			return true
		})
		require.Equal(t, "gpt-4o-mini", got["gen_ai.request.model"].AsString())
		require.Equal(t, int64(50), got["gen_ai.usage.input_tokens"].AsInt64())
		require.Equal(t, attribute.SliceValue(attribute.MapValue(
			attribute.String("role", "assistant"),
			attribute.KeyValue{Key: "parts", Value: attribute.SliceValue(
				attribute.MapValue(attribute.String("type", "tool_call"), attribute.String("id", "call_1"), attribute.String("name", "get_sum"),
					attribute.KeyValue{Key: "arguments", Value: attribute.MapValue(attribute.Int("a", 2), attribute.Int("b", 2))}),
				attribute.MapValue(attribute.String("type", "tool_call"), attribute.String("id", "call_2"), attribute.String("name", "get_time"),
					attribute.String("arguments", "not JSON")),
			)},
			attribute.String("finish_reason", "tool_calls"),
		)), got["gen_ai.output.messages"])
	}
}
