// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package trackingtest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// FinishedRun is all that is written about a run.
type FinishedRun struct {
	tracking.NewRun
	Params  []tracking.KeyValue
	Metrics []tracking.Metric
	Status  tracking.Status
	EndTime int64 // milliseconds since the epoch
}

// Write writes a run to an experiment and returns its id.
type Write func(ctx context.Context, experiment tracking.Experiment, run FinishedRun) (id string, err error)

// ByREST writes a run with the three calls that it takes.
func ByREST(client *tracking.Client) Write {
	return func(ctx context.Context, experiment tracking.Experiment, run FinishedRun) (string, error) {
		run.ExperimentID = experiment.ID
		id, err := client.CreateRun(ctx, run.NewRun)
		if err == nil {
			err = client.LogBatch(ctx, id, run.Params, run.Metrics)
		}
		if err == nil {
			err = client.UpdateRun(ctx, id, run.Status, run.EndTime)
		}
		return id, err
	}
}

const (
	runStart = 1795417592000
	runEnd   = 1795417593500
)

// Twins are runs that show how each kind of value is written.
var Twins = map[string]FinishedRun{
	"a call": {
		NewRun: tracking.NewRun{
			Name: "gpt-4o · Hi", User: "ada", StartTime: runStart,
			Tags: []tracking.KeyValue{{Key: "persona_id", Value: "bot"}, {Key: "gen_ai.provider.name", Value: "openai"}, {Key: "mlflow.source.type", Value: "JOB"}},
		},
		Params:  []tracking.KeyValue{{Key: "model", Value: "gpt-4o"}, {Key: "prompt", Value: "Hi"}},
		Metrics: []tracking.Metric{{Key: "latency_ms", Value: 1500.5, Timestamp: runEnd}, {Key: "total_tokens", Value: 12, Timestamp: runEnd}},
		Status:  tracking.StatusFinished, EndTime: runEnd,
	},
	"one that failed": {
		NewRun: tracking.NewRun{Name: "gpt-4o", StartTime: runStart},
		Status: tracking.StatusFailed, EndTime: runStart,
	},
	"texts of every kind": {
		NewRun: tracking.NewRun{
			Name: strings.Repeat("n", 249) + "é", StartTime: runStart,
			Tags: []tracking.KeyValue{{Key: "empty", Value: ""}, {Key: "long", Value: strings.Repeat("é", 5000)}, {Key: "lines", Value: "a\nb\t\\N \\."}},
		},
		Params: []tracking.KeyValue{
			{Key: "empty", Value: ""},
			{Key: "long", Value: strings.Repeat("é", 6000)},
			{Key: "longest/key-é " + strings.Repeat("k", 236), Value: "🙂"},
			{Key: "special", Value: "line\n\"quoted\" <b>&amp;</b> {a,NULL,\"b\"} \\ \r\t 🙂 \u2028 '; DROP TABLE runs; --"},
		},
		Status: tracking.StatusFinished, EndTime: runEnd,
	},
	"numbers of every kind": {
		NewRun: tracking.NewRun{Name: "numbers", StartTime: runStart},
		Metrics: []tracking.Metric{
			{Key: "nan", Value: math.NaN(), Timestamp: runEnd},
			{Key: "inf", Value: math.Inf(1), Timestamp: runEnd},
			{Key: "minus_inf", Value: math.Inf(-1), Timestamp: runEnd},
			{Key: "tiny", Value: math.SmallestNonzeroFloat64, Timestamp: runEnd},
			{Key: "huge", Value: math.MaxFloat64, Timestamp: runEnd},
			{Key: "zero", Value: 0, Timestamp: 0},
			{Key: "negative", Value: -0.1, Timestamp: runEnd, Step: -1},
			{Key: "steps", Value: 3, Timestamp: runEnd, Step: 2},
			{Key: "steps", Value: 1, Timestamp: runEnd + 1, Step: 1},
			{Key: "steps", Value: 2, Timestamp: runEnd, Step: 2},
			{Key: "same", Value: 7, Timestamp: runEnd},
			{Key: "same", Value: 7, Timestamp: runEnd},
		},
		Status: tracking.StatusFinished, EndTime: runEnd,
	},
}

// WriterSuite tests that runs written by whatever way are for MLflow what those are that were written by REST. It leaves
// experiments behind, whose names begin with "conformance-".
func WriterSuite(t *testing.T, endpoint string, write Write) {
	for name, test := range map[string]func(*testing.T, *conformance, Write){
		"runs read as those written by REST":              testTwins,
		"runs are found by what they have":                testSearch,
		"users go on with a run":                          testEdit,
		"a trace is linked to a run":                      testLink,
		"an experiment that is deleted takes no run":      testWriteToDeleted,
		"an experiment that is not there takes no run":    testWriteToNothing,
		"a run that has a key twice can never be written": testKeyTwice,
		"the text of an error has no value of the run":    testWriteErrorText,
	} {
		t.Run(name, func(t *testing.T) { test(t, newConformance(t, endpoint), write) })
	}
}

