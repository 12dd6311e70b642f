// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadata"
	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadatatest"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

// bench is an exporter without queue and retry before a fake MLflow.
type bench struct {
	*mlflowExporter
	fake      *trackingtest.Fake
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs
}

func newBench(t *testing.T, change func(*Config)) *bench {
	b := &bench{fake: trackingtest.NewFake(), telemetry: componenttest.NewTelemetry()}
	config := createDefaultConfig().(*Config)
	config.ClientConfig.Endpoint = b.fake.URL
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	core, logs := observer.New(zap.DebugLevel)
	b.logs = logs
	set := exportertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = b.telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	b.restart(t, set, config)
	t.Cleanup(func() {
		require.NoError(t, b.shutdown(context.Background()))
		b.fake.Close()
		require.NoError(t, b.telemetry.Shutdown(context.Background()))
	})
	return b
}

// restart makes a new exporter, as a new process would.
func (b *bench) restart(t *testing.T, set exporter.Settings, config *Config) {
	e, err := newExporter(set, config)
	require.NoError(t, err)
	require.NoError(t, e.start(t.Context(), componenttest.NewNopHost()))
	if store, ok := e.store.(*rest); ok {
		store.horizon.started = time.Now().Add(-time.Hour) // spans that end now are new
	}
	b.mlflowExporter = e
}

func (b *bench) rest() *rest { return b.store.(*rest) }

// failed returns the spans that come again because of err, by their ids.
func failed(t *testing.T, err error) []string {
	var again consumererror.Traces
	require.ErrorAs(t, err, &again)
	var ids []string
	for _, resource := range again.Data().ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				ids = append(ids, span.SpanID().String())
			}
		}
	}
	return ids
}

// llmCalls are n calls of each persona, a resource each.
func llmCalls(n int, personas ...string) ptrace.Traces {
	traces := ptrace.NewTraces()
	for p, persona := range personas {
		resource := traces.ResourceSpans().AppendEmpty()
		resource.Resource().Attributes().PutStr(semconv.ServiceName, "persona-bot")
		scope := resource.ScopeSpans().AppendEmpty()
		for i := range n {
			span := scope.Spans().AppendEmpty()
			span.SetTraceID([16]byte{byte(p + 1), byte(i + 1)})
			span.SetSpanID([8]byte{byte(p + 1), byte(i + 1)})
			span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(-time.Second)))
			span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now()))
			a := span.Attributes()
			a.PutStr(semconv.GenAIOperationName, semconv.OperationChat)
			a.PutStr(semconv.GenAIRequestModel, "gpt-4o")
			a.PutStr(semconv.PersonaID, persona)
			a.PutInt(semconv.GenAIUsageInputTokens, 10)
			a.PutInt(semconv.GenAIUsageOutputTokens, int64(i))
			a.PutStr(semconv.GenAIInputMessages, `[{"role":"user","parts":[{"type":"text","content":"What is 2+2?"}]}]`)
			a.PutStr(semconv.GenAIOutputMessages, `[{"role":"assistant","parts":[{"type":"text","content":"4"}]}]`)
		}
	}
	return traces
}

// without returns the batch without the spans whose ids begin so.
func without(batch ptrace.Traces, ids ...string) ptrace.Traces {
	for _, resource := range batch.ResourceSpans().All() {
		resource.ScopeSpans().At(0).Spans().RemoveIf(func(span ptrace.Span) bool {
			return slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(span.SpanID().String(), id) })
		})
	}
	return batch
}

// requireWritten requires one finished run with all its values for each of the calls.
func requireWritten(t *testing.T, fake *trackingtest.Fake, n int) {
	t.Helper()
	runs := fake.Runs()
	spans := make(map[string]bool)
	for _, r := range runs {
		spans[r.Tags["otel.trace_id"]+r.Tags["otel.span_id"]] = true
		assert.Equal(t, "FINISHED", r.Status)
		assert.NotZero(t, r.End)
		assert.Equal(t, "What is 2+2?", r.Params["prompt"])
		assert.Equal(t, "4", r.Params["response"])
		assert.InDelta(t, 10, r.Metrics["prompt_tokens"], 0)
	}
	assert.Len(t, runs, n)
	assert.Len(t, spans, n, "a span has two runs")
}

func count(n int64, attributes ...attribute.KeyValue) []metricdata.DataPoint[int64] {
	return []metricdata.DataPoint[int64]{{Value: n, Attributes: attribute.NewSet(attributes...)}}
}

