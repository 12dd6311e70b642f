// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shippedConfig is the path of a config that is shipped.
func shippedConfig(t *testing.T, name string) string {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	return filepath.Join(root, "deploy", "collector", name)
}

// startCollector starts the built collector with a shipped config, or with several, separated by spaces. It tries again sooner than that says, because a test
// waits for it.
func startCollector(t *testing.T, config, mlflow string, env ...string) *testbed.Collector {
	t.Helper()
	var configs []string
	for name := range strings.FieldsSeq(config) {
		configs = append(configs, shippedConfig(t, name))
	}
	collector, err := testbed.StartCollector(t.Context(), testbed.CollectorConfig{
		Configs: configs,
		Set:     []string{"exporters.mlflow.retry_on_failure={initial_interval: 200ms, max_interval: 1s}"},
		Env:     append(env, "MLFLOW_TRACKING_URI="+mlflow),
		Dir:     t.TempDir(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, collector.Stop()) })
	return collector
}

// waitFor polls until a condition holds.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !condition() {
		require.False(t, time.Now().After(deadline), "waited two minutes for: %s", what)
		<-time.After(100 * time.Millisecond)
	}
}

// runsOf returns the runs of a persona.
func runsOf(t *testing.T, mlflow, persona string) []testbed.Run {
	t.Helper()
	runs, err := testbed.NewReader(mlflow).Runs(t.Context(), `tags.persona_id = "`+persona+`"`)
	require.NoError(t, err)
	return runs
}

// written is how many runs of a persona are finished.
func written(t *testing.T, mlflow, persona string) int {
	t.Helper()
	n := 0
	for _, run := range runsOf(t, mlflow, persona) {
		if run.Status == "FINISHED" {
			n++
		}
	}
	return n
}

// requireEachOnce waits until the runs of a persona are those of the spans, each finished and none twice. It stops the
// collector, so that nothing more can come.
func requireEachOnce(t *testing.T, collector *testbed.Collector, mlflow, persona string, spans []string) {
	t.Helper()
	waitFor(t, "all accepted calls are written", func() bool { return written(t, mlflow, persona) >= len(spans) })
	require.NoError(t, collector.Stop())
	var found []string
	for _, run := range runsOf(t, mlflow, persona) {
		require.Equal(t, "FINISHED", run.Status)
		found = append(found, run.Tags["otel.span_id"])
	}
	slices.Sort(found)
	require.Equal(t, slices.Sorted(slices.Values(spans)), found)
}
