// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
	"github.com/otelcol-mlflow/otelcol-mlflow/processor/tokenprocessor/internal/metadatatest"
)

var update = flag.Bool("update", false, "write what the processor makes of the input to the expected golden files")

// The names of the spans in testdata say what happens to them.
func TestSpans(t *testing.T) {
	for name, configure := range map[string]func(*Config){
		"default": func(*Config) {},
		"cost": func(c *Config) {
			c.Pricing = PricingConfig{Enabled: true, File: filepath.Join("testdata", "cost", "prices.json")}
			c.Models = map[string]string{"prod-chat": "gpt-4o-mini"}
		},
		"zeros_reported": func(c *Config) { c.ZeroUsage = genai.ZeroUsageReported },
		"models": func(c *Config) {
			c.Models = map[string]string{"prod-chat": "gpt-4o", "legacy-chat": "cl100k_base", "gpt-4": "gpt-5-mini"}
		},
		"fallback":     func(c *Config) { c.FallbackEncoding = tiktoken.O200kBase },
		"persona":      func(c *Config) { c.Persona = PersonaConfig{Attributes: []string{"bot"}, Default: "nobody"} },
		"lower_bounds": func(c *Config) { c.LowerBounds = true },
		"vendors":      func(c *Config) { c.Vendors = []string{"anthropic"} },
		"too_long":     func(c *Config) { c.MaxContentBytes = 160 },
		"too_long_bound": func(c *Config) {
			c.MaxContentBytes = 160
			c.LowerBounds = true
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := createDefaultConfig().(*Config)
			config.Pricing.Enabled = false
			configure(config)
			require.NoError(t, config.Validate())
			got := process(t, config, readTraces(t, name, "input.yaml"))

			expected := filepath.Join("testdata", name, "expected.yaml")
			if *update {
				require.NoError(t, golden.WriteTraces(t, expected, got))
			}
			require.NoError(t, ptracetest.CompareTraces(readTraces(t, name, "expected.yaml"), got))
		})
	}
}

func TestTelemetrySaysWhatWasFilledAndWhatNot(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	defer func() { require.NoError(t, telemetry.Shutdown(t.Context())) }()
	p, err := NewFactory().CreateTraces(t.Context(), metadatatest.NewSettings(telemetry), createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.ConsumeTraces(t.Context(), readTraces(t, "default", "input.yaml")))

	point := func(side, key, value string, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{
			Attributes: attribute.NewSet(attribute.String("side", side), attribute.String(key, value)),
			Value:      n,
		}
	}
	metadatatest.AssertEqualTokenCountsFilled(t, telemetry, []metricdata.DataPoint[int64]{
		point("input", "source", "counted", 5),
		point("input", "source", "estimated", 3),
		point("output", "source", "estimated", 3),
		point("output", "source", "partial", 2),
	}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualTokenCountsMissing(t, telemetry, []metricdata.DataPoint[int64]{
		point("input", "reason", "failed", 1),
		point("output", "reason", "failed", 1),
		point("input", "reason", "no_content", 2),
		point("output", "reason", "no_content", 1),
		point("output", "reason", "reasoning", 2),
		point("input", "reason", "unknown_model", 2),
		point("output", "reason", "unknown_model", 2),
	}, metricdatatest.IgnoreTimestamp())
}

// brokenCounter is a bug.
type brokenCounter struct{}

func (brokenCounter) Count(text string) int { panic(text) }

func TestBugCostsNoSpan(t *testing.T) {
	for name, counter := range map[string]func(tiktoken.Encoding) (framing.Counter, error){
		"panic": func(tiktoken.Encoding) (framing.Counter, error) { return brokenCounter{}, nil },
		"error": func(tiktoken.Encoding) (framing.Counter, error) { return nil, errors.New("no vocabulary") },
	} {
		t.Run(name, func(t *testing.T) {
			telemetry := componenttest.NewTelemetry()
			defer func() { require.NoError(t, telemetry.Shutdown(t.Context())) }()
			core, logs := observer.New(zap.DebugLevel)
			set := metadatatest.NewSettings(telemetry)
			set.Logger = zap.New(core)
			config := createDefaultConfig().(*Config)
			config.Pricing.Enabled = false
			p, err := newProcessor(set, config)
			require.NoError(t, err)
			p.counter = counter

			traces := ptrace.NewTraces()
			spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
			chat("a secret", "another secret").CopyTo(spans.AppendEmpty())
			reported(chat("a secret", "another secret")).CopyTo(spans.AppendEmpty())
			want := ptrace.NewTraces()
			traces.CopyTo(want)
			want.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1).Attributes().PutStr(semconv.PersonaID, "unknown")

			got, err := p.processTraces(t.Context(), traces)
			require.NoError(t, err)
			require.NoError(t, ptracetest.CompareTraces(want, got))
			require.Equal(t, 1, logs.Len())
			require.NotContains(t, fmt.Sprint(logs.All()[0]), "secret")
			metadatatest.AssertEqualTokenSpansFailed(t, telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp())
		})
	}
}

func TestShutdown(t *testing.T) {
	processortest.VerifyShutdown(t, NewFactory(), createDefaultConfig())
}

