// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/pricing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/processor/tokenprocessor/internal/metadatatest"
)

func TestCostByDefault(t *testing.T) {
	table, err := pricing.Embedded()
	require.NoError(t, err)
	span := process(t, createDefaultConfig().(*Config), batch(reported(chat("", "")))).ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)

	require.InDelta(t, 9*0.15e-6+2*0.60e-6, costOf(t, span), 1e-18)
	source, _ := span.Attributes().Get(semconv.TokenCostSource)
	require.Equal(t, fmt.Sprintf("openai/gpt-4o-mini (%s, %s)", table.Name(), table.Date().Format(time.DateOnly)), source.Str())
}

func TestPriceFileIsReadAgainWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		telemetry := componenttest.NewTelemetry()
		defer func() { require.NoError(t, telemetry.Shutdown(t.Context())) }()
		core, logs := observer.New(zap.InfoLevel)
		set := metadatatest.NewSettings(telemetry)
		set.Logger = zap.New(core)
		path := filepath.Join(t.TempDir(), "prices.json")
		write := func(document string) { require.NoError(t, os.WriteFile(path, []byte(document), 0o600)) }
		write(perToken("1"))
		sink := &consumertest.TracesSink{}
		p := started(t, set, path, sink)
		defer func() { require.NoError(t, p.Shutdown(t.Context())) }()

		cost := func() float64 {
			sink.Reset()
			require.NoError(t, p.ConsumeTraces(t.Context(), batch(reported(chat("", "")))))
			return costOf(t, sink.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0))
		}
		loads := func(success, failure int64) {
			points := []metricdata.DataPoint[int64]{{Attributes: attribute.NewSet(attribute.String("outcome", "success")), Value: success}}
			if failure > 0 {
				points = append(points, metricdata.DataPoint[int64]{Attributes: attribute.NewSet(attribute.String("outcome", "failure")), Value: failure})
			}
			metadatatest.AssertEqualTokenPriceFileLoads(t, telemetry, points, metricdatatest.IgnoreTimestamp())
		}
		pass := func() {
			time.Sleep(lookEvery)
			synctest.Wait()
		}
		require.InEpsilon(t, 11.0, cost(), 1e-12)
		pass()
		loads(1, 0)

		write(perToken("10"))
		require.InEpsilon(t, 11.0, cost(), 1e-12, "not yet looked at")
		pass()
		require.InEpsilon(t, 110.0, cost(), 1e-12)
		loads(2, 0)

		write(`{"gpt-4o-mini": {"input_cost_per_token": 5}}`)
		pass()
		pass()
		require.InEpsilon(t, 110.0, cost(), 1e-12, "the last good one stays")
		loads(2, 1)

		require.NoError(t, os.Remove(path))
		pass()
		pass()
		require.InEpsilon(t, 110.0, cost(), 1e-12)
		loads(2, 2)

		write(perToken("2.5"))
		pass()
		require.InEpsilon(t, 27.5, cost(), 1e-12)
		loads(3, 2)

		var messages []string
		for _, entry := range logs.All() {
			messages = append(messages, entry.Level.String()+" "+entry.Message+" "+fmt.Sprint(entry.ContextMap()["error"]))
		}
		require.Equal(t, []string{
			"info Read the changed `pricing::file` <nil>",
			"warn Failed to read the changed `pricing::file`, the prices read before stay in use " + path + ": a price table of LiteLLM: model \"gpt-4o-mini\": `litellm_provider` is missing",
			"warn Failed to read the changed `pricing::file`, the prices read before stay in use stat " + path + ": no such file or directory",
			"info Read the changed `pricing::file` <nil>",
		}, messages)
	})
}