func TestCallsBecomeRunsOfTheirPersonaAndDay(t *testing.T) {
	b := newBench(t, nil)
	require.NoError(t, b.push(t.Context(), llmCalls(3, "tech_educator", "viral_content_creator")))
	requireWritten(t, b.fake, 6)

	today := time.Now().UTC().Format(time.DateOnly)
	byName := make(map[string]trackingtest.Experiment)
	for _, e := range b.fake.Experiments() {
		byName[e.Name] = e
	}
	require.Len(t, byName, 2)
	for _, persona := range []string{"tech_educator", "viral_content_creator"} {
		e := byName[persona+"_"+today]
		assert.Equal(t, persona, e.Tags["persona_id"])
		assert.Equal(t, today, e.Tags["date"])
		for _, r := range b.fake.Runs() {
			assert.Equal(t, r.ExperimentID == e.ID, r.Tags["persona_id"] == persona)
		}
	}
	assert.Equal(t, 4, b.fake.Calls("experiments/get-by-name"), "each experiment is looked for once, and once it is created")
	assert.Equal(t, 2, b.fake.Calls("experiments/create"))
	assert.Zero(t, b.fake.Calls("runs/search"), "no look-up on the normal path")
	metadatatest.AssertEqualMlflowRunsWritten(t, b.telemetry, count(6), metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualMlflowExperimentsCreated(t, b.telemetry, count(2), metricdatatest.IgnoreTimestamp())
}

func TestOtherSpansAreSkippedAndCounted(t *testing.T) {
	b := newBench(t, nil)
	traces := llmCalls(1, "tech_educator")
	spans := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	spans.AppendEmpty().SetName("GET /")
	spans.AppendEmpty().Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationInvokeAgent)
	spans.AppendEmpty().Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationExecuteTool)
	require.NoError(t, b.push(t.Context(), traces))
	requireWritten(t, b.fake, 1)
	metadatatest.AssertEqualMlflowSpansSkipped(t, b.telemetry, []metricdata.DataPoint[int64]{
		{Value: 1, Attributes: attribute.NewSet(attribute.String("reason", "not_genai"))},
		{Value: 2, Attributes: attribute.NewSet(attribute.String("reason", "operation"))},
	}, metricdatatest.IgnoreTimestamp())
}

// TestEveryFaultIsHealedByRetrying makes each call of a run fail in each way, once for each run, and retries what comes
// back until nothing does.
func TestEveryFaultIsHealedByRetrying(t *testing.T) {
	faults := map[string]trackingtest.Fault{
		"lost answer": {LoseAnswer: true},
		"lost call":   {LoseCall: true},
		"401":         {Status: http.StatusUnauthorized},
		"403":         {Status: http.StatusForbidden},
		"404":         {Status: http.StatusNotFound},
		"408":         {Status: http.StatusRequestTimeout},
		"429":         {Status: http.StatusTooManyRequests},
		"500":         {Status: http.StatusInternalServerError},
		"502":         {Status: http.StatusBadGateway},
		"503":         {Status: http.StatusServiceUnavailable},
		"504":         {Status: http.StatusGatewayTimeout},
	}
	calls := []string{"experiments/get-by-name", "experiments/create", "runs/create", "runs/log-batch", "runs/update"}
	for name, fault := range faults {
		for _, at := range calls {
			t.Run(name+" at "+at, func(t *testing.T) {
				b := newBench(t, nil)
				left := 4
				b.fake.SetFault(func(call string) trackingtest.Fault {
					if call != at || left == 0 {
						return trackingtest.Fault{}
					}
					left--
					return fault
				})
				batch := llmCalls(5, "tech_educator")
				attempts := 0
				for ; batch.SpanCount() > 0; attempts++ {
					require.Less(t, attempts, 10)
					err := b.push(t.Context(), batch)
					if err == nil {
						break
					}
					var again consumererror.Traces
					require.ErrorAs(t, err, &again)
					assert.False(t, consumererror.IsPermanent(err))
					batch = again.Data()
				}
				assert.Positive(t, attempts)
				requireWritten(t, b.fake, 5)
				assert.Len(t, b.fake.Experiments(), 1)
			})
		}
	}
}

func TestOnlyWhatFailedComesAgain(t *testing.T) {
	b := newBench(t, nil)
	n := 0
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "runs/create" {
			if n++; n <= 2 {
				return trackingtest.Fault{Status: http.StatusServiceUnavailable, RetryAfter: "7"}
			}
		}
		return trackingtest.Fault{}
	})
	err := b.push(t.Context(), llmCalls(2, "tech_educator", "viral_content_creator"))
	require.Error(t, err)
	assert.Len(t, failed(t, err), 2)
	assert.Len(t, b.fake.Runs(), 2)
	assert.Contains(t, fmt.Sprintf("%+v", err), "7s", "Retry-After is handed to the retry")
}

