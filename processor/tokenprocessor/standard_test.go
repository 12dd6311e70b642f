// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

// TestStandardNamesChangeNoRun exports the spans of every dialect as they are and as they leave the processor.
func TestStandardNamesChangeNoRun(t *testing.T) {
	inputs, err := filepath.Glob("../../internal/genai/testdata/*/*.otlp.json")
	require.NoError(t, err)
	written, added := 0, 0
	for _, input := range inputs {
		t.Run(strings.TrimSuffix(filepath.Base(input), ".otlp.json"), func(t *testing.T) {
			document, err := os.ReadFile(input)
			require.NoError(t, err)
			traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(document)
			require.NoError(t, err)
			config := createDefaultConfig().(*Config)
			config.Pricing.Enabled = false
			config.MaxContentBytes = 1 // nothing is filled in
			processed := ptrace.NewTraces()
			traces.CopyTo(processed)
			processed = process(t, config, processed)
			added += attributes(processed) - attributes(traces)
			runs := export(t, traces)
			written += len(runs)
			require.Equal(t, runs, export(t, processed))
		})
	}
	require.Greater(t, written, len(inputs)/2)
	require.Greater(t, added, 3*len(inputs), "the spans were given standard names")
}

// attributes is how many the spans have.
func attributes(traces ptrace.Traces) int {
	n := 0
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				n += span.Attributes().Len()
			}
		}
	}
	return n
}

// export returns the runs that the exporter writes, without the ids that the server gives; experiments have their names.
func export(t *testing.T, traces ptrace.Traces) []trackingtest.Run {
	t.Helper()
	fake := trackingtest.NewFake()
	defer fake.Close()
	factory := mlflowexporter.NewFactory()
	config := factory.CreateDefaultConfig().(*mlflowexporter.Config)
	config.ClientConfig.Endpoint = fake.URL
	e, err := factory.CreateTraces(t.Context(), exportertest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	copied := ptrace.NewTraces()
	traces.CopyTo(copied)
	require.NoError(t, e.ConsumeTraces(t.Context(), copied))
	require.NoError(t, e.Shutdown(t.Context()))
	runs := fake.Runs()
	slices.SortFunc(runs, func(a, b trackingtest.Run) int {
		return strings.Compare(a.Tags["otel.span_id"], b.Tags["otel.span_id"])
	})
	names := map[string]string{}
	for _, experiment := range fake.Experiments() {
		names[experiment.ID] = experiment.Name
	}
	for i := range runs {
		runs[i].ID, runs[i].ExperimentID = "", names[runs[i].ExperimentID]
	}
	return runs
}

func TestSpanThatRepeatsACallIsMarkedAndLeftAlone(t *testing.T) {
	span := ptrace.NewSpan()
	span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationGenerateContent)
	span.Attributes().PutStr("gcp.vertex.agent.event_id", "e")
	span.Attributes().PutInt("gen_ai.usage.prompt_tokens", 9)
	want := span.Attributes().AsRaw()
	want[semconv.TokenAggregate] = true
	got := process(t, createDefaultConfig().(*Config), batch(span)).ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	require.Equal(t, want, got.Attributes().AsRaw())
}
