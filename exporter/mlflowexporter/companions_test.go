// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadatatest"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

// fullCalls are calls that have everything that stands beside a run: values that are cut, a prompt version, an evaluation.
func fullCalls(n int, personas ...string) ptrace.Traces {
	traces := llmCalls(n, personas...)
	for _, resource := range traces.ResourceSpans().All() {
		for _, span := range resource.ScopeSpans().At(0).Spans().All() {
			a := span.Attributes()
			a.PutStr(semconv.GenAIInputMessages, userMessage(strings.Repeat("Why? ", 2000)))
			a.PutStr(semconv.GenAIPromptName, "greeting")
			a.PutStr(semconv.GenAIPromptVersion, "3")
			event := span.Events().AppendEmpty()
			event.SetName(semconv.EventEvaluationResult)
			event.SetTimestamp(span.EndTimestamp())
			event.Attributes().PutStr(semconv.GenAIEvaluationName, "relevance")
			event.Attributes().PutDouble(semconv.GenAIEvaluationScoreValue, 0.5)
			event.Attributes().PutStr(semconv.GenAIEvaluationExplanation, "on topic")
		}
	}
	return traces
}

func userMessage(text string) string {
	return fmt.Sprintf(`[{"role":"user","parts":[{"type":"text","content":%q}]}]`, text)
}

// requireCompanions requires of n calls that everything beside their runs is there once.
func requireCompanions(t *testing.T, fake *trackingtest.Fake, n int) {
	t.Helper()
	runs := fake.Runs()
	require.Len(t, runs, n)
	traces := fake.Traces()
	require.Len(t, traces, n)
	for _, r := range runs {
		assert.Equal(t, "FINISHED", r.Status)
		assert.Contains(t, r.Params["prompt"], "characters cut, whole in artifact prompt.txt]…")
		assert.Equal(t, "10000", r.Tags["prompt_length"])
		assert.Len(t, r.Artifacts["prompt.txt"], 10_000)
		assert.Contains(t, r.Artifacts["messages.json"], `"choices":[{"index":0,"message":{"role":"assistant","content":"4"}}]`)
		assert.NotContains(t, r.Artifacts, "response.md", "it is not cut")
		assert.InDelta(t, 0.5, r.Metrics["evaluation/relevance"], 0)
		i := slices.IndexFunc(traces, func(trace trackingtest.Trace) bool { return slices.Contains(trace.Runs, r.ID) })
		require.GreaterOrEqual(t, i, 0, "the run has no trace")
		trace := traces[i]
		assert.Equal(t, r.ExperimentID, trace.ExperimentID)
		assert.Len(t, trace.Runs, 1)
		assert.Equal(t, []trackingtest.Prompt{{Name: "greeting", Version: "3"}}, trace.Prompts)
		require.Len(t, trace.Assessments, 1)
		assert.InDelta(t, 0.5, trace.Assessments[0].Feedback.Value, 0)
		require.Len(t, trace.Spans, 1)
		span := trace.Spans[0]
		assert.True(t, span.ParentSpanID().IsEmpty())
		for key, want := range map[string]string{
			"mlflow.traceTag.otel.trace_id": r.Tags["otel.trace_id"], "mlflow.traceTag.otel.span_id": r.Tags["otel.span_id"],
		} {
			value, _ := span.Attributes().Get(key)
			assert.Equal(t, want, value.Str())
		}
	}
}

func withPrompts(c *Config) { c.Prompts.Link = true }

func TestEachRunHasItsTrace(t *testing.T) {
	b := newBench(t, withPrompts)
	require.NoError(t, b.push(t.Context(), fullCalls(3, "tech_educator", "viral_content_creator")))
	requireCompanions(t, b.fake, 6)
	assert.Equal(t, 2, b.fake.Calls("v1/traces"), "a request for each experiment")
	assert.Equal(t, 2, b.fake.Calls("registered-models/get"), "a prompt is shown once in each experiment")
	metadatatest.AssertEqualMlflowTracesWritten(t, b.telemetry,
		count(6), metricdatatest.IgnoreTimestamp())

	require.NoError(t, b.push(t.Context(), fullCalls(3, "tech_educator", "viral_content_creator")), "all come again")
	requireCompanions(t, b.fake, 6)
}

