// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadata"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

// recorder stands before a server and keeps everything that is sent to it.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	sent bytes.Buffer
}

func newRecorder(t *testing.T, server string) *recorder {
	target, err := url.Parse(server)
	require.NoError(t, err)
	transport := &http.Transport{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = transport
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body) // of a test that ends
		req.Body = io.NopCloser(bytes.NewReader(body))
		r.mu.Lock()
		fmt.Fprintf(&r.sent, "%s %s\n%v\n%s\n", req.Method, req.URL, req.Header, body)
		r.mu.Unlock()
		req.Host = target.Host
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(func() {
		r.Close()
		transport.CloseIdleConnections()
	})
	return r
}

// export hands a batch to an exporter of its own, and returns all that was sent to the server and all that was logged.
func export(t *testing.T, server string, change func(*Config), batch ptrace.Traces) (sent, logged string) {
	t.Helper()
	front := newRecorder(t, server)
	config := createDefaultConfig().(*Config)
	config.ClientConfig.Endpoint = front.URL
	change(config)
	require.NoError(t, config.Validate())
	core, logs := observer.New(zap.DebugLevel)
	set := exportertest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	e, err := newExporter(set, config)
	require.NoError(t, err)
	require.NoError(t, e.start(t.Context(), componenttest.NewNopHost()))
	err = e.push(t.Context(), batch)
	require.NoError(t, e.shutdown(context.Background()))
	require.NoError(t, err)
	var b strings.Builder
	for _, entry := range logs.All() {
		fmt.Fprintln(&b, entry.Message, entry.ContextMap())
	}
	return front.sent.String(), b.String()
}

// secretCalls say a secret wherever a span can say something, in every dialect that they speak.
func secretCalls(persona, secret string) ptrace.Traces {
	traces := llmCalls(4, persona)
	long := strings.Repeat(secret+" ", 1000)
	for i, span := range traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		a := span.Attributes()
		a.PutStr(semconv.GenAIOperationName, []string{
			semconv.OperationChat, semconv.OperationExecuteTool, semconv.OperationRetrieval, semconv.OperationInvokeAgent,
		}[i])
		a.PutStr(semconv.GenAISystemInstructions, `[{"type":"text","content":"`+secret+`"}]`)
		a.PutStr(semconv.GenAIInputMessages, userMessage(long))
		a.PutStr(semconv.GenAIOutputMessages, `[{"role":"assistant","parts":[{"type":"reasoning","content":"`+secret+`"},`+
			`{"type":"text","content":"`+long+`"},{"type":"tool_call","id":"1","name":"f","arguments":{"a":"`+secret+`"}}]}]`)
		a.PutStr(semconv.GenAIToolDefinitions, `[{"type":"function","name":"f","description":"`+secret+`"}]`)
		for _, key := range []string{
			semconv.GenAIToolCallArguments, semconv.GenAIToolCallResult, semconv.GenAIRetrievalQueryText, semconv.GenAIRetrievalDocuments,
			"input.value", "output.value", "traceloop.entity.input", "gen_ai.prompt.0.content", "ai.prompt", "mlflow.spanInputs",
			"mlflow.spanOutputs", "mlflow.traceTag.note", "app.question", "exception.message",
		} {
			a.PutStr(key, secret)
		}
		span.SetName("answering " + secret)
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage("refused: " + secret)
		for _, name := range []string{"exception", "gen_ai.user.message", "gen_ai.choice", "gen_ai.content.prompt", semconv.EventEvaluationResult} {
			event := span.Events().AppendEmpty()
			event.SetName(name)
			for _, key := range []string{
				"exception.message", "exception.stacktrace", "content", "gen_ai.prompt", semconv.GenAIEvaluationExplanation,
			} {
				event.Attributes().PutStr(key, secret)
			}
			event.Attributes().PutStr("exception.type", "RateLimitError")
			event.Attributes().PutStr(semconv.GenAIEvaluationName, "relevance")
			event.Attributes().PutDouble(semconv.GenAIEvaluationScoreValue, 0.5)
		}
	}
	return unique(traces)
}

// unique gives the spans ids that no other test's spans have.
func unique(traces ptrace.Traces) ptrace.Traces {
	for _, resource := range traces.ResourceSpans().All() {
		for _, span := range resource.ScopeSpans().At(0).Spans().All() {
			var id pcommon.TraceID
			_, _ = rand.Read(id[:]) // never fails
			span.SetTraceID(id)
		}
	}
	return traces
}

// TestContentLeavesByNoWay searches everything that is sent to MLflow, to fasttrackml and to the fake, and everything that
// is logged, for a word that stands wherever a span can hold content.
func TestContentLeavesByNoWay(t *testing.T) {
	const secret = "thelaunchcodeisnought"
	fake := trackingtest.NewFake()
	t.Cleanup(fake.Close)
	fasttrackml, err := testbed.StartFastTrackML(t.Context(), testbed.FastTrackMLConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, fasttrackml.Stop()) })
	for server, address := range map[string]string{
		"fake": fake.URL, "MLflow": testbed.SharedMLflow(t), "fasttrackml": fasttrackml.URL,
	} {
		for _, mode := range []string{"full", "hash", "off"} {
			t.Run(server+" "+mode, func(t *testing.T) {
				sent, logged := export(t, address, func(c *Config) {
					c.Content.Mode = mode
					c.Prompts.Link = true
					c.Runs.Operations = append(c.Runs.Operations,
						semconv.OperationExecuteTool, semconv.OperationRetrieval, semconv.OperationInvokeAgent)
				}, secretCalls("secretive"+rand.Text(), secret))
				assert.NotContains(t, logged, secret)
				assert.Equal(t, 4, strings.Count(sent, "/runs/create"))
				if mode == "full" {
					assert.Contains(t, sent, secret, "the test searches where content is")
				} else {
					assert.NotContains(t, sent, secret)
				}
				assert.Equal(t, mode == "hash", strings.Contains(sent, "sha256:"))
			})
		}
	}
}

