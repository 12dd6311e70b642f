// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chromium

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

var pictures = flag.String("pictures", "_build/ui", "`folder`, from the root of the repository, that the pictures go to")

// TestPagesShowTheDemo opens MLflow's pages after a demo, as a person would.
func TestPagesShowTheDemo(t *testing.T) {
	s, err := start(t.Context(), t.Output(), settings{state: t.TempDir(), latency: 400 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.stop()) })
	calls, err := s.runExample(t.Context())
	require.NoError(t, err)
	runs, err := s.waitForRuns(t.Context(), calls)
	require.NoError(t, err)

	// A question that both models were asked, and the experiment of its runs.
	a, b := askedTwice(t, runs)
	experiment, err := testbed.NewReader(s.mlflow.URL).ExperimentByName(t.Context(), a.Experiment)
	require.NoError(t, err)
	inExperiment := "/experiments/" + experiment.ID

	callsTool := findToolCall(t, testbed.NewReader(s.mlflow.URL), runs)

	browser := startBrowser(t, s.mlflow.URL)
	for _, p := range []page{
		{"experiments", "/experiments", "", []string{a.Experiment, "persona_id"}},
		{"runs", inExperiment + "/runs?workflowType=machine_learning", "", []string{a.Name, b.Name}},
		{"run", inExperiment + "/runs/" + a.ID + "?workflowType=machine_learning", "", []string{
			a.Name, "prompt_tokens", "latency_ms", "persona_id", a.Params["persona_id"], a.Params["model"],
		}},
		{"compare", "/compare-runs?runs=" + list(a.ID, b.ID) + "&experiments=" + list(experiment.ID), "Parameters", []string{
			"Comparing 2 Runs", a.Params["model"], b.Params["model"], a.Params["response"], b.Params["response"], "total_tokens",
		}},
		{"traces", inExperiment + "/traces", "", []string{"What is recursion?", a.Params["response"], b.Params["response"]}},
		{"tool-calls", callsTool.traces, "", []string{callsTool.run.Params["response"]}},
		{"tool-call", callsTool.trace, "", []string{"get_sum", "Assistant"}},
		{"usage", inExperiment + "/overview/usage", "", []string{"Latency", "p50", "Errors"}},
	} {
		t.Run(p.name, func(t *testing.T) { browser.read(t, p) })
	}
}

// page is one of MLflow's.
type page struct {
	name  string // of its picture
	path  string
	at    string // what is at the top of the picture; empty: the page's beginning
	shows []string
}

// browser is a Chromium for the pages of an MLflow.
type browser struct {
	context.Context
	server string
}

// read opens a page and does something on it, takes a picture of it when it shows what it should, and returns its text.
func (b browser) read(t *testing.T, p page, do ...chromedp.Action[chromedp.Void]) string {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	file := filepath.Join(root, *pictures, p.name+".png")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	want, err := json.Marshal(p.shows)
	require.NoError(t, err)
	// A hash alone would not load a page anew.
	require.NoError(t, chromedp.Do(b, chromedp.Navigate("about:blank"), chromedp.Navigate(b.server+"/#"+p.path)))
	within, cancel := context.WithTimeout(b, time.Minute)
	defer cancel()
	require.NoError(t, chromedp.Do(within, do...))
	shown := assert.Eventually(t, func() bool {
		shows, err := chromedp.Run(b, chromedp.Evaluate[bool](fmt.Sprintf(showsForASecond, want, p.at)))
		return err == nil && shows // an error where the page is just being loaded
	}, time.Minute, 200*time.Millisecond)
	picture, err := chromedp.Run(b, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, picture, 0o600))
	text, err := chromedp.Run(b, chromedp.Evaluate[string]("document.body.innerText"))
	require.NoError(t, err)
	require.True(t, shown, "%s does not show %s; it shows:\n%s", p.path, want, text)
	return text
}

// showsForASecond is true when the page has shown all texts of a list for five looks and has not changed between them. The
// first element with another text is then at the top of the window.
const showsForASecond = `(() => {
	const page = document.body.innerText.replace(/\d+ (second|minute)s? ago/g, '');
	window.looks = page === window.last && %s.every(text => page.includes(text)) ? window.looks + 1 : 0;
	window.last = page;
	[...document.querySelectorAll('h1, h2, h3, h4, span, div')].find(e => e.innerText === %q)?.scrollIntoView();
	return window.looks >= 5;
})()`

// askedTwice returns two runs of different models with the same prompt.
func askedTwice(t *testing.T, runs []testbed.Run) (a, b testbed.Run) {
	t.Helper()
	for i, a := range runs {
		for _, b := range runs[i+1:] {
			if a.Experiment == b.Experiment && a.Params["prompt"] == b.Params["prompt"] && a.Params["model"] != b.Params["model"] &&
				a.Status == "FINISHED" && b.Status == "FINISHED" {
				return a, b
			}
		}
	}
	t.Fatal("no two models were asked the same")
	return a, b
}

// toolCall is a run whose answer only calls a tool, and the pages of its experiment's traces and of its own.
type toolCall struct {
	run           testbed.Run
	traces, trace string
}

func findToolCall(t *testing.T, reader *testbed.Reader, runs []testbed.Run) toolCall {
	t.Helper()
	i := slices.IndexFunc(runs, func(run testbed.Run) bool { return strings.HasPrefix(run.Params["response"], "→ get_sum(") })
	require.GreaterOrEqual(t, i, 0, "no answer calls a tool")
	experiment, err := reader.ExperimentByName(t.Context(), runs[i].Experiment)
	require.NoError(t, err)
	var traces []testbed.Trace
	require.Eventually(t, func() bool {
		traces, err = reader.Traces(t.Context(), experiment.ID, "attributes.run_id = '"+runs[i].ID+"'")
		return err != nil || len(traces) > 0
	}, time.Minute, 100*time.Millisecond)
	require.NoError(t, err)
	page := "/experiments/" + experiment.ID + "/traces"
	return toolCall{runs[i], page, page + "?selectedEvaluationId=" + traces[0].ID}
}

func list(values ...string) string {
	text, _ := json.Marshal(values) // strings never fail
	return url.QueryEscape(string(text))
}

// startBrowser starts a headless Chromium that the test stops.
func startBrowser(t *testing.T, server string) browser {
	t.Helper()
	program := os.Getenv("CHROMIUM")
	if program == "" {
		var err error
		program, err = exec.LookPath("chromium")
		require.NoError(t, err, "install Chromium (apt-get install chromium), or set CHROMIUM to the path of a Chrome or Chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.NoSandbox, // it opens pages of this test only, and root has no sandbox
		chromedp.Flag("no-proxy-server", true),
		chromedp.WindowSize(1200, 860),
		chromedp.UserDataDir(t.TempDir()),
	)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	tab, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(closeBrowser)
	// What MLflow offers to everybody who comes for the first time would cover its pages.
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(server+"/health")))
	_, err := chromedp.Run(tab, chromedp.Evaluate[chromedp.Void](`
		localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
		localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
		localStorage.setItem('mlflow.detectIssues.guidanceShown_v1', 'true');`))
	require.NoError(t, err)
	return browser{tab, server}
}