// TestFaultsBesideTheRunsAreHealedByRetrying makes each call beside the runs fail in each way, a few times.
func TestFaultsBesideTheRunsAreHealedByRetrying(t *testing.T) {
	for _, at := range []string{
		"v1/traces", "traces/link-to-run", "traces/link-prompts", "traces/assessments", "mlflow-artifacts/artifacts", "registered-models/get",
	} {
		for name, fault := range map[string]trackingtest.Fault{
			"lost answer": {LoseAnswer: true}, "lost call": {LoseCall: true}, "403": {Status: http.StatusForbidden},
			"429": {Status: http.StatusTooManyRequests}, "500": {Status: http.StatusInternalServerError},
		} {
			t.Run(name+" at "+at, func(t *testing.T) {
				b := newBench(t, withPrompts)
				left := 2
				b.fake.SetFault(func(call string) trackingtest.Fault {
					if call != at || left == 0 {
						return trackingtest.Fault{}
					}
					left--
					return fault
				})
				batch := fullCalls(3, "tech_educator")
				for attempts := 0; ; attempts++ {
					require.Less(t, attempts, 10)
					err := b.push(t.Context(), batch)
					if err == nil {
						break
					}
					var again consumererror.Traces
					require.ErrorAs(t, err, &again)
					batch = again.Data()
				}
				requireCompanions(t, b.fake, 3)
				assert.Equal(t, 3, b.fake.Calls("runs/create"))
				metadatatest.AssertEqualMlflowRunsWritten(t, b.telemetry, count(3), metricdatatest.IgnoreTimestamp())
				_, err := b.telemetry.GetMetric("otelcol_mlflow_runs_found")
				require.Error(t, err, "spans that come again for their traces are counted again")
			})
		}
	}
}

func TestServerWithoutTracesIsFoundOutOnce(t *testing.T) {
	b := newBench(t, nil)
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "v1/traces" {
			return trackingtest.Fault{Status: http.StatusNotFound}
		}
		return trackingtest.Fault{}
	})
	require.NoError(t, b.push(t.Context(), llmCalls(3, "tech_educator")))
	require.NoError(t, b.push(t.Context(), llmCalls(3, "tech_educator", "viral_content_creator")))
	requireWritten(t, b.fake, 6)
	assert.Equal(t, 1, b.fake.Calls("v1/traces"))
	assert.Zero(t, b.fake.Calls("traces/link-to-run"))
	assert.Equal(t, 1, b.logs.FilterMessage("This MLflow takes no traces; runs are written without them").Len())
}

func TestRejectedCallHasNoTrace(t *testing.T) {
	b := newBench(t, nil)
	batch := llmCalls(2, "tech_educator")
	calls := b.calls(t.Context(), batch)
	b.resolve(t.Context(), calls)
	for _, e := range b.entries(t.Context(), calls) { // of a store that knows what the runs' ids would be
		e.done("0123456789abcdef0123456789abcdef", false, &tracking.Error{Op: "writing runs", Class: tracking.Permanent})
	}
	require.NoError(t, b.companions.write(t.Context(), batch, calls))
	assert.Zero(t, b.fake.Calls("v1/traces"))
	metadatatest.AssertEqualMlflowRunsRejected(t, b.telemetry, count(2, attribute.String("reason", "refused")), metricdatatest.IgnoreTimestamp())
}

func TestPanicBesideARunIsCounted(t *testing.T) {
	b := newBench(t, nil)
	calls := b.calls(t.Context(), llmCalls(2, "tech_educator"))
	b.companions.each(t.Context(), &b.companions.artifacts, []*call{&calls[0], &calls[1]}, func(_ context.Context, m *call) {
		if m == &calls[0] {
			panic("of ours")
		}
	})
	require.NoError(t, errors.Join(calls[0].err, calls[1].err), "it would come again for ever")
	metadatatest.AssertEqualMlflowCompanionsDropped(t, b.telemetry,
		count(1, attribute.String("what", "artifacts")), metricdatatest.IgnoreTimestamp())
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("does not take artifacts now").Len())
}

func TestTracesCanBeSwitchedOff(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Traces.Enabled = false })
	require.NoError(t, b.push(t.Context(), llmCalls(3, "tech_educator")))
	requireWritten(t, b.fake, 3)
	assert.Empty(t, b.fake.Traces())
	assert.Zero(t, b.fake.Calls("v1/traces"))
}

// refuser is a server that can never take requests with a certain text in them.
type refuser struct {
	http.RoundTripper
	text string
}

