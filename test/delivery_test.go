// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// What a collector has accepted becomes one run each, whatever is stopped in between. All rows use one MLflow server, which
// no other test may use because it is killed here.
func TestEveryAcceptedCallIsWrittenOnce(t *testing.T) {
	mlflow, err := testbed.StartMLflow(t.Context(), testbed.MLflowConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mlflow.Stop()) })

	t.Run("when MLflow is killed and started again", func(t *testing.T) {
		persona := newPersona()
		collector := startCollector(t, "otelcol-mlflow.yaml", mlflow.URL)
		calls := startFlow(t, collector, persona)
		waitFor(t, "calls are being written", func() bool { return written(t, mlflow.URL, persona) >= 10 })
		require.NoError(t, mlflow.Kill())
		during := calls.soFar()
		waitFor(t, "calls are accepted without MLflow", func() bool { return calls.soFar() >= during+10 })
		require.NoError(t, mlflow.Restart(t.Context()))
		after := calls.soFar()
		waitFor(t, "calls are accepted with MLflow back", func() bool { return calls.soFar() >= after+10 })
		requireEachOnce(t, collector, mlflow.URL, persona, calls.stop())
	})

	for name, end := range map[string]func(*testbed.Process) error{
		"when the collector is stopped at work and started again": (*testbed.Process).Stop,
		"when the collector is killed at work and started again":  (*testbed.Process).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			persona := newPersona()
			collector := startCollector(t, "otelcol-mlflow.yaml", mlflow.URL)
			var spans []string
			for range 60 { // faster than MLflow takes them
				call := newCall(persona, "What is 2+2?")
				require.NoError(t, collector.SendHTTP(t.Context(), call))
				spans = append(spans, spanID(call))
			}
			waitFor(t, "calls are being written", func() bool { return written(t, mlflow.URL, persona) >= 5 })
			require.NoError(t, end(collector.Process))
			require.Less(t, written(t, mlflow.URL, persona), len(spans), "it was stopped too late to show anything")
			require.NoError(t, collector.Restart(t.Context()))
			requireEachOnce(t, collector, mlflow.URL, persona, spans)
		})
	}

	t.Run("when the collector is stopped and started again while MLflow is down", func(t *testing.T) {
		persona := newPersona()
		collector := startCollector(t, "otelcol-mlflow.yaml", mlflow.URL)
		calls := startFlow(t, collector, persona)
		waitFor(t, "calls are being written", func() bool { return written(t, mlflow.URL, persona) >= 5 })
		require.NoError(t, mlflow.Kill())
		during := calls.soFar()
		waitFor(t, "calls are accepted without MLflow", func() bool { return calls.soFar() >= during+10 })
		require.NoError(t, collector.Stop())
		require.NoError(t, collector.Restart(t.Context()))
		after := calls.soFar()
		waitFor(t, "calls are accepted by the new collector", func() bool { return calls.soFar() >= after+10 })
		spans := calls.stop()
		require.NoError(t, mlflow.Restart(t.Context()))
		requireEachOnce(t, collector, mlflow.URL, persona, spans)
	})
}
