// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package trackingtest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// Suite tests that the server at the endpoint does what package tracking and its users rely on. It leaves experiments of
// its own behind, whose names begin with "conformance-".
func Suite(t *testing.T, endpoint string) {
	suite(t, endpoint, map[string]func(*testing.T, *conformance){
		"an experiment is created once":                   testExperiment,
		"a deleted experiment is found and restored":      testDeletedExperiment,
		"a run is written in three calls":                 testRun,
		"values are written as they are":                  testValues,
		"params cannot be changed":                        testChangedParam,
		"two who finish a run at once both may go on":     testSameMoment,
		"what does not exist is said to be gone":          testGone,
		"another path of the server is not taken for it":  testWrongPath,
		"runs are found by when they started":             testRunsByStart,
		"a run that was deleted is not found":             testDeletedRun,
		"a run that was deleted is restored as it was":    testRestoredRun,
		"the text of an error has no value that was sent": testErrorText,
	})
}

func suite(t *testing.T, endpoint string, tests map[string]func(*testing.T, *conformance)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newConformance(t, endpoint)) })
	}
}

// conformance is a client and a name that nobody else uses.
type conformance struct {
	*tracking.Client
	http           *http.Client
	endpoint, name string
}

func newConformance(t *testing.T, endpoint string) *conformance {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	httpClient := &http.Client{Transport: transport}
	return &conformance{
		Client: tracking.NewClient(httpClient, endpoint, ""), http: httpClient, endpoint: endpoint,
		name: "conformance-" + rand.Text(),
	}
}

// post makes a call that the client does not have.
func (c *conformance) post(t *testing.T, call, body string) {
	c.call(t, http.MethodPost, "/api/2.0/mlflow/"+call, json.RawMessage(body))
}

func (c *conformance) experiment(t *testing.T) string {
	id, err := c.CreateExperiment(t.Context(), c.name, []tracking.KeyValue{{Key: "persona_id", Value: "bot"}})
	require.NoError(t, err)
	require.NotEmpty(t, id)
	return id
}

func (c *conformance) run(t *testing.T, experiment string) string {
	id, err := c.CreateRun(t.Context(), tracking.NewRun{
		ExperimentID: experiment, Name: "gpt-4o · Hi", User: "ada", StartTime: 1795417592000,
		Tags: []tracking.KeyValue{{Key: "otel.span_id", Value: "eee19b7ec3c1b170"}, {Key: "otel.trace_id", Value: "5b8e"}},
	})
	require.NoError(t, err)
	require.NotEmpty(t, id)
	return id
}

func asError(t *testing.T, err error) *tracking.Error {
	var e *tracking.Error
	require.ErrorAs(t, err, &e)
	return e
}

func testExperiment(t *testing.T, c *conformance) {
	_, err := c.ExperimentByName(t.Context(), c.name)
	require.True(t, tracking.IsNotFound(err), "%v", err)

	id := c.experiment(t)
	_, err = c.CreateExperiment(t.Context(), c.name, nil)
	require.True(t, tracking.IsAlreadyExists(err), "%v", err)

	found, err := c.ExperimentByName(t.Context(), c.name)
	require.NoError(t, err)
	found.Artifacts = "" // each server has its own
	assert.Equal(t, tracking.Experiment{ID: id, Name: c.name}, found)
}

func testDeletedExperiment(t *testing.T, c *conformance) {
	id := c.experiment(t)
	c.post(t, "experiments/delete", `{"experiment_id":"`+id+`"}`)

	_, err := c.CreateExperiment(t.Context(), c.name, nil)
	require.True(t, tracking.IsAlreadyExists(err), "%v", err)
	found, err := c.ExperimentByName(t.Context(), c.name)
	require.NoError(t, err)
	found.Artifacts = ""
	assert.Equal(t, tracking.Experiment{ID: id, Name: c.name, Deleted: true}, found)

	// MLflow refuses the run. fasttrackml takes it, and has it when the experiment is restored.
	taken, err := c.CreateRun(t.Context(), tracking.NewRun{ExperimentID: id, Tags: []tracking.KeyValue{{Key: "otel.span_id", Value: "1"}}})
	if err != nil {
		e := asError(t, err)
		assert.True(t, e.Gone)
		assert.Equal(t, tracking.Retryable, e.Class)
	}
	require.NoError(t, c.RestoreExperiment(t.Context(), id))
	runs, err := c.RunsByTag(t.Context(), id, "otel.span_id", "1")
	require.NoError(t, err)
	if taken == "" {
		require.Empty(t, runs)
	} else {
		require.Len(t, runs, 1)
	}
	c.run(t, id)
}