func (r refuser) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	if req.URL.Path == "/v1/traces" && strings.Contains(string(body), r.text) {
		return &http.Response{
			StatusCode: http.StatusUnprocessableEntity, Request: req,
			Body: io.NopCloser(strings.NewReader(`{"detail":"Cannot convert OpenTelemetry span to MLflow span"}`)),
		}, nil
	}
	return r.RoundTripper.RoundTrip(req)
}

func TestTraceThatIsRefusedDoesNotCostTheOthers(t *testing.T) {
	b := newBench(t, nil)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	b.companions.client = tracking.NewClient(&http.Client{Transport: refuser{transport, "poison"}}, b.fake.URL, "")
	batch := llmCalls(7, "tech_educator")
	batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(4).Attributes().PutStr(semconv.UserID, "poison")
	require.NoError(t, b.push(t.Context(), batch))
	requireWritten(t, b.fake, 7)
	assert.Len(t, b.fake.Traces(), 6)
	metadatatest.AssertEqualMlflowCompanionsDropped(t, b.telemetry,
		count(1, attribute.String("what", "traces")), metricdatatest.IgnoreTimestamp())
}

func TestSidelineThatStaysBrokenIsLeftOut(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	s := &sideline{what: "traces", logger: zap.New(core)}
	broken := &tracking.Error{Op: "sending traces", Class: tracking.Retryable, Status: 500}
	now := time.Now()
	after := func(d time.Duration) time.Time { return now.Add(d) }
	ctx := t.Context()

	assert.Equal(t, verdictAgain, s.settle(ctx, broken, now))
	assert.Equal(t, verdictAgain, s.settle(ctx, broken, after(patience-time.Second)), "spans come again")
	assert.Equal(t, verdictDropped, s.settle(ctx, broken, after(patience)), "but not for ever")
	open, verdict := s.open(after(patience + time.Second))
	assert.False(t, open, "nor is every push made to wait for it")
	assert.Equal(t, verdictDropped, verdict)
	open, _ = s.open(after(patience + pause))
	assert.True(t, open)
	assert.Equal(t, verdictDropped, s.settle(ctx, broken, after(patience+pause)))
	assert.Equal(t, verdictDone, s.settle(ctx, nil, after(patience+2*pause)))
	assert.Equal(t, verdictAgain, s.settle(ctx, broken, after(patience+3*pause)), "it has worked since")

	assert.Equal(t, 1, logs.FilterMessage("MLflow takes traces again").Len())
	assert.LessOrEqual(t, logs.FilterMessageSnippet("does not take traces now").Len(), 4, "a line a minute")

	refused := &tracking.Error{Op: "sending traces", Class: tracking.Permanent, Status: 422}
	assert.Equal(t, verdictDropped, s.settle(ctx, refused, now))
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	assert.Equal(t, verdictAgain, s.settle(cancelled, broken, after(time.Hour)), "a collector that stops drops nothing")
}

func TestCancelledPushKeepsWhatHasNoTrace(t *testing.T) {
	b := newBench(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "v1/traces" {
			cancel()
			return trackingtest.Fault{LoseCall: true}
		}
		return trackingtest.Fault{}
	})
	err := b.push(ctx, llmCalls(3, "tech_educator"))
	require.Error(t, err)
	assert.Len(t, failed(t, err), 3)
	requireWritten(t, b.fake, 3)
}

// wholeTrace is a trace of an agent with two calls and a tool between them.
func wholeTrace() ptrace.Traces {
	traces := llmCalls(2, "tech_educator")
	spans := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for i := range 2 {
		spans.At(i).SetTraceID([16]byte{7})
		spans.At(i).SetParentSpanID([8]byte{70})
	}
	for i, operation := range []string{semconv.OperationExecuteTool, semconv.OperationInvokeAgent} {
		span := spans.AppendEmpty()
		span.SetTraceID([16]byte{7})
		span.SetSpanID([8]byte{byte(71 - i)})
		span.Attributes().PutStr(semconv.GenAIOperationName, operation)
		span.Attributes().PutStr("left", "as it is")
	}
	return traces
}

