// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// The collector is killed twice between the runs of a request and their traces, which it sends together when the runs are there.
func TestEachRunHasItsTraceWhenTheCollectorIsKilledAtWork(t *testing.T) {
	mlflow := testbed.SharedMLflow(t)
	persona := newPersona()
	collector := startCollector(t, "otelcol-mlflow.yaml", mlflow)
	var spans []string
	for range 2 {
		request := ptrace.NewTraces()
		for range 30 {
			call := newCall(persona, "What is 2+2?")
			spans = append(spans, spanID(call))
			call.ResourceSpans().MoveAndAppendTo(request.ResourceSpans())
		}
		before := written(t, mlflow, persona)
		require.NoError(t, collector.SendHTTP(t.Context(), request))
		waitFor(t, "runs are being written", func() bool { return written(t, mlflow, persona) > before })
		require.NoError(t, collector.Kill())
		runs := runsOf(t, mlflow, persona)
		require.Less(t, len(tracesBeside(t, mlflow, runs)), len(runs), "it was killed too late to show anything")
		require.NoError(t, collector.Restart(t.Context()))
	}
	waitFor(t, "all calls are written", func() bool { return written(t, mlflow, persona) >= len(spans) })
	waitForTraces(t, mlflow, runsOf(t, mlflow, persona))
	requireEachOnce(t, collector, mlflow, persona, spans)
	runs := runsOf(t, mlflow, persona)
	traces := requireTraces(t, mlflow, runs)
	for _, run := range runs {
		require.Equal(t, run.Tags["otel.span_id"], traces[run.ID].Tags["otel.span_id"])
		require.Equal(t, run.Params["prompt"], traces[run.ID].Request)
		require.Equal(t, run.Params["response"], traces[run.ID].Response)
	}
}

// tracesBeside returns all traces in the experiments of runs.
func tracesBeside(t *testing.T, mlflow string, runs []testbed.Run) []testbed.Trace {
	t.Helper()
	var all []testbed.Trace
	for _, id := range experimentsOf(t, mlflow, runs) {
		traces, err := testbed.NewReader(mlflow).Traces(t.Context(), id, "")
		require.NoError(t, err)
		all = append(all, traces...)
	}
	return all
}

// waitForTraces waits until each run is linked to a trace.
func waitForTraces(t *testing.T, mlflow string, runs []testbed.Run) {
	t.Helper()
	experiments := experimentsOf(t, mlflow, runs)
	for _, run := range runs {
		waitFor(t, "run "+run.Name+" has its trace", func() bool { return len(linked(t, mlflow, experiments[run.Experiment], run)) > 0 })
	}
}

// requireTraces returns the trace of each run, by the run's id. It requires that each is linked to one, which is no other's,
// and that their experiments have no more.
func requireTraces(t *testing.T, mlflow string, runs []testbed.Run) map[string]testbed.Trace {
	t.Helper()
	experiments := experimentsOf(t, mlflow, runs)
	traces := make(map[string]testbed.Trace)
	ids := make(map[string]bool)
	for _, run := range runs {
		found := linked(t, mlflow, experiments[run.Experiment], run)
		require.Len(t, found, 1, "traces of run %s", run.Name)
		traces[run.ID] = found[0]
		ids[found[0].ID] = true
	}
	require.Len(t, ids, len(runs), "a trace is that of two runs")
	require.Len(t, tracesBeside(t, mlflow, runs), len(runs))
	return traces
}

// linked returns the traces that are linked to a run.
func linked(t *testing.T, mlflow, experimentID string, run testbed.Run) []testbed.Trace {
	t.Helper()
	traces, err := testbed.NewReader(mlflow).Traces(t.Context(), experimentID, "attributes.run_id = '"+run.ID+"'")
	require.NoError(t, err)
	return traces
}

// experimentsOf returns the ids of the experiments that runs are in, by name.
func experimentsOf(t *testing.T, mlflow string, runs []testbed.Run) map[string]string {
	t.Helper()
	ids := make(map[string]string)
	for _, run := range runs {
		if _, known := ids[run.Experiment]; !known {
			experiment, err := testbed.NewReader(mlflow).ExperimentByName(t.Context(), run.Experiment)
			require.NoError(t, err)
			ids[run.Experiment] = experiment.ID
		}
	}
	return ids
}
