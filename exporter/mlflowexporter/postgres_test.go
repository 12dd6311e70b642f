// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadatatest"
	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/run"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
)

// databaseBench is an exporter before a real MLflow with PostgreSQL.
type databaseBench struct {
	*testing.T
	url    string
	dsn    configopaque.String
	reader *testbed.Reader
	name   string // of the test's persona, and in its experiments' names
}

func TestPostgres(t *testing.T) {
	url, database := testbed.SharedMLflow(t), testbed.SharedPostgres(t)
	require.NoError(t, testbed.RunScript(t.Context(), database, "deploy/postgres/role.sql"))
	for name, test := range map[string]func(databaseBench){
		"both stores write the same":                  testStoresWriteTheSame,
		"requests are counted":                        testRequestsAreCounted,
		"a span that comes again is found":            testFoundInDatabase,
		"a call that panics is rejected by itself":    testPanicInBatch,
		"an experiment that is deleted while in use":  testDeletedInUse,
		"a database that is not that of the endpoint": testOtherDatabase,
	} {
		t.Run(name, func(t *testing.T) {
			test(databaseBench{
				T: t, url: url, dsn: configopaque.String(testbed.DSN(database, "otelcol_mlflow")),
				reader: testbed.NewReader(url), name: rand.Text(),
			})
		})
	}
}

// open starts an exporter that writes to experiments of the test.
func (d databaseBench) open(store StoreType) *bench {
	return newBench(d.T, func(c *Config) {
		c.ClientConfig.Endpoint = d.url
		// The server outlives the test, and nothing that confighttp makes can close its idle connections.
		c.ClientConfig.Keepalive.Get().IdleConnTimeout = time.Millisecond
		c.Experiment.Name = string(store) + "_{persona_id}"
		if c.Store.Type = store; store == StorePostgres {
			c.Store.DSN = d.dsn
		}
	})
}

// runs are those that a store has written, by their spans.
func (d databaseBench) runs(store StoreType) map[string]testbed.Run {
	all, err := d.reader.Runs(d.Context(), `tags.persona_id = "`+d.name+`"`)
	require.NoError(d, err)
	runs := make(map[string]testbed.Run)
	for _, r := range all {
		if r.Experiment != string(store)+"_"+d.name {
			continue
		}
		span := r.Tags[run.TagTraceID] + "/" + r.Tags[run.TagSpanID]
		require.NotContains(d, runs, span, "a span has two runs")
		r.ID, r.Experiment = "", ""
		runs[span] = r
	}
	return runs
}

func (d databaseBench) requireRuns(want int) { require.Len(d, d.runs(StorePostgres), want) }

func testStoresWriteTheSame(d databaseBench) {
	calls := llmCalls(3, d.name)
	spans := calls.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	spans.At(1).Status().SetCode(ptrace.StatusCodeError)
	spans.At(1).Status().SetMessage("no\x00 \xff luck\n\\N\t{}")
	spans.At(1).Attributes().PutStr(semconv.ErrorType, "timeout")
	spans.At(2).Attributes().PutStr(semconv.GenAIInputMessages,
		`[{"role":"user","parts":[{"type":"text","content":"`+strings.Repeat(`é\u0000🙂\\N\t`, 4000)+`"}]}]`)
	spans.At(2).Attributes().PutStr(semconv.UserID, "ada 🙂")
	spans.At(2).Attributes().PutDouble(semconv.TokenCostUSD, 1e-300)
	for _, store := range []StoreType{StoreREST, StorePostgres} {
		b := d.open(store)
		require.NoError(d, b.push(d.Context(), calls))
		metadatatest.AssertEqualMlflowRunsWritten(d.T, b.telemetry, count(3), metricdatatest.IgnoreTimestamp())
	}
	d.requireRuns(3)
	require.Equal(d, d.runs(StoreREST), d.runs(StorePostgres))
}

func testRequestsAreCounted(d databaseBench) {
	b := d.open(StorePostgres)
	require.NoError(d, b.push(d.Context(), llmCalls(3, d.name)))
	assert.EqualValues(d, 1, requests(d.T, b)["postgres ok"])
}

// TestPanicInABatchCostsOneRun: which it is cannot be known when they are written together.
func TestPanicInABatchCostsOneRun(t *testing.T) {
	runs := []postgres.Run{{ID: "1"}, {ID: "2"}, {ID: "3"}}
	results := writeProtected(runs, func(runs []postgres.Run) []postgres.Result {
		if slices.ContainsFunc(runs, func(r postgres.Run) bool { return r.ID == "2" }) {
			panic("of ours")
		}
		return make([]postgres.Result, len(runs))
	})
	assert.Equal(t, []postgres.Result{{}, {Err: errPanic}, {}}, results)
}

func testFoundInDatabase(d databaseBench) {
	calls := llmCalls(5, d.name)
	require.NoError(d, d.open(StorePostgres).push(d.Context(), calls))
	other := d.open(StorePostgres) // another collector
	require.NoError(d, other.push(d.Context(), calls))
	d.requireRuns(5)
	metadatatest.AssertEqualMlflowRunsFound(d.T, other.telemetry, count(5), metricdatatest.IgnoreTimestamp())
}

func testPanicInBatch(d databaseBench) {
	b := d.open(StorePostgres)
	calls := b.calls(d.Context(), llmCalls(3, d.name))
	b.resolve(d.Context(), calls)
	entries := b.entries(d.Context(), calls)
	entries[1].build = func() (run.Run, error) { return run.Run{}, errPanic }
	b.store.write(d.Context(), entries)
	d.requireRuns(2)
	metadatatest.AssertEqualMlflowRunsRejected(d.T, b.telemetry, count(1, attribute.String("reason", rejectedInternal)), metricdatatest.IgnoreTimestamp())
}

func testDeletedInUse(d databaseBench) {
	b := d.open(StorePostgres)
	calls := llmCalls(3, d.name)
	require.NoError(d, b.push(d.Context(), calls))
	experiment, err := d.reader.ExperimentByName(d.Context(), "postgres_"+d.name)
	require.NoError(d, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(d.url+"/api/2.0/mlflow/experiments/delete", "application/json", strings.NewReader(`{"experiment_id":"`+experiment.ID+`"}`))
	require.NoError(d, err)
	require.NoError(d, resp.Body.Close())

	err = b.push(d.Context(), calls)
	require.Len(d, failed(d.T, err), 3)
	require.ErrorContains(d, err, "was deleted")
	require.NoError(d, b.push(d.Context(), calls)) // the experiment is restored, by REST
	d.requireRuns(3)
}

// testOtherDatabase writes to a database in which the experiment's id is that of another.
func testOtherDatabase(d databaseBench) {
	b := d.open(StorePostgres)
	experiment, err := d.reader.ExperimentByName(d.Context(), "Default")
	require.NoError(d, err)
	b.experiments.byName.Add("postgres_"+d.name, resolved{tracking.Experiment{ID: experiment.ID, Name: "postgres_" + d.name}, time.Now()})
	err = b.push(d.Context(), llmCalls(2, d.name))
	require.Len(d, failed(d.T, err), 2)
	require.ErrorContains(d, err, "`store::dsn` is not the database of the server at `endpoint`")
	d.requireRuns(0)
}
