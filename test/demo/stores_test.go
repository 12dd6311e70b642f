// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chromium

package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// TestPagesShowRunsOfBothStoresAlike writes each call of the example twice, by MLflow's API and to its database, and reads the
// same pages about both.
func TestPagesShowRunsOfBothStoresAlike(t *testing.T) {
	servers, err := testbed.StartServers(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, servers.Stop()) })
	require.NoError(t, testbed.RunScript(t.Context(), servers.Postgres.URI, "deploy/postgres/role.sql"))
	example, err := testbed.Made("_build/persona-chat", "programs")
	require.NoError(t, err)
	root, err := testbed.Root()
	require.NoError(t, err)
	collector, err := testbed.StartCollector(t.Context(), testbed.CollectorConfig{
		Configs: []string{filepath.Join(root, "deploy", "collector", "otelcol-mlflow.yaml")},
		Env:     []string{"MLFLOW_TRACKING_URI=" + servers.MLflow.URL, "MLFLOW_EXPERIMENT_NAME=calls_rest"},
		Set: []string{
			"exporters.mlflow.traces.enabled=false",
			fmt.Sprintf("exporters.mlflow/sql={endpoint: %q, experiment: {name: calls_sql}, traces: {enabled: false}, store: {type: postgres, dsn: %q}}",
				servers.MLflow.URL, servers.Postgres.DSN("otelcol_mlflow")),
			"service.pipelines.traces.exporters=[mlflow, mlflow/sql, forward/calls]",
		},
		Dir: t.TempDir(),
	})
	require.NoError(t, err)
	s := &stack{out: t.Output(), mlflow: servers.MLflow, collector: collector, example: example, standIn: openaitest.NewServer()}
	t.Cleanup(func() {
		s.standIn.Close()
		require.NoError(t, collector.Stop())
	})
	calls, err := s.runExample(t.Context())
	require.NoError(t, err)
	var runs []testbed.Run
	require.Eventually(t, func() bool {
		runs, err = s.reader().Runs(t.Context(), "")
		return err != nil || ended(runs) == 2*len(calls)
	}, time.Minute, 100*time.Millisecond)
	require.NoError(t, err)

	browser := startBrowser(t, servers.MLflow.URL)
	require.NoError(t, chromedp.Do(browser, chromedp.EmulateViewport(3600, 1200))) // so wide that no column is left out
	a, b := askedTwice(t, runs)
	failed := runs[slices.IndexFunc(runs, func(run testbed.Run) bool { return run.Status == "FAILED" })]
	texts := make(map[string][]string) // of the pages, by store
	for _, store := range []string{"rest", "sql"} {
		experiment, err := s.reader().ExperimentByName(t.Context(), "calls_"+store)
		require.NoError(t, err)
		written := func(call testbed.Run) testbed.Run {
			i := slices.IndexFunc(runs, func(run testbed.Run) bool {
				return run.Experiment == experiment.Name && run.Tags["otel.span_id"] == call.Tags["otel.span_id"]
			})
			require.GreaterOrEqual(t, i, 0)
			return runs[i]
		}
		a, b, failed := written(a), written(b), written(failed)
		own := strings.NewReplacer(experiment.Name, "EXPERIMENT", a.ID, "A", b.ID, "B", failed.ID, "FAILED")
		look := func(p page, do ...chromedp.Action[chromedp.Void]) {
			p.name = filepath.Join("stores", p.name+"-"+store)
			text := own.Replace(changing.ReplaceAllString(browser.read(t, p, do...), ""))
			// Runs that began in the same millisecond are in any order.
			lines := slices.Sorted(strings.Lines(text))
			texts[store] = append(texts[store], strings.Join(lines, ""))
		}
		inExperiment := "/experiments/" + experiment.ID + "/runs"
		const asRuns = "?workflowType=machine_learning"
		look(page{"runs", inExperiment + asRuns, "", []string{a.Name, failed.Name, "latency_ms", a.Params["response"]}},
			chromedp.Click(chromedp.Search(`//button[contains(., "Show more columns")]`)),
			chromedp.Click(chromedp.Search(`//*[starts-with(text(), "Metrics (")]`)),
			chromedp.Click(chromedp.Search(`//*[starts-with(text(), "Parameters (")]`)))
		look(page{"run", inExperiment + "/" + a.ID + asRuns, "", []string{a.Name, "total_tokens", a.Params["response"]}})
		look(page{"failed", inExperiment + "/" + failed.ID + asRuns, "", []string{failed.Name, "Failed", "latency_ms"}})
		look(page{"compare", "/compare-runs?runs=" + list(a.ID, b.ID) + "&experiments=" + list(experiment.ID), "Parameters", []string{
			"Comparing 2 Runs", "total_tokens", a.Params["response"], b.Params["response"],
		}})
	}
	require.Equal(t, texts["rest"], texts["sql"])
}

// changing is what differs because it is another experiment, or is looked at later.
var changing = regexp.MustCompile(`Experiment ID\s+\d+|\d+ (second|minute)s? ago`)