func TestRequestsAreCountedByTheirOutcome(t *testing.T) {
	b := newBench(t, nil)
	n := 0
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "runs/create" || call == "runs/log-batch" {
			if n++; n <= 2 {
				return trackingtest.Fault{Status: http.StatusServiceUnavailable}
			}
		}
		return trackingtest.Fault{}
	})
	batch := llmCalls(2, "tech_educator")
	require.Error(t, b.push(t.Context(), batch))
	metadatatest.AssertEqualMlflowRunsWaiting(t, b.telemetry, count(2), metricdatatest.IgnoreTimestamp())
	require.NoError(t, b.push(t.Context(), batch))
	metadatatest.AssertEqualMlflowRunsWaiting(t, b.telemetry, count(0), metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualMlflowRunsInFlight(t, b.telemetry, count(0), metricdatatest.IgnoreTimestamp())

	assert.Equal(t, map[string]uint64{
		"experiments/get-by-name absent": 1, "experiments/create ok": 1, "experiments/get-by-name ok": 1,
		"runs/create unknown": 2, "runs/search ok": 1,
		"runs/create ok": 2, "runs/log-batch ok": 2, "runs/update ok": 2, "v1/traces ok": 1, "traces/link-to-run ok": 2,
	}, requests(t, b))
}

// requests are how many there were, by endpoint and outcome, without the start's.
func requests(t *testing.T, b *bench) map[string]uint64 {
	got, err := b.telemetry.GetMetric("otelcol_mlflow_request_duration")
	require.NoError(t, err)
	requests := make(map[string]uint64)
	for _, point := range got.Data.(metricdata.Histogram[float64]).DataPoints {
		endpoint, _ := point.Attributes.Value("endpoint")
		outcome, _ := point.Attributes.Value("outcome")
		requests[endpoint.AsString()+" "+outcome.AsString()] = point.Count
	}
	delete(requests, "experiments/search ok")
	delete(requests, "version ok")
	return requests
}

func TestSpansOfAnEarlierProcessAreLookedUp(t *testing.T) {
	b := newBench(t, nil)
	batch := llmCalls(3, "tech_educator")
	require.NoError(t, b.push(t.Context(), batch))

	// One run of the earlier process is only begun.
	b.fake.SetFault(func(call string) trackingtest.Fault {
		return trackingtest.Fault{LoseCall: call == "runs/log-batch"}
	})
	half := without(llmCalls(4, "tech_educator"), "0101", "0102", "0103")
	require.Error(t, b.push(t.Context(), half))
	b.fake.SetFault(nil)

	b.again(t, func(*Config) {})
	require.NoError(t, b.push(t.Context(), batch))
	require.NoError(t, b.push(t.Context(), half))
	requireWritten(t, b.fake, 4)
	metadatatest.AssertEqualMlflowRunsFound(t, b.telemetry, count(3), metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualMlflowRunsWritten(t, b.telemetry, count(4), metricdatatest.IgnoreTimestamp())
}

// again is b as a new process with another config would be, that gets all of it again.
func (b *bench) again(t *testing.T, change func(*Config)) {
	set := exportertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = b.mlflowExporter.settings
	require.NoError(t, b.shutdown(t.Context()))
	config := *b.config
	change(&config)
	b.restart(t, set, &config)
	b.rest().horizon.started = time.Now()
}

// TestHalfWrittenRunIsFinishedAlthoughTheConfigHasChanged: its params cannot be changed any more.
func TestHalfWrittenRunIsFinishedAlthoughTheConfigHasChanged(t *testing.T) {
	for name, other := range map[string]func(*Config){
		"another process": func(*Config) {},
		"another config":  func(c *Config) { c.Content.Mode = "hash" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.fake.SetFault(func(call string) trackingtest.Fault { return trackingtest.Fault{LoseCall: call == "runs/update"} })
			batch := llmCalls(2, "tech_educator")
			require.Error(t, b.push(t.Context(), batch))
			b.fake.SetFault(nil)
			b.again(t, other)
			require.NoError(t, b.push(t.Context(), batch))
			requireWritten(t, b.fake, 2)
			metadatatest.AssertEqualMlflowRunsWritten(t, b.telemetry, count(2), metricdatatest.IgnoreTimestamp())
			_, err := b.telemetry.GetMetric("otelcol_mlflow_runs_rejected")
			require.Error(t, err, "accepted calls are rejected")
		})
	}
}