func TestStartFailsWithoutTheFile(t *testing.T) {
	folder := t.TempDir()
	bad := filepath.Join(folder, "bad.json")
	require.NoError(t, os.WriteFile(bad, []byte(`[{"id": "openai"}]`), 0o600))
	large := filepath.Join(folder, "large.json")
	require.NoError(t, os.WriteFile(large, nil, 0o600))
	require.NoError(t, os.Truncate(large, maxFile+1))
	for path, want := range map[string]string{
		filepath.Join(folder, "none.json"): "`pricing::file`: stat " + filepath.Join(folder, "none.json") + ": no such file or directory",
		bad:                                "`pricing::file`: " + bad + ": no model has a price in it",
		large:                              "`pricing::file`: " + large + " has more than 64 MiB",
		folder:                             "is a directory",
	} {
		config := createDefaultConfig().(*Config)
		config.Pricing.File = path
		p, err := NewFactory().CreateTraces(t.Context(), processortest.NewNopSettings(NewFactory().Type()), config, consumertest.NewNop())
		require.NoError(t, err)
		require.ErrorContains(t, p.Start(t.Context(), componenttest.NewNopHost()), want)
		require.NoError(t, p.Shutdown(t.Context()))
	}
}

func TestTelemetryOfCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that the clock stands still
		telemetry := componenttest.NewTelemetry()
		defer func() { require.NoError(t, telemetry.Shutdown(t.Context())) }()
		p := started(t, metadatatest.NewSettings(telemetry), filepath.Join("testdata", "cost", "prices.json"), consumertest.NewNop())
		defer func() { require.NoError(t, p.Shutdown(t.Context())) }()
		known := reported(chat("", ""))
		known.Attributes().PutStr(semconv.GenAIRequestModel, "gpt-4")
		known.Attributes().PutStr(semconv.GenAIResponseModel, "gpt-4-0613")
		require.NoError(t, p.ConsumeTraces(t.Context(), batch(known)))
		require.NoError(t, p.ConsumeTraces(t.Context(), readTraces(t, "cost", "input.yaml")))

		point := func(key, value string, n int64) metricdata.DataPoint[int64] {
			return metricdata.DataPoint[int64]{Attributes: attribute.NewSet(attribute.String(key, value)), Value: n}
		}
		metadatatest.AssertEqualTokenSpansPriced(t, telemetry, []metricdata.DataPoint[int64]{
			point("table", "embedded", 1),
			point("table", "file", 8),
		}, metricdatatest.IgnoreTimestamp())
		metadatatest.AssertEqualTokenSpansUnpriced(t, telemetry, []metricdata.DataPoint[int64]{
			point("reason", "bad_usage", 1),
			point("reason", "no_price", 1),
			point("reason", "no_usage", 1),
			point("reason", "partial", 2),
			point("reason", "unknown_model", 2),
			point("reason", "unknown_tier", 1),
		}, metricdatatest.IgnoreTimestamp())
		table, err := pricing.Embedded()
		require.NoError(t, err)
		metadatatest.AssertEqualTokenPriceTableAge(t, telemetry, []metricdata.DataPoint[int64]{
			point("table", "embedded", int64(time.Since(table.Date()).Seconds())),
			point("table", "file", int64(time.Since(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)).Seconds())),
		}, metricdatatest.IgnoreTimestamp())
	})
}

// started returns a running processor with a price file.
func started(t *testing.T, set processor.Settings, path string, next consumer.Traces) processor.Traces {
	t.Helper()
	config := createDefaultConfig().(*Config)
	config.Pricing.File = path
	p, err := NewFactory().CreateTraces(t.Context(), set, config, next)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	return p
}

// perToken is a table in which a token costs so many dollars.
func perToken(dollars string) string {
	return `{"gpt-4o-mini": {"litellm_provider": "openai", "input_cost_per_token": ` + dollars + `, "output_cost_per_token": ` + dollars + `}}`
}

func batch(span ptrace.Span) ptrace.Traces {
	traces := ptrace.NewTraces()
	span.CopyTo(traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
	return traces
}

func costOf(t *testing.T, span ptrace.Span) float64 {
	t.Helper()
	cost, ok := span.Attributes().Get(semconv.TokenCostUSD)
	require.True(t, ok)
	return cost.Double()
}