// newExperiment is an experiment as a writer gets it.
func (c *conformance) newExperiment(t *testing.T) tracking.Experiment {
	return tracking.Experiment{ID: c.experiment(t), Name: c.name}
}

func testTwins(t *testing.T, c *conformance, write Write) {
	experiment := c.newExperiment(t)
	for name, run := range Twins {
		t.Run(name, func(t *testing.T) {
			expected, err := ByREST(c.Client)(t.Context(), experiment, run)
			require.NoError(t, err)
			id, err := write(t.Context(), experiment, run)
			require.NoError(t, err)
			require.NotEqual(t, expected, id)
			require.Equal(t, c.read(t, expected), c.read(t, id))
			for _, m := range run.Metrics {
				require.Equal(t, c.history(t, expected, m.Key), c.history(t, id, m.Key))
			}
		})
	}
}

// read is what MLflow says about a run, without its id.
func (c *conformance) read(t *testing.T, id string) any {
	answer := c.call(t, http.MethodGet, "/api/2.0/mlflow/runs/get?run_id="+id, nil)
	var out map[string]any
	require.NoError(t, json.Unmarshal(bytes.ReplaceAll(answer, []byte(id), []byte("ID")), &out))
	data := out["run"].(map[string]any)["data"].(map[string]any)
	for _, list := range data { // the database gives them in any order
		slices.SortFunc(list.([]any), func(a, b any) int {
			return cmp.Compare(a.(map[string]any)["key"].(string), b.(map[string]any)["key"].(string))
		})
	}
	return out
}

func (c *conformance) history(t *testing.T, id, metric string) []string {
	answer := c.call(t, http.MethodGet, "/api/2.0/mlflow/metrics/get-history?run_id="+id+"&metric_key="+metric, nil)
	var out struct {
		Metrics []json.RawMessage `json:"metrics"`
	}
	require.NoError(t, json.Unmarshal(answer, &out))
	var all []string
	for _, m := range out.Metrics {
		all = append(all, strings.ReplaceAll(string(m), id, "ID"))
	}
	slices.Sort(all)
	return all
}

func testSearch(t *testing.T, c *conformance, write Write) {
	experiment := c.newExperiment(t)
	call, numbers := mustWrite(t, experiment, write, "a call"), mustWrite(t, experiment, write, "numbers of every kind")
	failed, texts := mustWrite(t, experiment, write, "one that failed"), mustWrite(t, experiment, write, "texts of every kind")
	for filter, want := range map[string][]string{
		`tags.persona_id = "bot"`:         {call},
		`params.model = "gpt-4o"`:         {call},
		`params.special LIKE "%🙂%"`:       {texts},
		`metrics.total_tokens > 10`:       {call},
		`metrics.inf > 0`:                 {numbers},
		`metrics.steps = 3`:               {numbers},
		`attributes.status = "FAILED"`:    {failed},
		`attributes.run_name = "numbers"`: {numbers},
		`attributes.start_time = 1795417592000 and tags."mlflow.source.type" = "JOB"`: {call},
	} {
		assert.Equal(t, want, c.search(t, experiment, filter, ""), filter)
	}
	assert.Equal(t, []string{call}, c.search(t, experiment, `metrics.total_tokens > 0`, "metrics.latency_ms DESC"))
	assert.Len(t, c.search(t, experiment, "", "metrics.nan ASC"), 4)
}

func mustWrite(t *testing.T, experiment tracking.Experiment, write Write, twin string) string {
	id, err := write(t.Context(), experiment, Twins[twin])
	require.NoError(t, err)
	return id
}