// TestHalfWrittenRunOfAnotherProcessIsNotDeleted, whatever is wrong with its span here.
func TestHalfWrittenRunOfAnotherProcessIsNotDeleted(t *testing.T) {
	b := newBench(t, nil)
	b.fake.SetFault(func(call string) trackingtest.Fault { return trackingtest.Fault{LoseCall: call == "runs/log-batch"} })
	batch := llmCalls(1, "tech_educator")
	require.Error(t, b.push(t.Context(), batch))
	b.again(t, func(*Config) {})
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "runs/log-batch" {
			return trackingtest.Fault{Status: http.StatusRequestEntityTooLarge}
		}
		return trackingtest.Fault{}
	})
	require.NoError(t, b.push(t.Context(), batch))
	metadatatest.AssertEqualMlflowRunsRejected(t, b.telemetry,
		count(1, attribute.String("reason", "refused")), metricdatatest.IgnoreTimestamp())
	assert.Len(t, b.fake.Runs(), 1)
	assert.Zero(t, b.fake.Calls("runs/delete"))
}

func TestSpanThatComesTwiceHasOneRun(t *testing.T) {
	b := newBench(t, nil)
	batch := llmCalls(3, "tech_educator")
	spans := batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	spans.At(1).CopyTo(spans.AppendEmpty()) // in one batch
	for batch.SpanCount() > 0 {
		err := b.push(t.Context(), batch)
		if err == nil {
			break
		}
		var again consumererror.Traces
		require.ErrorAs(t, err, &again)
		batch = again.Data()
	}
	require.NoError(t, b.push(t.Context(), llmCalls(3, "tech_educator"))) // and later
	requireWritten(t, b.fake, 3)
}

func TestDeletedExperimentIsRestored(t *testing.T) {
	b := newBench(t, nil)
	require.NoError(t, b.push(t.Context(), llmCalls(1, "tech_educator")))
	b.fake.DeleteExperiment(b.fake.Experiments()[0].Name)

	batch := without(llmCalls(2, "tech_educator"), "0101") // which is written already
	err := b.push(t.Context(), batch)
	require.Error(t, err, "the id that is remembered is not active")
	assert.False(t, consumererror.IsPermanent(err))
	require.NoError(t, b.push(t.Context(), batch))
	requireWritten(t, b.fake, 2)
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("Restored experiment").Len())
}

func TestDeletedExperimentIsRejectedWhereConfigured(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Experiment.OnDeleted = OnDeletedReject })
	require.NoError(t, b.push(t.Context(), llmCalls(1, "tech_educator")))
	b.fake.DeleteExperiment(b.fake.Experiments()[0].Name)
	// 0101 is written already.
	require.Error(t, b.push(t.Context(), without(llmCalls(2, "tech_educator"), "0101")), "the id that is remembered is not active")

	batch := without(llmCalls(2, "tech_educator", "viral_content_creator"), "0101", "0202")
	require.NoError(t, b.push(t.Context(), batch), "the rest of the batch goes on")
	assert.Len(t, b.fake.Runs(), 2)
	metadatatest.AssertEqualMlflowRunsRejected(t, b.telemetry,
		count(1, attribute.String("reason", "experiment_deleted")), metricdatatest.IgnoreTimestamp())
}

func TestIdThatBelongsToAnotherExperimentNowIsNotUsed(t *testing.T) {
	b := newBench(t, nil)
	require.NoError(t, b.push(t.Context(), llmCalls(1, "tech_educator", "viral_content_creator")))
	all := b.fake.Experiments()
	require.Len(t, all, 2)
	// As if the first had been removed for good, and the second had got its id.
	b.experiments.byName.Add(all[0].Name, resolved{tracking.Experiment{ID: all[1].ID, Name: all[0].Name}, time.Now().Add(-maxTrust)})
	again := llmCalls(2, "tech_educator", "viral_content_creator")
	require.NoError(t, b.push(t.Context(), again))
	for _, r := range b.fake.Runs() {
		for _, e := range all {
			assert.Equal(t, e.ID == r.ExperimentID, e.Tags["persona_id"] == r.Tags["persona_id"])
		}
	}
	requireWritten(t, b.fake, 4)
}

func TestLostRaceForAnExperimentIsNoError(t *testing.T) {
	b := newBench(t, nil)
	raced := false
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "experiments/create" && !raced {
			raced = true
			return trackingtest.Fault{LoseAnswer: true} // created, as another collector would have
		}
		return trackingtest.Fault{}
	})
	require.Error(t, b.push(t.Context(), llmCalls(1, "tech_educator")))
	require.NoError(t, b.push(t.Context(), llmCalls(1, "tech_educator")))
	assert.Len(t, b.fake.Experiments(), 1)
}

