// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// A worker behind a queue inherits the persona of whoever queued its task, by baggage in the message.
func TestWorkerInheritsThePersonaByBaggage(t *testing.T) {
	python, err := testbed.Made(".tools/apps/bin/python", ".tools/apps")
	require.NoError(t, err)
	mlflow := testbed.SharedMLflow(t)
	api := openaitest.NewServer()
	t.Cleanup(api.Close)
	collector := startCollector(t, "otelcol-mlflow.yaml", mlflow)
	persona := newPersona()
	script := filepath.Join("apps", "queue_worker.py")

	var queue bytes.Buffer
	enqueue := exec.Command(python, script, "enqueue", persona+"_educator", persona+"_creator")
	enqueue.Env, enqueue.Stdout, enqueue.Stderr = append(testbed.CleanEnv(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+collector.HTTP), &queue, os.Stderr
	require.NoError(t, enqueue.Run())
	require.Equal(t, 2, strings.Count(queue.String(), "\n"))
	worker := exec.Command(python, script, "work")
	worker.Stdin = &queue
	runApp(t, worker, api, collector)

	runs := runsOfApp(t, mlflow, persona, collector, 2)
	requireBilled(t, api.Calls(), runs)
	var personas []string
	for _, run := range runs {
		personas = append(personas, run.Params["persona_id"])
		require.Equal(t, "what is a token?", run.Params["prompt"])
		require.NotEmpty(t, run.Params["response"])
		require.Equal(t, runs[0].Tags["otel.trace_id"], run.Tags["otel.trace_id"], "the trace of the request goes on")
	}
	require.ElementsMatch(t, []string{persona + "_educator", persona + "_creator"}, personas)
}

// What the documentation shows is what the test above runs.
func TestDocumentationShowsTheWorkerThatRuns(t *testing.T) {
	script, err := os.ReadFile(filepath.Join("apps", "queue_worker.py"))
	require.NoError(t, err)
	documentation, err := os.ReadFile(filepath.Join("..", "docs", "instrumenting.md"))
	require.NoError(t, err)
	parts := regexp.MustCompile(`(?s)( *)# docs: \w+\n(.*?)\n *# docs: end`).FindAllStringSubmatch(string(script), -1)
	require.Len(t, parts, 3)
	for _, part := range parts {
		shown := strings.ReplaceAll("\n"+part[2], "\n"+part[1], "\n")
		require.Contains(t, string(documentation), shown)
	}
}