func (c *conformance) search(t *testing.T, experiment tracking.Experiment, filter, order string) []string {
	in := map[string]any{"experiment_ids": []string{experiment.ID}, "filter": filter}
	if order != "" {
		in["order_by"] = []string{order}
	}
	var out struct {
		Runs []struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"runs"`
	}
	require.NoError(t, json.Unmarshal(c.call(t, http.MethodPost, "/api/2.0/mlflow/runs/search", in), &out))
	ids := make([]string, len(out.Runs))
	for i, r := range out.Runs {
		ids[i] = r.Info.ID
	}
	return ids
}

func testEdit(t *testing.T, c *conformance, write Write) {
	experiment := c.newExperiment(t)
	id := mustWrite(t, experiment, write, "a call")
	reference, err := ByREST(c.Client)(t.Context(), experiment, Twins["a call"])
	require.NoError(t, err)
	for _, run := range []string{reference, id} {
		for call, in := range map[string]map[string]any{
			"runs/set-tag":       {"run_id": run, "key": "verdict", "value": "good"},
			"runs/log-metric":    {"run_id": run, "key": "latency_ms", "value": 1, "timestamp": runEnd + 1, "step": 1},
			"runs/log-parameter": {"run_id": run, "key": "reviewed_by", "value": "ada"},
			"runs/log-batch":     {"run_id": run, "params": []tracking.KeyValue{{Key: "model", Value: "gpt-4o"}}},
			"runs/update":        {"run_id": run, "run_name": "a better name"},
			"runs/delete-tag":    {"run_id": run, "key": "persona_id"},
		} {
			c.call(t, http.MethodPost, "/api/2.0/mlflow/"+call, in)
		}
		require.NoError(t, c.DeleteRun(t.Context(), run))
	}
	require.Empty(t, c.search(t, experiment, "", ""))
	for _, run := range []string{reference, id} {
		require.NoError(t, c.RestoreRun(t.Context(), run))
	}
	require.Equal(t, c.read(t, reference), c.read(t, id))
	require.Len(t, c.search(t, experiment, `attributes.run_name = "a better name" and tags.verdict = "good"`, ""), 2)
}

func testLink(t *testing.T, c *conformance, write Write) {
	experiment := c.newExperiment(t)
	id := mustWrite(t, experiment, write, "a call")
	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("chat gpt-4o")
	var traceID pcommon.TraceID
	var spanID pcommon.SpanID
	_, _ = rand.Read(traceID[:]) // never fails
	_, _ = rand.Read(spanID[:])
	span.SetTraceID(traceID)
	span.SetSpanID(spanID)
	span.SetStartTimestamp(runStart * 1e6)
	span.SetEndTimestamp(runEnd * 1e6)
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	require.NoError(t, err)
	c.send(t, http.MethodPost, "/v1/traces", body, map[string]string{
		"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": experiment.ID,
	})
	trace := "tr-" + traceID.String()
	c.call(t, http.MethodPost, "/api/2.0/mlflow/traces/link-to-run", map[string]any{"trace_ids": []string{trace}, "run_id": id})

	answer := c.call(t, http.MethodPost, "/api/3.0/mlflow/traces/search", map[string]any{
		"locations": []any{map[string]any{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]string{"experiment_id": experiment.ID}}},
		"filter":    "attributes.run_id = '" + id + "'",
	})
	require.Contains(t, string(answer), trace)
}

func testWriteToDeleted(t *testing.T, c *conformance, write Write) {
	experiment := c.newExperiment(t)
	c.post(t, "experiments/delete", `{"experiment_id":"`+experiment.ID+`"}`)
	_, err := write(t.Context(), experiment, Twins["a call"])
	e := asError(t, err)
	assert.True(t, e.Gone, "%v", err)
	assert.Equal(t, tracking.Retryable, e.Class)
	require.NoError(t, c.RestoreExperiment(t.Context(), experiment.ID))
	assert.Empty(t, c.search(t, experiment, "", ""))
	mustWrite(t, experiment, write, "a call")
	assert.Len(t, c.search(t, experiment, "", ""), 1)
}

func testWriteToNothing(t *testing.T, _ *conformance, write Write) {
	_, err := write(t.Context(), tracking.Experiment{ID: "999999999", Name: "nothing"}, Twins["a call"])
	e := asError(t, err)
	assert.True(t, e.Gone, "%v", err)
	assert.Equal(t, tracking.Retryable, e.Class)
}

// keyTwice is refused by MLflow, whatever the values.
func keyTwice(value string) FinishedRun {
	run := Twins["a call"]
	run.Params = []tracking.KeyValue{{Key: "prompt", Value: value}, {Key: "prompt", Value: value}}
	return run
}

func testKeyTwice(t *testing.T, c *conformance, write Write) {
	_, err := write(t.Context(), c.newExperiment(t), keyTwice("Hi"))
	assert.Equal(t, tracking.Permanent, asError(t, err).Class)
}

func testWriteErrorText(t *testing.T, c *conformance, write Write) {
	const secret = "the-launch-code-is-0000"
	_, err := write(t.Context(), c.newExperiment(t), keyTwice(secret))
	require.Error(t, err)
	assert.NotContains(t, fmt.Sprintf("%v %+v", err, err), secret)
}

// call makes a call of the API that must succeed, and returns the answer.
func (c *conformance) call(t *testing.T, method, path string, in any) []byte {
	body, err := json.Marshal(in)
	require.NoError(t, err)
	return c.send(t, method, path, body, map[string]string{"Content-Type": "application/json"})
}

func (c *conformance) send(t *testing.T, method, path string, body []byte, headers map[string]string) []byte {
	req, err := http.NewRequestWithContext(t.Context(), method, c.endpoint+path, bytes.NewReader(body))
	require.NoError(t, err)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", path, answer)
	return answer
}