func FuzzProcessor(f *testing.F) {
	for _, name := range []string{"default", "models", "fallback"} {
		traces, err := golden.ReadTraces(filepath.Join("testdata", name, "input.yaml"))
		require.NoError(f, err)
		for _, span := range traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			seed := ptrace.NewTraces()
			span.CopyTo(seed.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
			document, err := (&ptrace.JSONMarshaler{}).MarshalTraces(seed)
			require.NoError(f, err)
			f.Add(document)
		}
	}
	config := createDefaultConfig().(*Config)
	config.FallbackEncoding = tiktoken.O200kBase
	core, logs := observer.New(zap.ErrorLevel)
	set := processortest.NewNopSettings(NewFactory().Type())
	set.Logger = zap.New(core)
	p, err := newProcessor(set, config)
	require.NoError(f, err)

	f.Fuzz(func(t *testing.T, document []byte) {
		traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(document)
		if err != nil {
			return
		}
		spans := traces.SpanCount()
		once, err := p.processTraces(t.Context(), traces)
		require.NoError(t, err)
		require.Equal(t, spans, once.SpanCount())

		twice := ptrace.NewTraces()
		once.CopyTo(twice)
		twice, err = p.processTraces(t.Context(), twice)
		require.NoError(t, err)
		require.Equal(t, once, twice, "a second processor has nothing to do")
		require.Empty(t, logs.TakeAll(), "no failure is logged")
	})
}

func TestContentIsCountedUpToTheLimit(t *testing.T) {
	traces := readTraces(t, "too_long", "input.yaml")
	config := createDefaultConfig().(*Config)
	config.MaxContentBytes = len(messages("user", "What is 2+2?")) + len(`[{"role":"assistant","parts":[{"type":"text","content":"2 + 2 = 4"}],"finish_reason":"stop"}]`)
	got := process(t, config, traces).ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	_, counted := got.Attributes().Get(semconv.TokenInputSource)
	require.True(t, counted)
}

func BenchmarkProcessor(b *testing.B) {
	for _, benchmark := range []struct {
		name    string
		span    ptrace.Span
		pricing bool
		content int // bytes that are counted
	}{
		{"with counts, not priced", reported(chat(prose(2<<10), prose(2<<10))), false, 0},
		{"with counts, priced", reported(chat(prose(2<<10), prose(2<<10))), true, 0},
		{"1 KB counted and priced", chat(prose(512), prose(512)), true, 1 << 10},
		{"4 KB counted and priced", chat(prose(2<<10), prose(2<<10)), true, 4 << 10},
		{"64 KB counted and priced", chat(prose(32<<10), prose(32<<10)), true, 64 << 10},
	} {
		b.Run(benchmark.name, func(b *testing.B) {
			config := createDefaultConfig().(*Config)
			config.Pricing.Enabled = benchmark.pricing
			p, err := newProcessor(processortest.NewNopSettings(NewFactory().Type()), config)
			require.NoError(b, err)
			traces := batch(benchmark.span)
			span := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
			span.Attributes().PutStr(semconv.PersonaID, "tech_educator")
			before := span.Attributes().Len()
			b.SetBytes(int64(benchmark.content))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.processTraces(b.Context(), traces); err != nil {
					b.Fatal(err)
				}
				if span.Attributes().Len() > before { // what was written stands behind what was there
					i := 0
					span.Attributes().RemoveIf(func(string, pcommon.Value) bool { i++; return i > before })
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "spans/s")
		})
	}
}

func process(t *testing.T, config *Config, traces ptrace.Traces) ptrace.Traces {
	t.Helper()
	sink := &consumertest.TracesSink{}
	p, err := NewFactory().CreateTraces(t.Context(), processortest.NewNopSettings(NewFactory().Type()), config, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeTraces(t.Context(), traces))
	require.NoError(t, p.Shutdown(t.Context()))
	require.Len(t, sink.AllTraces(), 1)
	return sink.AllTraces()[0]
}

func readTraces(t *testing.T, name ...string) ptrace.Traces {
	t.Helper()
	traces, err := golden.ReadTraces(filepath.Join(append([]string{"testdata"}, name...)...))
	require.NoError(t, err)
	return traces
}

// chat is the span of a call without usage.
func chat(question, answer string) ptrace.Span {
	span := ptrace.NewSpan()
	attributes := span.Attributes()
	attributes.PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	attributes.PutStr(semconv.GenAIProviderName, semconv.ProviderOpenAI)
	attributes.PutStr(semconv.GenAIRequestModel, "gpt-4o-mini")
	attributes.PutStr(semconv.GenAIResponseModel, "gpt-4o-mini-2024-07-18")
	attributes.PutStr(semconv.GenAIInputMessages, messages("user", question))
	attributes.PutStr(semconv.GenAIOutputMessages, messages("assistant", answer))
	return span
}

func reported(span ptrace.Span) ptrace.Span {
	span.Attributes().PutInt(semconv.GenAIUsageInputTokens, 9)
	span.Attributes().PutInt(semconv.GenAIUsageOutputTokens, 2)
	return span
}

func messages(role, text string) string {
	return fmt.Sprintf(`[{"role":%q,"parts":[{"type":"text","content":%q}]}]`, role, text)
}

func prose(size int) string {
	const sentence = "The committee met on Tuesday to discuss the proposal, and nobody could agree on what had been decided. "
	return strings.Repeat(sentence, size/len(sentence)+1)[:size]
}
