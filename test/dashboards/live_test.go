// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build live

package dashboards

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

var pictures = flag.String("pictures", "", "folder to draw the dashboards into")

// notDue are metrics of what did not happen here, so that what asks for them finds nothing.
var notDue = []string{
	"otelcol_mlflow_runs_deduplicated", "otelcol_mlflow_runs_found", "otelcol_mlflow_runs_rejected", "otelcol_mlflow_spans_overflowed",
}

// prom is a running Prometheus.
type prom struct{ url string }

// sample is an element of the answer to a query: a value, or values over time.
type sample struct {
	Metric map[string]string
	Value  [2]any
	Values [][2]any
}

// get asks Prometheus, and reads what its answer has under data.
func (p prom) get(t *testing.T, path string, query url.Values, data any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/api/v1/"+path+"?"+query.Encode(), http.NoBody)
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	require.Equal(t, "success", answer.Status, "%s %s: %s", path, query, answer.Error)
	require.NoError(t, json.Unmarshal(answer.Data, data))
}

// instant is a time as Prometheus takes it.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// query is the answer to an expression, now.
func (p prom) query(t *testing.T, expr string) []sample {
	t.Helper()
	var data struct{ Result []sample }
	p.get(t, "query", url.Values{"query": {expr}}, &data)
	return data.Result
}

// number is the answer to an expression that is one number; 0 if there is none.
func (p prom) number(t *testing.T, expr string) float64 {
	t.Helper()
	result := p.query(t, expr)
	if len(result) == 0 {
		return 0
	}
	require.Len(t, result, 1, expr)
	var value float64
	_, err := fmt.Sscan(result[0].Value[1].(string), &value)
	require.NoError(t, err)
	return value
}

// startPrometheus starts a real Prometheus with the shipped config, on a database, scraping what runs here. It scrapes every
// second and evaluates every five, because a test waits for it.
func startPrometheus(t *testing.T, database string, collector *testbed.Collector, mlflow *testbed.MLflow) prom {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	dir := t.TempDir()
	shipped, err := os.ReadFile(filepath.Join(root, "deploy", "prometheus", "prometheus.yaml"))
	require.NoError(t, err)
	host := func(address string) string {
		return strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/metrics")
	}
	config := strings.NewReplacer(
		"localhost:8889", host(collector.Calls), "localhost:8888", host(collector.Metrics), "localhost:5000", host(mlflow.URL),
		"scrape_interval: 15s", "scrape_interval: 1s", "evaluation_interval: 1m", "evaluation_interval: 5s",
	).Replace(string(shipped))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yaml"), []byte(config), 0o600))
	for _, file := range ruleFiles(t) {
		rules, err := os.ReadFile(file)
		require.NoError(t, err)
		rules = regexp.MustCompile(`interval: \d+m`).ReplaceAll(rules, []byte("interval: 5s"))
		rules = []byte(strings.NewReplacer("persona_id: unknown", "persona_id: tech_educator", "vector(100)", "vector(800)").Replace(string(rules)))
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)), rules, 0o600))
	}
	program, err := testbed.Made(".tools/prometheus", ".tools/prometheus")
	require.NoError(t, err)
	port, err := testbed.FreePort()
	require.NoError(t, err)
	p := prom{"http://" + testbed.LoopbackAddress(port)}
	process, err := testbed.StartProcess(t.Context(), testbed.ProcessConfig{
		Name: "Prometheus",
		Path: program,
		Args: []string{
			"--config.file=" + filepath.Join(dir, "prometheus.yaml"), "--web.listen-address=" + testbed.LoopbackAddress(port),
			"--storage.tsdb.path=" + database, "--storage.tsdb.retention.time=30d",
			"--storage.tsdb.min-block-duration=30d", "--storage.tsdb.max-block-duration=30d",
			"--enable-feature=" + features(t, string(shipped)),
		},
		Log: filepath.Join(dir, "prometheus.log"),
		Ready: func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/-/ready", http.NoBody)
			if err != nil {
				return err
			}
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return errors.New(resp.Status)
			}
			return nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, process.Stop()) })
	return p
}

// features are those that the comment of the shipped config tells users to enable.
func features(t *testing.T, config string) string {
	t.Helper()
	found := regexp.MustCompile(`--enable-feature=(\S+)`).FindStringSubmatch(config)
	require.NotNil(t, found)
	return found[1]
}