// TestPagesOfMLflowAreFilled looks at what the pages of a real MLflow show of a call: the traces, the session, the usage,
// the cost, the run's artifacts.
func TestPagesOfMLflowAreFilled(t *testing.T) {
	server := testbed.SharedMLflow(t)
	reader := testbed.NewReader(server)
	persona := "pages" + rand.Text()
	batch := unique(fullCalls(2, persona))
	spans := batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	question := strings.TrimSpace(strings.Repeat("Why? ", 2000))
	for _, span := range spans.All() {
		span.Attributes().PutStr(semconv.GenAIInputMessages, userMessage(question))
		span.Attributes().PutStr(semconv.GenAIConversationID, "7")
		span.Attributes().PutStr(semconv.UserID, "ada")
		span.Attributes().PutDouble(semconv.TokenCostUSD, 0.25)
	}
	spans.At(1).Status().SetCode(ptrace.StatusCodeError)
	export(t, server, func(c *Config) { c.Prompts.Link = true }, batch)
	export(t, server, func(c *Config) { c.Dedupe = DedupeAlways }, batch) // and once more, as after a crash

	runs, err := reader.Runs(t.Context(), `tags.persona_id = "`+persona+`"`)
	require.NoError(t, err)
	require.Len(t, runs, 2)
	experiment, err := reader.ExperimentByName(t.Context(), runs[0].Experiment)
	require.NoError(t, err)
	all, err := reader.Traces(t.Context(), experiment.ID, "")
	require.NoError(t, err)
	assert.Len(t, all, 2, "one for each call, however often it comes")
	ofPrompt, err := reader.Traces(t.Context(), experiment.ID, "prompt = 'greeting/3'")
	require.NoError(t, err)
	assert.Len(t, ofPrompt, 2)

	for _, run := range runs {
		traces, err := reader.Traces(t.Context(), experiment.ID, "attributes.run_id = '"+run.ID+"'")
		require.NoError(t, err)
		require.Len(t, traces, 1)
		trace := traces[0]
		assert.Equal(t, map[string]string{"FINISHED": "OK", "FAILED": "ERROR"}[run.Status], trace.State)
		assert.True(t, strings.HasPrefix(trace.Request, "Why? Why?"), "the text of the last user message, not its JSON: %.50s", trace.Request)
		assert.Equal(t, "4", trace.Response)
		assert.Equal(t, "chat gpt-4o", trace.Tags["mlflow.traceName"])
		assert.Equal(t, persona, trace.Tags["persona_id"])
		assert.Equal(t, "gpt-4o", trace.Tags["model"])
		assert.Equal(t, run.Tags["otel.span_id"], trace.Tags["otel.span_id"])
		assert.Equal(t, run.Tags["otel.trace_id"], trace.Tags["otel.trace_id"])
		assert.Equal(t, "7", trace.Metadata["mlflow.trace.session"])
		assert.Equal(t, "ada", trace.Metadata["mlflow.trace.user"])
		assert.InDelta(t, 0.25, number(t, trace.Metadata["mlflow.trace.cost"], "total_cost"), 0)
		assert.InDelta(t, run.Metrics["total_tokens"], number(t, trace.Metadata["mlflow.trace.tokenUsage"], "total_tokens"), 0)
		require.Len(t, trace.Assessments, 1)
		assert.Equal(t, "relevance", trace.Assessments[0].Name)
		assert.Equal(t, "on topic", trace.Assessments[0].Rationale)

		assert.Contains(t, run.Params["prompt"], "whole in artifact prompt.txt]…")
		whole, err := reader.Artifact(t.Context(), run.ID, "prompt.txt")
		require.NoError(t, err)
		assert.Equal(t, question, whole)
		assert.InDelta(t, 0.5, run.Metrics["evaluation/relevance"], 0)
	}
}

// number is a member of a JSON object.
func number(t *testing.T, object, member string) float64 {
	t.Helper()
	var values map[string]float64
	require.NoError(t, json.Unmarshal([]byte(object), &values), object)
	return values[member]
}

// TestServerWithoutArtifactsAndTracesHasTheRuns: fasttrackml takes neither.
func TestServerWithoutArtifactsAndTracesHasTheRuns(t *testing.T) {
	server, err := testbed.StartFastTrackML(t.Context(), testbed.FastTrackMLConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	persona := "plain" + rand.Text()
	_, logged := export(t, server.URL, func(*Config) {}, unique(fullCalls(3, persona)))
	assert.Equal(t, 1, strings.Count(logged, "This MLflow takes no traces"))
	runs, err := testbed.NewReader(server.URL).Runs(t.Context(), `tags.persona_id = "`+persona+`"`)
	require.NoError(t, err)
	require.Len(t, runs, 3)
	for _, run := range runs {
		assert.Contains(t, run.Params["prompt"], " characters cut]…", "no artifact is named that is not there")
		assert.Equal(t, "10000", run.Tags["prompt_length"])
	}
}