func TestRefusedRunIsRejectedAndItsBatchGoesOn(t *testing.T) {
	const secret = "What is 2+2?"
	deadLetters := filepath.Join(t.TempDir(), "dead.jsonl")
	b := newBench(t, func(c *Config) { c.MaxConcurrency, c.DeadLetter.Path = 1, deadLetters })
	n := 0
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "runs/log-batch" {
			if n++; n == 2 {
				return trackingtest.Fault{Status: http.StatusRequestEntityTooLarge}
			}
		}
		return trackingtest.Fault{}
	})
	require.NoError(t, b.push(t.Context(), llmCalls(3, "tech_educator")))
	requireWritten(t, b.fake, 2)
	metadatatest.AssertEqualMlflowRunsRejected(t, b.telemetry,
		count(1, attribute.String("reason", "refused")), metricdatatest.IgnoreTimestamp())
	entries := b.logs.FilterMessage("No run is written for this LLM call").All()
	require.Len(t, entries, 1)
	assert.Contains(t, entries[0].ContextMap(), "span_id")
	for _, entry := range b.logs.All() {
		assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), secret)
	}

	// What was rejected can be sent again.
	lines, err := os.ReadFile(deadLetters)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(lines), "\n"))
	again, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(lines)
	require.NoError(t, err)
	require.NoError(t, b.push(t.Context(), again))
	requireWritten(t, b.fake, 3)
}

// Lines that were not written whole, because the disk was full, do not spoil the next.
func TestDeadLetterAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("{}\n{\"resourceSp"), 0o600))
	letters, err := openDeadLetter(path)
	require.NoError(t, err)
	b := newBench(t, nil)
	calls := b.calls(t.Context(), llmCalls(2, "tech_educator"))
	for i := range calls {
		require.NoError(t, letters.keep(&calls[i]))
	}
	require.NoError(t, letters.close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	require.Len(t, lines, 4)
	for _, line := range lines[2:] {
		kept, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(line))
		require.NoError(t, err)
		assert.Equal(t, 1, kept.SpanCount())
	}
}

func TestSpansWithoutIDsAreRejected(t *testing.T) {
	b := newBench(t, nil)
	batch := llmCalls(4, "tech_educator")
	spans := batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	spans.At(0).SetTraceID(pcommon.TraceID{})
	spans.At(1).SetSpanID(pcommon.SpanID{})
	spans.At(2).SetTraceID(pcommon.TraceID{})
	spans.At(2).SetSpanID(pcommon.SpanID{})
	require.NoError(t, b.push(t.Context(), batch))
	requireWritten(t, b.fake, 1)
	metadatatest.AssertEqualMlflowRunsRejected(t, b.telemetry,
		count(3, attribute.String("reason", "no_id")), metricdatatest.IgnoreTimestamp())
	assert.Equal(t, 3, b.logs.FilterMessage("No run is written for this LLM call").Len())
}

// A panic that came back from the queue after each restart would end the collector for ever.
func TestPanicOfTheReaderRejectsTheCall(t *testing.T) {
	b := newBench(t, nil)
	b.reader = nil
	require.NoError(t, b.push(t.Context(), llmCalls(2, "tech_educator")))
	metadatatest.AssertEqualMlflowRunsRejected(t, b.telemetry,
		count(2, attribute.String("reason", "internal")), metricdatatest.IgnoreTimestamp())
}

func TestPersonasThatFitNoNameAreCounted(t *testing.T) {
	b := newBench(t, nil)
	require.NoError(t, b.push(t.Context(), llmCalls(2, "tech_educator", " tech\neducator ", strings.Repeat("x", 300), "")))
	metadatatest.AssertEqualMlflowPersonasNormalized(t, b.telemetry, count(4), metricdatatest.IgnoreTimestamp())
}

func TestOutageIsLoggedOnce(t *testing.T) {
	b := newBench(t, nil)
	b.fake.SetFault(func(string) trackingtest.Fault { return trackingtest.Fault{Status: http.StatusUnauthorized} })
	for range 5 {
		require.Error(t, b.push(t.Context(), llmCalls(3, "tech_educator", "viral_content_creator")))
	}
	warnings := b.logs.FilterMessageSnippet("Runs cannot be written now").All()
	require.Len(t, warnings, 1)
	assert.Contains(t, fmt.Sprint(warnings[0].ContextMap()["error"]), "set `auth` to")

	b.fake.SetFault(nil)
	for range 2 {
		require.NoError(t, b.push(t.Context(), llmCalls(1, "tech_educator")))
	}
	assert.Equal(t, 1, b.logs.FilterMessage("Runs can be written again").Len())
}