// TestAgainstPrometheus sends calls through the built collector, with MLflow behind it, into a real Prometheus that has eight
// days of simulated history, and asks it everything that the dashboards and the rules ask.
func TestAgainstPrometheus(t *testing.T) {
	root, err := testbed.Root()
	require.NoError(t, err)
	dir := t.TempDir()
	database := filepath.Join(dir, "data")
	began := time.Now()
	writeHistory(t, database, began)

	packages, err := filepath.Glob(filepath.Join(root, ".tools", "dashboards", "lib", "python*", "site-packages"))
	require.NoError(t, err)
	require.Len(t, packages, 1, "run `make .tools/dashboards`")
	counters := filepath.Join(dir, "counters")
	require.NoError(t, os.Mkdir(counters, 0o700))
	mlflow, err := testbed.StartMLflow(t.Context(), testbed.MLflowConfig{Dir: dir, Env: []string{
		"prometheus_multiproc_dir=" + counters, // what --expose-prometheus sets
		"PYTHONPATH=" + packages[0],
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mlflow.Stop()) })
	collector := startCollector(t, "MLFLOW_TRACKING_URI="+mlflow.URL)
	p := startPrometheus(t, database, collector, mlflow)

	sent := sendTraffic(t, collector)
	here := `{instance="` + strings.TrimSuffix(strings.TrimPrefix(collector.Calls, "http://"), "/metrics") + `"}`
	waitUntil(t, "all calls are scraped and written", func() bool {
		return p.number(t, `sum(gen_ai_client_operation_calls_total`+here+`)`) >= sent.calls &&
			p.number(t, `sum(otelcol_mlflow_runs_written)`) >= sent.runs
	})

	t.Run("totals are what was sent", func(t *testing.T) {
		for expr, want := range map[string]float64{
			`sum(gen_ai_client_operation_calls_total` + here + `)`:                     sent.calls,
			`sum(gen_ai_client_token_usage_sum` + here + `)`:                           sent.tokens,
			`sum(gen_ai_client_cost_USD_total` + here + `)`:                            sent.cost,
			`sum(gen_ai_execute_tool_duration_seconds_count` + here + `)`:              sent.tools,
			`sum(gen_ai_client_operation_calls_total{error_type!="",` + here[1:] + `)`: sent.failed,
			`sum(otelcol_mlflow_runs_written)`:                                         sent.runs,
			// Also of what came with the first scrape of a series. increase() extrapolates a little.
			`round(sum(increase(gen_ai_client_operation_calls_total{persona_id="once"}[5m])))`: 1,
			`round(sum(increase(gen_ai_client_cost_USD_total{persona_id="once"}[5m])), 0.05)`:  0.25,
			`round(sum(increase(gen_ai_client_token_usage_sum{persona_id="once"}[5m])), 10)`:   110,
		} {
			require.InDelta(t, want, p.number(t, expr), 1e-9, expr)
		}
	})

	t.Run("rules are healthy and record something", func(t *testing.T) {
		var data struct {
			Groups []struct {
				Rules []struct{ Name, Type, Health, LastError string }
			}
		}
		waitUntil(t, "every rule is evaluated", func() bool {
			p.get(t, "rules", url.Values{}, &data)
			for _, group := range data.Groups {
				for _, rule := range group.Rules {
					if rule.Health == "unknown" {
						return false
					}
				}
			}
			return true
		})
		n := 0
		for _, group := range data.Groups {
			for _, rule := range group.Rules {
				require.Equal(t, "ok", rule.Health, "%s: %s", rule.Name, rule.LastError)
				if rule.Type == "recording" {
					require.NotEmpty(t, p.query(t, rule.Name), rule.Name)
				}
				n++
			}
		}
		require.Len(t, ruleExpressions(t), n)
	})

	t.Run("expressions return what is due", func(t *testing.T) {
		found := map[string]bool{}
		for _, e := range dashboardExpressions(t) {
			if len(p.query(t, e.expr)) > 0 {
				continue
			}
			i := slices.IndexFunc(notDue, func(metric string) bool { return strings.Contains(e.expr, metric) })
			require.GreaterOrEqual(t, i, 0, "%s: nothing for %s", e.from, e.expr)
			found[notDue[i]] = true
		}
		require.Equal(t, notDue, slices.Sorted(maps.Keys(found)))
	})

	t.Run("exemplars name traces", func(t *testing.T) {
		var data []struct {
			Exemplars []struct{ Labels map[string]string }
		}
		p.get(t, "query_exemplars", url.Values{
			"query": {"gen_ai_client_operation_duration_seconds_bucket"}, "start": {instant(time.Now().Add(-5 * time.Minute))},
			"end": {instant(time.Now())},
		}, &data)
		require.NotEmpty(t, data)
		for _, series := range data {
			for _, exemplar := range series.Exemplars {
				require.Contains(t, sent.traces, exemplar.Labels["trace_id"])
			}
		}
	})

	if *pictures != "" {
		drawAll(t, p, began, *pictures)
	}
}