func TestWholeTraceIsForwardedAsItIs(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Traces.Mode = TracesWhole })
	faults := 1
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "v1/traces" && faults > 0 {
			faults--
			return trackingtest.Fault{Status: http.StatusServiceUnavailable}
		}
		return trackingtest.Fault{}
	})
	batch := wholeTrace()
	err := b.push(t.Context(), batch)
	require.Error(t, err)
	assert.Len(t, failed(t, err), 4, "all of the trace comes again")
	require.NoError(t, b.push(t.Context(), batch))
	requireWritten(t, b.fake, 2)
	metadatatest.AssertEqualMlflowRunsWritten(t, b.telemetry, count(2), metricdatatest.IgnoreTimestamp())
	_, err = b.telemetry.GetMetric("otelcol_mlflow_runs_found")
	require.Error(t, err, "spans that come again for their trace are counted again")

	// The root comes last, in a batch without a call.
	late := ptrace.NewTraces()
	root := late.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	root.SetTraceID([16]byte{7})
	root.SetSpanID([8]byte{69})
	other := late.ResourceSpans().At(0).ScopeSpans().At(0).Spans().AppendEmpty()
	other.SetTraceID([16]byte{8})
	require.NoError(t, b.push(t.Context(), late))

	traces := b.fake.Traces()
	require.Len(t, traces, 1)
	assert.Equal(t, "tr-"+pcommon.TraceID{7}.String(), traces[0].ID)
	assert.Len(t, traces[0].Spans, 5)
	assert.Len(t, traces[0].Runs, 2, "both runs are linked to it")
	for i, span := range traces[0].Spans[:4] {
		want := batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(i)
		assert.Equal(t, want.Attributes().AsRaw(), span.Attributes().AsRaw())
		assert.Equal(t, want.ParentSpanID(), span.ParentSpanID())
	}
}

func TestRejectedCallWhoseTraceComesAgainIsCountedOnce(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Traces.Mode, c.Experiment.OnDeleted = TracesWhole, OnDeletedReject })
	require.NoError(t, b.push(t.Context(), llmCalls(1, "tech_educator")))
	b.fake.DeleteExperiment(b.fake.Experiments()[0].Name)
	faults := 2
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "v1/traces" && faults > 0 {
			faults--
			return trackingtest.Fault{Status: http.StatusServiceUnavailable}
		}
		return trackingtest.Fault{}
	})
	batch := without(llmCalls(2, "tech_educator", "viral_content_creator"), "0101", "0202")
	for b.push(t.Context(), batch) != nil {
		require.Less(t, b.fake.Calls("v1/traces"), 10)
	}
	metadatatest.AssertEqualMlflowRunsRejected(t, b.telemetry,
		count(1, attribute.String("reason", "experiment_deleted")), metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualMlflowRunsWritten(t, b.telemetry, count(2), metricdatatest.IgnoreTimestamp())
}

func TestDebugLogSaysWhyASpanBecameWhatItBecame(t *testing.T) {
	const secret = "What is 2+2?"
	b := newBench(t, nil)
	traces := llmCalls(1, "tech_educator")
	resource := traces.ResourceSpans().At(0)
	resource.ScopeSpans().At(0).Scope().SetName("openaiotel")
	agent := resource.ScopeSpans().At(0).Spans().AppendEmpty()
	agent.SetSpanID([8]byte{9})
	agent.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationInvokeAgent)
	agent.Attributes().PutStr(semconv.GenAIInputMessages, userMessage(secret))
	require.NoError(t, b.push(t.Context(), traces))

	became := b.logs.FilterMessage("A span became a run").All()
	require.Len(t, became, 1)
	fields := became[0].ContextMap()
	assert.Equal(t, b.fake.Runs()[0].ID, fields["run_id"])
	assert.Equal(t, "tech_educator_"+time.Now().UTC().Format(time.DateOnly), fields["experiment"])
	assert.Equal(t, "openaiotel", fields["instrumentation"])
	assert.Equal(t, "chat", fields["operation"])

	none := b.logs.FilterMessage("A span became no run").All()
	require.Len(t, none, 1)
	assert.Equal(t, "operation", none[0].ContextMap()["reason"])
	assert.Equal(t, "invoke_agent", none[0].ContextMap()["operation"])
	for _, entry := range b.logs.All() {
		assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), secret)
	}
}

func TestNewExperimentsAreLoggedWithTheirPage(t *testing.T) {
	b := newBench(t, nil)
	require.NoError(t, b.push(t.Context(), llmCalls(1, "tech_educator")))
	created := b.logs.FilterMessage("Created experiment").All()
	require.Len(t, created, 1)
	assert.Equal(t, b.fake.URL+"/#/experiments/1/runs?workflowType=machine_learning", created[0].ContextMap()["url"])
}