func TestConcurrencyIsLimitedOverAllPushes(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxConcurrency = 2 })
	var now, most atomic.Int64
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: &countingTransport{base: transport, now: &now, most: &most}}
	b.rest().writer.client = tracking.NewClient(client, b.fake.URL, "")
	done := make(chan error)
	for _, others := range [][]string{{"02", "03"}, {"01", "03"}, {"01", "02"}} {
		go func() { done <- b.push(t.Context(), without(llmCalls(10, "a", "b", "c"), others...)) }()
	}
	for range 3 {
		require.NoError(t, <-done)
	}
	assert.LessOrEqual(t, most.Load(), int64(2))
}

type countingTransport struct {
	base      http.RoundTripper
	now, most *atomic.Int64
}

func (c *countingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for {
		most := c.most.Load()
		if n <= most || c.most.CompareAndSwap(most, n) {
			return c.base.RoundTrip(req)
		}
	}
}

func TestCancelledPushKeepsItsSpans(t *testing.T) {
	b := newBench(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.push(ctx, llmCalls(3, "tech_educator"))
	require.ErrorIs(t, err, context.Canceled)
	ids := failed(t, err)
	slices.Sort(ids)
	assert.Equal(t, []string{"0101000000000000", "0102000000000000", "0103000000000000"}, ids)
}

// slowCreate holds back one create until it is let go, as a server does that is busy for longer than the client waits.
type slowCreate struct {
	http.RoundTripper
	held chan func()
	once atomic.Bool
}

func (s *slowCreate) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, "runs/create") || !s.once.CompareAndSwap(false, true) {
		return s.RoundTripper.RoundTrip(req)
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	late := req.Clone(context.Background())
	late.Body = body
	s.held <- func() {
		if resp, err := s.RoundTripper.RoundTrip(late); err == nil {
			_ = resp.Body.Close()
		}
	}
	return nil, context.DeadlineExceeded
}

func TestCreateThatIsCarriedOutLateLeavesOneRun(t *testing.T) {
	b := newBench(t, func(c *Config) { c.ReconcileAfter = time.Second })
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	slow := &slowCreate{RoundTripper: transport, held: make(chan func(), 1)}
	b.rest().writer.client = tracking.NewClient(&http.Client{Transport: slow}, b.fake.URL, "")

	batch := llmCalls(1, "tech_educator")
	require.Error(t, b.push(t.Context(), batch))
	require.NoError(t, b.push(t.Context(), batch))
	requireWritten(t, b.fake, 1)
	(<-slow.held)()
	require.Len(t, b.fake.Runs(), 2, "the late create made a second run")

	// Until the doubt is settled, which is after the deletion was counted.
	require.Eventually(t, func() bool { return b.rest().writer.doubts.waiting() == 0 }, 20*time.Second, 10*time.Millisecond)
	requireWritten(t, b.fake, 1)
	metadatatest.AssertEqualMlflowRunsDeduplicated(t, b.telemetry, count(1), metricdatatest.IgnoreTimestamp())
}

func TestSpanSentToTwoCollectorsHasOneRun(t *testing.T) {
	always := func(c *Config) { c.Dedupe, c.ReconcileAfter = DedupeAlways, time.Second }
	b := newBench(t, always)
	other := newBench(t, func(c *Config) { always(c); c.ClientConfig.Endpoint = b.fake.URL })

	batch := llmCalls(10, "tech_educator")
	done := make(chan error)
	go func() { done <- other.push(t.Context(), batch) }()
	require.NoError(t, b.push(t.Context(), batch))
	require.NoError(t, <-done)
	// Until all doubts are settled.
	require.Eventually(t, func() bool {
		return b.rest().writer.doubts.waiting()+other.rest().writer.doubts.waiting() == 0
	}, 20*time.Second, 10*time.Millisecond)
	requireWritten(t, b.fake, 10)
}