func testRun(t *testing.T, c *conformance) {
	experiment := c.experiment(t)
	id := c.run(t, experiment)
	search := func() []tracking.FoundRun {
		runs, err := c.RunsByTag(t.Context(), experiment, "otel.span_id", "eee19b7ec3c1b170")
		require.NoError(t, err)
		return runs
	}
	runs := search()
	require.Len(t, runs, 1)
	assert.Equal(t, id, runs[0].ID)
	assert.Equal(t, tracking.StatusRunning, runs[0].Status)
	assert.Equal(t, "5b8e", runs[0].Tag("otel.trace_id"))
	assert.False(t, runs[0].HasParams)

	params := []tracking.KeyValue{{Key: "model", Value: "gpt-4o"}, {Key: "prompt", Value: "Hi"}}
	metrics := []tracking.Metric{{Key: "latency_ms", Value: 1500.5, Timestamp: 1795417593500}}
	for range 2 { // the second time is a retry
		require.NoError(t, c.LogBatch(t.Context(), id, params, metrics))
		require.NoError(t, c.UpdateRun(t.Context(), id, tracking.StatusFinished, 1795417593500))
	}
	runs = search()
	require.Len(t, runs, 1)
	assert.Equal(t, tracking.StatusFinished, runs[0].Status)
	assert.True(t, runs[0].HasParams)

	runs, err := c.RunsByTag(t.Context(), experiment, "otel.span_id", "0000000000000000")
	require.NoError(t, err)
	assert.Empty(t, runs)
}

func testRunsByStart(t *testing.T, c *conformance) {
	experiment := c.experiment(t)
	const base = 1795417592000
	ids := make([]string, 4)
	for i := range ids {
		var err error
		ids[i], err = c.CreateRun(t.Context(), tracking.NewRun{
			ExperimentID: experiment, StartTime: base + int64(i),
			Tags: []tracking.KeyValue{{Key: "otel.span_id", Value: strconv.Itoa(i)}},
		})
		require.NoError(t, err)
	}
	other, err := c.CreateExperiment(t.Context(), c.name+"-other", nil)
	require.NoError(t, err)
	_, err = c.CreateRun(t.Context(), tracking.NewRun{ExperimentID: other, StartTime: base + 1})
	require.NoError(t, err)
	require.NoError(t, c.LogBatch(t.Context(), ids[2], []tracking.KeyValue{{Key: "model", Value: "gpt-4o"}}, nil))
	require.NoError(t, c.UpdateRun(t.Context(), ids[2], tracking.StatusFinished, base+5))

	runs, all, err := c.RunsByStart(t.Context(), experiment, base+1, base+2, 3)
	require.NoError(t, err)
	require.True(t, all)
	slices.SortFunc(runs, func(a, b tracking.FoundRun) int { return strings.Compare(a.Tag("otel.span_id"), b.Tag("otel.span_id")) })
	require.Len(t, runs, 2)
	assert.Equal(t, ids[1], runs[0].ID)
	assert.Equal(t, tracking.StatusRunning, runs[0].Status)
	assert.False(t, runs[0].HasParams)
	assert.Equal(t, ids[2], runs[1].ID)
	assert.Equal(t, tracking.StatusFinished, runs[1].Status)
	assert.True(t, runs[1].HasParams)

	require.NoError(t, c.DeleteRun(t.Context(), ids[3]))
	runs, all, err = c.RunsByStart(t.Context(), experiment, base+2, base+9, 100)
	require.NoError(t, err)
	require.True(t, all)
	require.Len(t, runs, 1, "what is deleted is not active")

	runs, all, err = c.RunsByStart(t.Context(), experiment, base, base+9, 2)
	require.NoError(t, err)
	assert.False(t, all)
	require.Len(t, runs, 2, "the latest")
	assert.Equal(t, []int64{base + 2, base + 1}, []int64{runs[0].Start, runs[1].Start})
}

func testValues(t *testing.T, c *conformance) {
	id := c.run(t, c.experiment(t))
	long := strings.Repeat("é", 6000)
	require.NoError(t, c.LogBatch(t.Context(), id, []tracking.KeyValue{
		{Key: "prompt", Value: "line\n\"quoted\" <b>&amp;</b> \\ 🙂 \u2028"}, {Key: "response", Value: long},
	}, nil))
	// The same values are taken again, so they are stored as they were sent.
	require.NoError(t, c.LogBatch(t.Context(), id, []tracking.KeyValue{
		{Key: "prompt", Value: "line\n\"quoted\" <b>&amp;</b> \\ 🙂 \u2028"}, {Key: "response", Value: long},
	}, nil))
}

