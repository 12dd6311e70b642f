// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Software that nobody here wrote: the OpenAI SDK for Python under each instrumentation of it that people use.
func TestEachCallOfThePythonSDKIsOneRun(t *testing.T) {
	python, err := testbed.Made(".tools/apps/bin/python", ".tools/apps")
	require.NoError(t, err)
	mlflow := testbed.SharedMLflow(t)

	for _, instrumentation := range []string{"genai", "openllmetry", "openinference"} {
		t.Run(instrumentation, func(t *testing.T) {
			api := openaitest.NewServer()
			t.Cleanup(api.Close)
			collector := startCollector(t, "otelcol-mlflow.yaml", mlflow)
			persona := newPersona()
			runApp(t, exec.Command(python, filepath.Join("apps", "openai_calls.py"), instrumentation, persona), api, collector)

			runs := runsOfApp(t, mlflow, persona, collector, len(api.Calls()))
			requireBilled(t, api.Calls(), runs)
			requireGolden(t, "openai_"+instrumentation, describe(runs, requireTraces(t, mlflow, runs), persona))
		})
	}
}

// runApp runs an application to its end, against the stand-in and with its spans to the collector.
func runApp(t *testing.T, app *exec.Cmd, api *openaitest.Server, collector *testbed.Collector) {
	t.Helper()
	app.Env = append(testbed.CleanEnv(),
		"OPENAI_BASE_URL="+api.BaseURL(),
		"OPENAI_API_KEY=sk-of-the-test",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://"+collector.HTTP,
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_SERVICE_NAME=app",
		"OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental",
		"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY",
	)
	output, err := app.CombinedOutput()
	require.NoError(t, err, string(output))
}

// runsOfApp waits for as many ended runs as the application made calls, and for their traces. Then it stops the collector, so that nothing more
// can come, and returns all runs of the application's personas.
func runsOfApp(t *testing.T, mlflow, persona string, collector *testbed.Collector, calls int) []testbed.Run {
	t.Helper()
	find := func() []testbed.Run {
		runs, err := testbed.NewReader(mlflow).Runs(t.Context(), `tags.persona_id LIKE "`+persona+`%"`)
		require.NoError(t, err)
		return runs
	}
	waitFor(t, fmt.Sprintf("%d calls are written", calls), func() bool {
		ended := 0
		for _, run := range find() {
			if !run.End.IsZero() {
				ended++
			}
		}
		return ended >= calls
	})
	waitForTraces(t, mlflow, find())
	require.NoError(t, collector.Stop())
	return find()
}

// describe is what the runs and their traces say, sorted, with what differs from one time to the next replaced by its name.
func describe(runs []testbed.Run, traces map[string]testbed.Trace, persona string) string {
	described := make([]string, len(runs))
	for i, run := range runs {
		described[i] = describeRun(run, traces[run.ID], persona)
	}
	slices.Sort(described)
	return strings.Join(described, "\n")
}

var (
	clock = regexp.MustCompile(`\d\d:\d\d:\d\d`)
	hexID = regexp.MustCompile(`^([0-9a-f]{16}|[0-9a-f]{32})$`)
	took  = regexp.MustCompile(`\d+ ms`)
)

func describeRun(run testbed.Run, trace testbed.Trace, persona string) string {
	stable := func(text string) string {
		text = strings.ReplaceAll(text, persona, "{persona}")
		text = strings.ReplaceAll(text, run.Start.Format("2006-01-02"), "{date}")
		text = hexID.ReplaceAllString(text, "{id}")
		return took.ReplaceAllString(clock.ReplaceAllString(text, "{time}"), "{n} ms")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s in %s\n", run.Status, stable(run.Name), stable(run.Experiment))
	for _, kind := range []struct {
		name   string
		values map[string]string
	}{{"param", run.Params}, {"tag", run.Tags}} {
		for _, key := range slices.Sorted(maps.Keys(kind.values)) {
			fmt.Fprintf(&b, "  %s %s: %q\n", kind.name, key, stable(kind.values[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(run.Metrics)) {
		value := fmt.Sprint(run.Metrics[key])
		if slices.Contains([]string{"latency_ms", "time_to_first_token_ms", "tokens_per_second"}, key) && run.Metrics[key] > 0 {
			value = "{n}"
		}
		fmt.Fprintf(&b, "  metric %s: %s\n", key, value)
	}
	fmt.Fprintf(&b, "  trace %s\n    input: %q\n    output: %q\n", trace.State, stable(trace.Request), stable(trace.Response))
	for _, key := range []string{"mlflow.trace.tokenUsage", "mlflow.trace.cost", "mlflow.trace.session", "mlflow.trace.user"} {
		if value, ok := trace.Metadata[key]; ok {
			fmt.Fprintf(&b, "    %s: %s\n", key, value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(trace.Tags)) {
		if !strings.HasPrefix(key, "mlflow.") || key == "mlflow.traceName" {
			fmt.Fprintf(&b, "    tag %s: %q\n", key, stable(trace.Tags[key]))
		}
	}
	return b.String()
}

// requireGolden compares with a golden file.
func requireGolden(t *testing.T, name, got string) {
	t.Helper()
	golden := filepath.Join("testdata", name+".runs.txt")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got), "%s differs; go test ./test -update writes it anew", golden)
}

// requireBilled compares the runs with what the API has served: each call is one run, with its tokens.
func requireBilled(t *testing.T, calls []openaitest.Call, runs []testbed.Run) {
	t.Helper()
	type bill struct {
		model              string
		status             string
		prompt, completion float64
	}
	compare := func(a, b bill) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	var billed, written []bill
	for _, call := range calls {
		status := "FINISHED"
		if call.Status != http.StatusOK {
			status = "FAILED"
		}
		billed = append(billed, bill{call.Model, status, float64(call.Usage.PromptTokens), float64(call.Usage.CompletionTokens)})
	}
	for _, run := range runs {
		written = append(written, bill{run.Params["model"], run.Status, run.Metrics["prompt_tokens"], run.Metrics["completion_tokens"]})
	}
	slices.SortFunc(billed, compare)
	slices.SortFunc(written, compare)
	require.Equal(t, billed, written)
}