// Grafana's own types know every field of the dashboards, with the type that it has.
func TestGrafanaKnowsEveryField(t *testing.T) {
	root, err := testbed.Root()
	require.NoError(t, err)
	python := filepath.Join(root, ".tools", "dashboards", "bin", "python")
	output, err := exec.Command(python, append([]string{filepath.Join("testdata", "grafana.py")}, dashboardFiles(t)...)...).CombinedOutput()
	require.NoError(t, err, "these types need Python 3.11 or newer: make PYTHON=python3.12 .tools/dashboards\n%s", output)
	require.Empty(t, string(output))
}

func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !condition(); <-time.After(500 * time.Millisecond) {
		require.False(t, time.Now().After(deadline), "waited two minutes until %s", what)
	}
}

// traffic is what was sent.
type traffic struct {
	calls, failed, runs, tokens, cost, tools float64
	traces                                   map[string]bool
}

// uncounted is a call with content, and without usage.
var uncounted = map[string]any{
	"gen_ai.usage.input_tokens": nil, "gen_ai.usage.output_tokens": nil,
	"gen_ai.usage.cache_read.input_tokens": nil, "gen_ai.usage.reasoning.output_tokens": nil, "token.cost.usd": nil,
	"gen_ai.input.messages":  `[{"role":"user","parts":[{"type":"text","content":"What is 2+2?"}]}]`,
	"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"4"}]}]`,
}

// sendTraffic sends calls of every kind for a quarter of a minute, so that Prometheus sees them grow.
func sendTraffic(t *testing.T, collector *testbed.Collector) traffic {
	t.Helper()
	sent := traffic{traces: map[string]bool{}}
	send := func(s span) {
		traces := request(s)
		require.NoError(t, collector.SendHTTP(t.Context(), traces))
		sent.traces[traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID().String()] = true
		if s.attributes["gen_ai.operation.name"] == "execute_tool" {
			sent.tools++
			return
		}
		sent.calls++
		sent.runs++
		if s.failed {
			sent.failed++
		}
		for _, key := range []string{"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"} {
			if n, ok := s.attributes[key].(int); ok {
				sent.tokens += float64(n)
			}
		}
		if dollars, ok := s.attributes["token.cost.usd"].(float64); ok {
			sent.cost += dollars
		}
	}
	send(chat.with(map[string]any{"persona.id": "once"}))
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for i := range 60 {
		persona := map[string]any{"persona.id": []string{"tech_educator", "viral_content_creator", "support_agent"}[i%3]}
		call := chat.with(persona).with(map[string]any{"gen_ai.request.model": []string{"acme-large", "acme-small"}[i%2]})
		switch {
		case i%10 == 3:
			call.failed = true
			call = call.with(map[string]any{"error.type": "429"})
		case i%10 == 7: // without usage, which the token processor fills in
			call = call.with(uncounted).with(map[string]any{"gen_ai.request.model": "gpt-4o"})
			sent.tokens += 14 + 1
		case i%10 == 8: // nor for this model
			call = call.with(uncounted)
		}
		send(call)
		tool := span{service: "shop", duration: 50 * time.Millisecond}.with(persona).with(map[string]any{
			"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": []string{"get_sum", "search"}[i%2],
		})
		if i%10 == 5 {
			tool = tool.with(map[string]any{"error.type": "timeout"})
		}
		send(tool)
		<-tick.C
	}
	return sent
}