// Of two collectors that write a span, one sees that only its own run is finished, so it will keep that; before it has
// deleted the other, that is finished too, and by the same rule the other collector keeps it.
func TestCollectorsThatKeepDifferentRunsLeaveOne(t *testing.T) {
	b := newBench(t, nil)
	experiment, err := b.rest().writer.client.CreateExperiment(t.Context(), "x", nil)
	require.NoError(t, err)
	span := key{trace: [16]byte{1, 2}, span: [8]byte{3}}
	create := func() string {
		id, err := b.rest().writer.client.CreateRun(t.Context(), tracking.NewRun{ExperimentID: experiment, Tags: []tracking.KeyValue{
			{Key: "otel.trace_id", Value: span.trace.String()}, {Key: "otel.span_id", Value: span.span.String()},
		}})
		require.NoError(t, err)
		return id
	}
	running, finished := create(), create() // the one that is not finished has the smaller id
	require.NoError(t, b.rest().writer.client.UpdateRun(t.Context(), finished, tracking.StatusFinished, 1))

	collector := func(client *tracking.Client) *doubts {
		d := newDoubts(client, time.Minute, &memory{values: make(map[string][]byte)}, b.telemetryBuilder(), zap.NewNop())
		d.add(t.Context(), sought{key: span}, experiment)
		return d
	}
	other := collector(b.rest().writer.client)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	now := time.Now()
	round := func(d *doubts) {
		now = now.Add(time.Hour)
		d.settleDue(t.Context(), now)
	}
	one := collector(tracking.NewClient(&http.Client{Transport: &beforeDelete{RoundTripper: transport, do: func() {
		require.NoError(t, b.rest().writer.client.UpdateRun(t.Context(), running, tracking.StatusFinished, 1))
		round(other)
	}}}, b.fake.URL, ""))

	round(one)
	require.Empty(t, b.fake.Runs(), "each has deleted what the other keeps")
	for range 3 {
		round(one)
		round(other)
	}
	require.Len(t, b.fake.Runs(), 1)
	assert.Zero(t, one.waiting()+other.waiting())
}

// beforeDelete does something before the first run is deleted.
type beforeDelete struct {
	http.RoundTripper
	do func()
}

func (b *beforeDelete) RoundTrip(req *http.Request) (*http.Response, error) {
	if do := b.do; do != nil && strings.HasSuffix(req.URL.Path, "/runs/delete") {
		b.do = nil
		do()
	}
	return b.RoundTripper.RoundTrip(req)
}

func TestDoubtsSurviveTheProcess(t *testing.T) {
	b := newBench(t, nil)
	store := &memory{values: make(map[string][]byte)}
	first := newDoubts(b.rest().writer.client, time.Hour, store, b.telemetryBuilder(), zap.NewNop())
	span := key{trace: [16]byte{1, 2}, span: [8]byte{3}}
	first.add(t.Context(), sought{key: span}, "7")

	second := newDoubts(b.rest().writer.client, time.Hour, store, b.telemetryBuilder(), zap.NewNop())
	require.NoError(t, second.load(t.Context()))
	assert.EqualValues(t, 1, second.waiting())
	assert.Contains(t, second.open, span)
	second.remove(t.Context(), span)

	third := newDoubts(b.rest().writer.client, time.Hour, store, b.telemetryBuilder(), zap.NewNop())
	require.NoError(t, third.load(t.Context()))
	assert.Zero(t, third.waiting())
}

func TestStorageThatForgetsDoubtsIsSaid(t *testing.T) {
	for want, store := range []storage.Client{storage.NewNopClient(), struct{ storage.Client }{storage.NewNopClient()}} {
		core, logs := observer.New(zap.WarnLevel)
		require.NoError(t, newDoubts(nil, time.Hour, store, nil, zap.New(core)).load(t.Context()))
		assert.Equal(t, want, logs.Len())
	}
}

// A day without answers is no reason to stop looking; a day in which nobody has finished the run is.
func TestDoubtIsGivenUpWhenNobodyFinishesTheRun(t *testing.T) {
	b := newBench(t, nil)
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "runs/update" {
			return trackingtest.Fault{Status: http.StatusServiceUnavailable}
		}
		return trackingtest.Fault{}
	})
	batch := llmCalls(1, "tech_educator")
	require.Error(t, b.push(t.Context(), batch))
	span := key{trace: [16]byte{1, 1}, span: [8]byte{1, 1}}
	doubts := newDoubts(b.rest().writer.client, time.Minute, storage.NewNopClient(), b.telemetryBuilder(), zap.NewNop())
	doubts.add(t.Context(), sought{key: span}, b.fake.Experiments()[0].ID)
	b.fake.SetFault(func(string) trackingtest.Fault { return trackingtest.Fault{LoseCall: true} })
	doubts.settleDue(t.Context(), time.Now().Add(2*maxDoubtAge))
	require.EqualValues(t, 1, doubts.waiting())
	b.fake.SetFault(nil)
	doubts.settleDue(t.Context(), time.Now().Add(2*maxDoubtAge))
	require.Zero(t, doubts.waiting())
	metadatatest.AssertEqualMlflowDoubtsDropped(t, b.telemetry, count(1), metricdatatest.IgnoreTimestamp())
}

