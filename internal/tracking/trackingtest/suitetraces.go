// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package trackingtest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// SuiteTraces tests that the server at the endpoint takes traces and artifacts.
func SuiteTraces(t *testing.T, endpoint string) {
	suite(t, endpoint, map[string]func(*testing.T, *conformance){
		"a trace is sent, linked and judged, and again":       testTrace,
		"traces of an experiment that does not exist":         testTraceWithoutExperiment,
		"a prompt that is not in the registry is not shown":   testUnknownPrompt,
		"an artifact is written, and again":                   testArtifact,
		"an artifact's name does not leave the run's folder":  testArtifactName,
		"a client of a server without methods is told of it":  testUnsupported,
		"a second assessment of an id leaves the first there": testAssessment,
	})
}

// SuiteNoTraces tests that a client is told that the server at the endpoint takes no traces.
func SuiteNoTraces(t *testing.T, endpoint string) {
	suite(t, endpoint, map[string]func(*testing.T, *conformance){
		"traces are unsupported": func(t *testing.T, c *conformance) {
			traces, _ := oneSpan()
			err := c.SendTraces(t.Context(), c.experiment(t), traces)
			assert.True(t, tracking.IsUnsupported(err), "%v", err)
		},
	})
}

// oneSpan is a trace, and its id in MLflow.
func oneSpan() (ptrace.Traces, string) {
	var traceID pcommon.TraceID
	_, _ = rand.Read(traceID[:]) // never fails
	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(traceID)
	span.SetSpanID([8]byte(traceID[:8]))
	span.SetName("chat gpt-4o")
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(-time.Second)))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	return traces, tracking.TraceID(traceID)
}

// traceInfo is what a search says of a trace.
type traceInfo struct {
	ID          string       `json:"trace_id"`
	State       string       `json:"state"`
	Assessments []Assessment `json:"assessments"`
}

// tracesOf searches the traces of a run.
func (c *conformance) tracesOf(t *testing.T, experiment, run string) []traceInfo {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"locations": []any{map[string]any{
			"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]string{"experiment_id": experiment},
		}},
		"filter": "attributes.run_id = '" + run + "'",
	})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.endpoint+"/api/3.0/mlflow/traces/search", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", answer)
	var out struct {
		Traces []traceInfo `json:"traces"`
	}
	require.NoError(t, json.Unmarshal(answer, &out))
	return out.Traces
}

func testTrace(t *testing.T, c *conformance) {
	experiment := c.experiment(t)
	run := c.run(t, experiment)
	assert.Empty(t, c.tracesOf(t, experiment, run))
	traces, id := oneSpan()
	for range 2 { // the second time is a retry
		require.NoError(t, c.SendTraces(t.Context(), experiment, traces))
		require.NoError(t, c.LinkTrace(t.Context(), id, run))
		require.NoError(t, c.LinkPrompt(t.Context(), id, tracking.PromptVersion{Name: "greeting", Version: "3"}))
	}
	found := c.tracesOf(t, experiment, run)
	require.Len(t, found, 1)
	assert.Equal(t, id, found[0].ID)
	assert.Equal(t, "OK", found[0].State)
	assert.Empty(t, found[0].Assessments)
}

func testAssessment(t *testing.T, c *conformance) {
	experiment := c.experiment(t)
	run := c.run(t, experiment)
	traces, id := oneSpan()
	require.NoError(t, c.SendTraces(t.Context(), experiment, traces))
	require.NoError(t, c.LinkTrace(t.Context(), id, run))
	judgement := tracking.Assessment{
		ID: "a-" + rand.Text(), TraceID: id, Name: "relevance", Value: 0.5, Rationale: "on topic", Source: "judge", At: time.Now(),
	}
	for range 2 {
		require.NoError(t, c.Assess(t.Context(), judgement))
	}
	found := c.tracesOf(t, experiment, run)
	require.Len(t, found, 1)
	require.Len(t, found[0].Assessments, 1)
	assert.Equal(t, "relevance", found[0].Assessments[0].Name)
	assert.InDelta(t, 0.5, found[0].Assessments[0].Feedback.Value, 0)
	assert.Equal(t, "on topic", found[0].Assessments[0].Rationale)
}

func testTraceWithoutExperiment(t *testing.T, c *conformance) {
	traces, _ := oneSpan()
	err := c.SendTraces(t.Context(), "999999999", traces)
	require.Error(t, err)
	assert.False(t, tracking.IsUnsupported(err))
}

func testUnknownPrompt(t *testing.T, c *conformance) {
	err := c.ShowPrompt(t.Context(), c.name, "1")
	assert.True(t, tracking.IsNotFound(err), "%v", err)
}

func testArtifact(t *testing.T, c *conformance) {
	c.experiment(t)
	experiment, err := c.ExperimentByName(t.Context(), c.name)
	require.NoError(t, err)
	require.True(t, experiment.TakesArtifacts())
	run := c.run(t, experiment.ID)
	for range 2 {
		require.NoError(t, c.PutArtifact(t.Context(), experiment, run, "prompt.txt", "What is 2+2? 🙂"))
	}
}

func testArtifactName(t *testing.T, c *conformance) {
	c.experiment(t)
	experiment, err := c.ExperimentByName(t.Context(), c.name)
	require.NoError(t, err)
	run := c.run(t, experiment.ID)
	require.Error(t, c.PutArtifact(t.Context(), experiment, run, "../../../escaped.txt", "x"))
}

func testUnsupported(t *testing.T, c *conformance) {
	traces, _ := oneSpan()
	err := tracking.NewClient(c.http, c.endpoint+"/wrong/path", "").SendTraces(t.Context(), "1", traces)
	assert.True(t, tracking.IsUnsupported(err), "%v", err)
}
