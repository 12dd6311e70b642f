// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// What the first release left in its queue is written by this one.
func TestQueueOfTheFirstReleaseIsRead(t *testing.T) {
	mlflow := testbed.SharedMLflow(t)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "storage"), os.DirFS(filepath.Join("testdata", "queue-v0.1.0", "storage"))))
	collector, err := testbed.StartCollector(t.Context(), testbed.CollectorConfig{
		Configs: []string{shippedConfig(t, "otelcol-mlflow.yaml")},
		Env:     []string{"MLFLOW_TRACKING_URI=" + mlflow},
		Dir:     dir,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, collector.Stop()) })

	waitFor(t, "the queue's calls are written", func() bool {
		return slices.IndexFunc(runsOf(t, mlflow, "queue_fixture"), func(r testbed.Run) bool { return r.Status == "RUNNING" }) < 0 &&
			len(runsOf(t, mlflow, "queue_fixture")) == 3
	})
	prompts := make(map[string]string) // span id → prompt
	for _, run := range runsOf(t, mlflow, "queue_fixture") {
		assert.Equal(t, "queue_fixture_2026-11-23", run.Experiment)
		prompts[run.Tags["otel.span_id"]] = run.Params["prompt"]
	}
	assert.Equal(t, "What is 2+2?", prompts["eee19b7ec3c1b101"])
	assert.Equal(t, "Grüße, 世界 🌍", prompts["eee19b7ec3c1b102"])
	assert.Contains(t, prompts["eee19b7ec3c1b103"], "A long one: la la")
}