// testSameMoment has two collectors finish the same half-written run, which is no reason for either to give up on it.
func testSameMoment(t *testing.T, c *conformance) {
	experiment := c.experiment(t)
	params := []tracking.KeyValue{{Key: "model", Value: "gpt-4o"}, {Key: "prompt", Value: "Hi"}}
	metrics := []tracking.Metric{{Key: "latency_ms", Value: 1500.5, Timestamp: 1795417593500}}
	for range 20 {
		id := c.run(t, experiment)
		var writing sync.WaitGroup
		for range 4 {
			writing.Go(func() {
				err := c.LogBatch(t.Context(), id, params, metrics)
				assert.True(t, err == nil || asError(t, err).Class == tracking.Retryable, "%v", err)
			})
		}
		writing.Wait()
		require.NoError(t, c.LogBatch(t.Context(), id, params, metrics))
	}
}

func testChangedParam(t *testing.T, c *conformance) {
	id := c.run(t, c.experiment(t))
	require.NoError(t, c.LogBatch(t.Context(), id, []tracking.KeyValue{{Key: "prompt", Value: "a"}}, nil))
	err := c.LogBatch(t.Context(), id, []tracking.KeyValue{{Key: "prompt", Value: "b"}}, nil)
	assert.Equal(t, tracking.Permanent, asError(t, err).Class)
}

func testGone(t *testing.T, c *conformance) {
	_, err := c.CreateRun(t.Context(), tracking.NewRun{ExperimentID: "999999999"})
	assert.True(t, asError(t, err).Gone, "%v", err)
	const noRun = "0123456789abcdef0123456789abcdef"
	err = c.LogBatch(t.Context(), noRun, []tracking.KeyValue{{Key: "a", Value: "b"}}, nil)
	assert.True(t, asError(t, err).Gone, "%v", err)
	err = c.UpdateRun(t.Context(), noRun, tracking.StatusFinished, 1)
	assert.True(t, asError(t, err).Gone, "%v", err)
}

func testWrongPath(t *testing.T, c *conformance) {
	wrong := tracking.NewClient(c.http, c.endpoint+"/wrong/path", "")
	_, err := wrong.CreateRun(t.Context(), tracking.NewRun{ExperimentID: "1"})
	e := asError(t, err)
	assert.Equal(t, tracking.Retryable, e.Class)
	assert.False(t, e.Gone)
	assert.Contains(t, err.Error(), "`endpoint`")
}

func testDeletedRun(t *testing.T, c *conformance) {
	experiment := c.experiment(t)
	id := c.run(t, experiment)
	require.NoError(t, c.DeleteRun(t.Context(), id))
	runs, err := c.RunsByTag(t.Context(), experiment, "otel.span_id", "eee19b7ec3c1b170")
	require.NoError(t, err)
	assert.Empty(t, runs)
	err = c.LogBatch(t.Context(), id, []tracking.KeyValue{{Key: "a", Value: "b"}}, nil)
	assert.True(t, asError(t, err).Gone, "%v", err)
}

func testRestoredRun(t *testing.T, c *conformance) {
	experiment := c.experiment(t)
	id := c.run(t, experiment)
	require.NoError(t, c.UpdateRun(t.Context(), id, tracking.StatusFinished, 1795417593500))
	require.NoError(t, c.DeleteRun(t.Context(), id))
	require.NoError(t, c.RestoreRun(t.Context(), id))
	runs, err := c.RunsByTag(t.Context(), experiment, "otel.span_id", "eee19b7ec3c1b170")
	require.NoError(t, err)
	require.Len(t, runs, 1)
	assert.Equal(t, id, runs[0].ID)
	assert.Equal(t, tracking.StatusFinished, runs[0].Status)
}

func testErrorText(t *testing.T, c *conformance) {
	const secret = "the-launch-code-is-0000"
	id := c.run(t, c.experiment(t))
	values := []tracking.KeyValue{{Key: "prompt", Value: secret}}
	require.NoError(t, c.LogBatch(t.Context(), id, values, nil))
	values[0].Value += "!"
	err := errors.Join(
		c.LogBatch(t.Context(), id, values, nil),
		c.LogBatch(t.Context(), id, []tracking.KeyValue{{Key: "not a key @", Value: secret}}, nil),
	)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), secret)
}