// The clock of the application is ahead, so that the span ends after the second process has started.
func TestSpansOfAnEarlierProcessAreKnownByAWrongClockToo(t *testing.T) {
	store := &memory{values: make(map[string][]byte)}
	start := func() *horizon {
		h, err := loadHorizon(t.Context(), store, time.Now(), zap.NewNop())
		require.NoError(t, err)
		return h
	}
	first := start()
	now := time.Now()
	assert.True(t, first.mayBeOld(now), "another process may have stopped just before")
	assert.False(t, first.mayBeOld(now.Add(10*time.Minute)))
	first.extend(t.Context(), now)
	assert.Empty(t, store.values, "a right clock costs nothing")
	first.extend(t.Context(), now.Add(10*time.Minute))
	first.extend(t.Context(), now.Add(48*time.Hour))
	assert.False(t, first.mayBeOld(now.Add(10*time.Minute)), "it is this process that has written it")

	second := start()
	assert.True(t, second.mayBeOld(now.Add(10*time.Minute)))
	assert.False(t, second.mayBeOld(now.Add(12*time.Minute)))
	assert.True(t, second.mayBeOld(now.Add(48*time.Hour)), "a clock that is off by days")

	doubts := newDoubts(nil, time.Hour, store, nil, zap.NewNop())
	require.NoError(t, doubts.load(t.Context()))
	assert.Zero(t, doubts.waiting(), "doubts are in the same storage")
}

func (b *bench) telemetryBuilder() *metadata.TelemetryBuilder { return b.mlflowExporter.telemetry }

// memory is a storage for one test.
type memory struct {
	storage.Client
	values map[string][]byte
}

func (m *memory) Set(_ context.Context, key string, value []byte) error {
	m.values[key] = value
	return nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) { return m.values[key], nil }

func (m *memory) Delete(_ context.Context, key string) error {
	delete(m.values, key)
	return nil
}

func (m *memory) Walk(_ context.Context, visit storage.WalkFunc) error {
	for key, value := range m.values {
		ops, err := visit(key, value)
		if err != nil {
			return err
		}
		for _, op := range ops {
			delete(m.values, op.Key)
		}
	}
	return nil
}

func TestTooManyPersonasShareTheDefaultExperiment(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Experiment.MaxPerDay, c.MaxConcurrency = 2, 1 })
	require.NoError(t, b.push(t.Context(), llmCalls(2, "a", "b", "c", "d", "a")))
	var names []string
	for _, e := range b.fake.Experiments() {
		names = append(names, strings.Split(e.Name, "_")[0])
	}
	slices.Sort(names)
	assert.Len(t, names, 3)
	assert.Equal(t, "unknown", names[2])
	personas := make(map[string]int)
	for _, r := range b.fake.Runs() {
		assert.Equal(t, r.Tags["persona_id"], r.Params["persona_id"])
		personas[r.Tags["persona_id"]]++
	}
	assert.Equal(t, map[string]int{"a": 4, "b": 2, "c": 2, "d": 2}, personas, "the persona itself is kept")
	metadatatest.AssertEqualMlflowSpansOverflowed(t, b.telemetry, count(4), metricdatatest.IgnoreTimestamp())
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("max_per_day").Len())
}

// The spans come again in another order, so that a day's experiments would be others.
func TestSpanOfADayWithTooManyExperimentsIsFoundAfterACrash(t *testing.T) {
	store := &memory{values: make(map[string][]byte)}
	b := newBench(t, func(c *Config) { c.Experiment.MaxPerDay = 1 })
	stored := func() { b.budget = newBudget(1, store, zap.NewNop()) }
	stored()
	first, second := without(llmCalls(1, "a", "b"), "02"), without(llmCalls(1, "a", "b"), "01")
	require.NoError(t, b.push(t.Context(), first))
	require.NoError(t, b.push(t.Context(), second))
	b.again(t, func(*Config) {})
	stored()
	require.NoError(t, b.push(t.Context(), second))
	require.NoError(t, b.push(t.Context(), first))
	requireWritten(t, b.fake, 2)
}

func TestDaysThatAreOverAreForgotten(t *testing.T) {
	store := &memory{values: make(map[string][]byte)}
	today := time.Now().UTC().Format(time.DateOnly)
	for _, day := range []string{"2020-02-29", today} {
		require.True(t, newBudget(1, store, zap.NewNop()).allows(t.Context(), day, "a"))
	}
	require.NoError(t, newDoubts(nil, time.Hour, store, nil, zap.NewNop()).load(t.Context()))
	assert.Equal(t, []string{budgetPrefix + today}, slices.Collect(maps.Keys(store.values)))
}

func TestStartSaysWhetherMLflowCanBeReached(t *testing.T) {
	b := newBench(t, nil)
	require.Eventually(t, func() bool { return b.logs.FilterMessage("MLflow can be reached").Len() == 1 }, 10*time.Second, time.Millisecond)
}
