// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"context"
	"flag"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startCollector starts the built collector with the shipped config. Its MLflow is down, which metrics must not feel, unless env
// says where one is.
func startCollector(t *testing.T, env ...string) *testbed.Collector {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	collector, err := testbed.StartCollector(t.Context(), testbed.CollectorConfig{
		Configs: []string{filepath.Join(root, "deploy", "collector", "otelcol-mlflow.yaml")},
		Set:     []string{"connectors.span_metrics.metrics_flush_interval=200ms"},
		Env:     append([]string{"MLFLOW_TRACKING_URI=http://127.0.0.1:1"}, env...),
		Dir:     t.TempDir(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, collector.Stop()) })
	return collector
}

// scrape is what the collector says about calls, in a format.
func scrape(t *testing.T, url, accept string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Accept", accept)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

var update = flag.Bool("update", false, "write the golden files anew, from what the collector says after ten seconds")

// calls is what the collector says about calls, as text, with all buckets of the persona `buckets` only, which is enough.
func calls(t *testing.T, collector *testbed.Collector) string {
	t.Helper()
	var kept strings.Builder
	for line := range strings.Lines(scrape(t, collector.Calls, "text/plain")) {
		if !strings.Contains(line, "_bucket{") || strings.Contains(line, `persona_id="buckets"`) || strings.Contains(line, `le="+Inf"`) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// requireCalls waits until the collector says about calls what a file in testdata says, and nothing else.
func requireCalls(t *testing.T, collector *testbed.Collector, file string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		<-time.After(10 * time.Second)
		require.NoError(t, os.WriteFile(file, []byte(calls(t, collector)), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	deadline := time.Now().Add(6 * time.Second)
	for {
		got := calls(t, collector)
		if got == string(want) {
			return
		}
		if time.Now().After(deadline) {
			require.Equal(t, string(want), got, "a minute after the last span was accepted")
		}
		<-time.After(100 * time.Millisecond)
	}
}

// chat is a call with everything that has a metric.
var chat = span{
	service:  "shop",
	duration: 250 * time.Millisecond,
	attributes: map[string]any{
		"persona.id": "tech_educator", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "acme", "gen_ai.request.model": "acme-1",
		"gen_ai.prompt.name": "explain", "gen_ai.prompt.version": "3",
		"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10,
		"gen_ai.usage.cache_read.input_tokens": 40, "gen_ai.usage.reasoning.output_tokens": 5,
		"token.cost.usd": 0.25, "gen_ai.response.time_to_first_chunk": 0.125,
	},
}

// Requests that come at once are each counted, and none twice.
func TestTotalsAreExactWhateverOvertakesWhat(t *testing.T) {
	collector := startCollector(t)
	var senders errgroup.Group
	for range 8 {
		senders.Go(func() error {
			for range 50 {
				if err := collector.SendHTTP(context.Background(), request(chat, chat, chat)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, senders.Wait())
	requireCalls(t, collector, "totals.prom") // of 1,200 calls
}

// Each persona is a case, which testdata/cases.prom has the metrics of.
func TestWhatEachSpanIsCountedAs(t *testing.T) {
	bare := func(persona string, attributes map[string]any) span {
		return span{service: "shop", duration: time.Second}.with(map[string]any{"persona.id": persona, "gen_ai.operation.name": "chat"}).with(attributes)
	}
	failed := bare("failed", nil)
	failed.failed = true
	timeout := bare("timeout", map[string]any{"error.type": "timeout"})
	timeout.failed = true
	backwards := bare("tools", map[string]any{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "backwards"})
	backwards.duration = -time.Second

	collector := startCollector(t)
	require.NoError(t, collector.SendGRPC(t.Context(), request(
		chat.with(map[string]any{"persona.id": "buckets"}),
		span{attributes: map[string]any{"gen_ai.operation.name": "chat"}}, // neither persona nor service
		bare("bare", nil),
		bare("numeric_strings", map[string]any{
			"gen_ai.usage.input_tokens": "7", "gen_ai.usage.output_tokens": 3.0, "gen_ai.response.time_to_first_chunk": "0.5",
		}),
		bare("no_numbers", map[string]any{
			"gen_ai.usage.input_tokens": -5, "gen_ai.usage.output_tokens": "many", "gen_ai.usage.cache_read.input_tokens": math.Inf(1),
			"gen_ai.usage.reasoning.output_tokens": "Inf", "token.cost.usd": math.NaN(), "gen_ai.response.time_to_first_chunk": "NaN",
		}),
		bare("counted", map[string]any{
			"gen_ai.usage.input_tokens": 8, "gen_ai.usage.output_tokens": 2, "token.input.source": "counted", "token.output.source": "partial",
		}),
		failed,
		timeout,
		bare("embeddings", map[string]any{"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 6}),
		bare("answered_by", map[string]any{"gen_ai.response.model": "acme-2"}),
		bare("tiers", nil),
		bare("tiers", map[string]any{"openai.response.service_tier": "priority"}),
		bare("tiers", map[string]any{"openai.response.service_tier": "batch", "gen_ai.usage.output_tokens": 9}), // has no duration
		bare(strings.Repeat("long", 100), nil),
		bare("x"+strings.Repeat("é", 100), nil),
		bare("not\xffUTF-8", nil),
		bare("\"quoted\"\n", nil),
		bare("tools", map[string]any{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_sum"}),
		bare("tools", map[string]any{"gen_ai.operation.name": "execute_tool", "error.type": "timeout"}),
		backwards,
		// Other dialects, and the conventions before 1.27.
		bare("openinference", map[string]any{
			"gen_ai.operation.name": nil, "openinference.span.kind": "LLM", "llm.provider": "acme", "llm.model_name": "acme-1",
			"llm.token_count.prompt": 21, "llm.token_count.completion": 4, "llm.token_count.prompt_details.cache_read": 16,
			"llm.prompt_template.name": "explain", "llm.prompt_template.version": "3",
		}),
		bare("langfuse", map[string]any{
			"gen_ai.operation.name": nil, "langfuse.observation.type": "generation", "langfuse.observation.model.name": "acme-1",
			"langfuse.observation.usage_details": `{"input":10,"input_cached_tokens":5,"output":7,"output_reasoning_tokens":3}`,
		}),
		bare("before_1.27", map[string]any{
			"gen_ai.system": "acme", "gen_ai.request.model": "acme-1",
			"gen_ai.usage.prompt_tokens": 12, "gen_ai.usage.completion_tokens": 2,
		}),
		// No calls of a model.
		bare("repeated", map[string]any{"gen_ai.operation.name": "generate_content", "gcp.vertex.agent.event_id": "e"}),
		bare("openinference_chain", map[string]any{"gen_ai.operation.name": nil, "openinference.span.kind": "CHAIN", "llm.token_count.prompt": 21}),
		bare("agent", map[string]any{"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 1}),
		bare("fetch", map[string]any{"gen_ai.operation.name": "fetch_response", "gen_ai.usage.input_tokens": 1}),
		bare("orders", map[string]any{"gen_ai.operation.name": nil}),
	)))
	requireCalls(t, collector, "cases.prom")
}

func TestPersonasThatAreNotAllowedAreCountedTogether(t *testing.T) {
	collector := startCollector(t, "OTELCOL_PERSONAS=tech_educator|viral_.*")
	require.NoError(t, collector.SendGRPC(t.Context(), request(
		chat,
		chat.with(map[string]any{"persona.id": "viral_content_creator"}),
		chat.with(map[string]any{"persona.id": "not_tech_educator"}),
		chat.with(map[string]any{"persona.id": "anybody"}),
	)))
	requireCalls(t, collector, "allowed.prom")
}

// Text that applications send does not reach the metrics, beside the names that are labels.
func TestContentReachesNoMetric(t *testing.T) {
	collector := startCollector(t)
	secret := map[string]any{"user.id": "SECRET"}
	for _, key := range []string{"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions"} {
		secret[key] = `[{"role":"user","parts":[{"type":"text","content":"SECRET"}]}]`
	}
	require.NoError(t, collector.SendGRPC(t.Context(), request(chat.with(secret))))
	for !strings.Contains(calls(t, collector), "gen_ai_client_operation_calls_total{") {
		<-time.After(100 * time.Millisecond)
	}
	require.NotContains(t, scrape(t, collector.Calls, "application/openmetrics-text"), "SECRET")
}

// From a point of a graph to the trace of a call.
func TestExemplarsNameTheTrace(t *testing.T) {
	collector := startCollector(t)
	traces := request(chat)
	id := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID().String()
	require.NoError(t, collector.SendGRPC(t.Context(), traces))
	found := map[string]bool{}
	for deadline := time.Now().Add(6 * time.Second); len(found) < 2; <-time.After(20 * time.Millisecond) {
		require.False(t, time.Now().After(deadline), "no exemplars of both metrics within a minute: %v", found)
		for line := range strings.Lines(scrape(t, collector.Calls, "application/openmetrics-text; version=1.0.0")) {
			if strings.Contains(line, `# {`) && strings.Contains(line, `trace_id="`+id+`"`) {
				found[line[:strings.IndexByte(line, '{')]] = true
			}
		}
	}
	require.Equal(t, map[string]bool{
		"gen_ai_client_operation_calls_total": true, "gen_ai_client_operation_duration_seconds_bucket": true,
	}, found)
}
