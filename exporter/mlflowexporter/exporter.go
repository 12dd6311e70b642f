// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	_ "time/tzdata" // time zones, also in an image that has none

	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadata"
	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/run"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// Why no run is written for a span.
const (
	skippedNotGenAI  = "not_genai"
	skippedAggregate = "aggregate"
	skippedOperation = "operation"
)

// Why MLflow can never take a run.
const (
	rejectedRefused           = "refused"
	rejectedExperimentDeleted = "experiment_deleted"
	rejectedNoID              = "no_id"
	rejectedInternal          = "internal"
)

type mlflowExporter struct {
	config    *Config
	id        component.ID
	settings  component.TelemetrySettings
	telemetry *metadata.TelemetryBuilder
	reader    *genai.Reader
	builder   *run.Builder
	slots     *semaphore.Weighted // one for each call to MLflow that may be under way
	overflow  sync.Once           // logs that a day has too many experiments
	health    health
	// settled holds the calls that come again for what stands beside their runs, or beside other runs: they are counted.
	settled *lru.Cache[key, struct{}]

	// From start on.
	budget      *budget
	experiments *experiments
	store       store
	companions  *companions
	deadLetter  *deadLetter
	stop        func(context.Context) error
}

func newExporter(set exporter.Settings, config *Config) (*mlflowExporter, error) {
	builder, err := config.builder()
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	settled, _ := lru.New[key, struct{}](maxUnfinished) // fails for a size below one only
	return &mlflowExporter{
		config:    config,
		id:        set.ID,
		settings:  set.TelemetrySettings,
		telemetry: telemetry,
		reader:    genai.NewReader(genai.Options{PersonaAttributes: config.Persona.Attributes}),
		builder:   builder,
		slots:     semaphore.NewWeighted(int64(config.MaxConcurrency)),
		health:    health{logger: set.Logger},
		settled:   settled,
	}, nil
}

// start makes what needs the host's extensions: the HTTP client, for authentication, and the memory of doubts.
func (e *mlflowExporter) start(ctx context.Context, host component.Host) error {
	httpClient, err := e.config.ClientConfig.ToClient(ctx, host.GetExtensions(), e.settings)
	if err != nil {
		return fmt.Errorf("making the HTTP client: %w", err)
	}
	client := tracking.NewClient(httpClient, e.config.ClientConfig.Endpoint, e.config.Workspace)
	client.Observe(e.requested)
	if e.deadLetter, err = openDeadLetter(e.config.DeadLetter.Path); err != nil {
		return fmt.Errorf("opening `dead_letter::path`: %w", err)
	}
	if e.store, err = e.openStore(ctx, host, client); err != nil {
		return errors.Join(err, e.deadLetter.close())
	}
	e.experiments = newExperiments(client, e.config.Experiment.OnDeleted, e.telemetry, e.settings.Logger)
	e.companions = newCompanions(e.config, e.builder, client, e.slots, e.telemetry, e.settings.Logger)

	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { e.greet(background, client) })
	running.Go(func() { e.store.run(background) })
	e.stop = func(ctx context.Context) error {
		cancel()
		running.Wait()
		return errors.Join(e.deadLetter.close(), e.store.close(ctx))
	}
	return nil
}

// openStore opens what `store::type` names.
func (e *mlflowExporter) openStore(ctx context.Context, host component.Host, client *tracking.Client) (store, error) {
	if e.config.Store.Type == StorePostgres {
		// A run is found there whatever experiment its span belongs to now.
		e.budget = newBudget(e.config.Experiment.MaxPerDay, storage.NewNopClient(), e.settings.Logger)
		return openPostgres(ctx, e.config, e.slots, e.requested, e.telemetry, e.settings.Logger)
	}
	storage, err := e.storage(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("opening the storage of `sending_queue::storage`: %w", err)
	}
	e.budget = newBudget(e.config.Experiment.MaxPerDay, storage, e.settings.Logger)
	rest, err := openREST(ctx, e.config, client, e.slots, storage, e.telemetry, e.settings.Logger)
	if err != nil {
		return nil, errors.Join(err, storage.Close(ctx))
	}
	return rest, nil
}

// storage returns the exporter's own part of the storage that its queue has, or one that forgets.
func (e *mlflowExporter) storage(ctx context.Context, host component.Host) (storage.Client, error) {
	queue := e.config.QueueConfig.Get()
	if queue == nil || queue.StorageID == nil {
		return storage.NewNopClient(), nil
	}
	extension, ok := host.GetExtensions()[*queue.StorageID].(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("%s is no storage extension of this collector", queue.StorageID)
	}
	return extension.GetClient(ctx, component.KindExporter, e.id, "doubts")
}

// greet asks MLflow for its version, once, so that the log of a collector that just started says whether it can work.
func (e *mlflowExporter) greet(ctx context.Context, client *tracking.Client) {
	version, err := client.Version(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		e.settings.Logger.Warn("MLflow cannot be reached now; spans will wait until it can", zap.Error(err))
	case tracking.TooOld(version):
		e.settings.Logger.Warn("This MLflow is older than the oldest that is supported; upgrade it to "+tracking.OldestVersion+" or newer",
			zap.String("version", version))
	default:
		e.settings.Logger.Info("MLflow can be reached", zap.String("version", version))
	}
}

// requested counts a request to MLflow.
func (e *mlflowExporter) requested(ctx context.Context, endpoint string, took time.Duration, err error) {
	e.telemetry.MlflowRequestDuration.Record(ctx, took.Seconds(), metric.WithAttributeSet(attribute.NewSet(
		attribute.String("endpoint", endpoint), attribute.String("outcome", outcome(err)))))
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case tracking.IsNotFound(err):
		return "absent"
	case tracking.IsAlreadyExists(err):
		return "exists"
	}
	switch class(err) {
	case tracking.Permanent:
		return "refused"
	case tracking.OutcomeUnknown:
		return "unknown"
	default:
		return "retryable"
	}
}

// shutdown is called when the queue is drained or stored; no push is under way.
func (e *mlflowExporter) shutdown(ctx context.Context) error {
	defer e.telemetry.Shutdown()
	if e.stop == nil {
		return nil
	}
	return e.stop(ctx)
}

// call is a span that becomes a run.
type call struct {
	run.Span
	resource, scope, span int // where it is in the batch

	experiment run.Experiment
	found      tracking.Experiment // the experiment in MLflow
	overflowed bool                // its persona's experiment is one too many
	artifacts  []run.Artifact
	runID      string // once the run is there
	settled    bool   // its run is there, or rejected for good
	err        error
}

func (c *call) key() key { return key{trace: c.TraceID(), span: c.SpanID()} }

// push writes the batch's calls as runs. If some can be written later, its error holds just these.
func (e *mlflowExporter) push(ctx context.Context, batch ptrace.Traces) error {
	calls := e.calls(ctx, batch)
	e.resolve(ctx, calls)
	e.store.write(ctx, e.entries(ctx, calls))
	err := e.companions.write(ctx, batch, calls)
	return e.retryable(batch, calls, err)
}

// entries are the calls whose experiments are known.
func (e *mlflowExporter) entries(ctx context.Context, calls []call) []entry {
	var entries []entry
	for i := range calls {
		c := &calls[i]
		if c.err != nil {
			e.failed(ctx, c)
			continue
		}
		entries = append(entries, entry{
			span:       c.key(),
			start:      c.StartTimestamp().AsTime(),
			end:        c.EndTimestamp().AsTime(),
			experiment: c.found,
			build: func() (r run.Run, err error) {
				err = protect(func() { r = e.builder.Run(&c.Span, c.found.TakesArtifacts()) })
				c.artifacts = r.Artifacts
				return r, err
			},
			done: func(runID string, found bool, err error) {
				if c.err = err; err != nil {
					e.failed(ctx, c)
					return
				}
				c.runID = runID
				e.written(ctx, c, found)
			},
		})
	}
	return entries
}

// calls returns the batch's spans that become runs, and counts the others.
func (e *mlflowExporter) calls(ctx context.Context, batch ptrace.Traces) []call {
	var calls []call
	skipped := map[string]int64{}
	for r, resource := range batch.ResourceSpans().All() {
		for s, scope := range resource.ScopeSpans().All() {
			for i, span := range scope.Spans().All() {
				var read genai.Call
				var isCall bool
				err := protect(func() { read, isCall = e.reader.Read(resource.Resource(), scope.Scope(), span) })
				if reason := e.skip(&read, isCall); err == nil && reason != "" {
					skipped[reason]++
					e.explainSkipped(scope.Scope(), span, &read, reason)
					continue
				}
				calls = append(calls, call{
					Span:     run.Span{Resource: resource.Resource(), Scope: scope.Scope(), Span: span, Call: read},
					resource: r, scope: s, span: i, err: err,
				})
			}
		}
	}
	for reason, n := range skipped {
		e.telemetry.MlflowSpansSkipped.Add(ctx, n, metric.WithAttributes(attribute.String("reason", reason)))
	}
	return calls
}

// skip returns why no run is written for a span, or nothing.
func (e *mlflowExporter) skip(read *genai.Call, isCall bool) string {
	switch {
	case !isCall:
		return skippedNotGenAI
	case read.Aggregate && slices.Contains(modelOperations, read.Operation):
		return skippedAggregate // a span that passes for a call and sums the calls below it
	case !slices.Contains(e.config.Runs.Operations, read.Operation):
		return skippedOperation
	}
	return ""
}

// errNoID is a span that cannot be told from others of its kind: MLflow would have one run for all of them.
var errNoID = errors.New("the span has no trace id or no span id, which OpenTelemetry requires")

// errPanic is a bug of ours that one span has brought out. Its value could quote the span, so it is not logged.
var errPanic = errors.New("internal error")

// protect turns a panic into an error.
func protect(f func()) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	f()
	return nil
}

// resolve finds the experiments of all calls, each once.
func (e *mlflowExporter) resolve(ctx context.Context, calls []call) {
	members := make(map[string][]*call)
	for i := range calls {
		c := &calls[i]
		if c.err != nil {
			continue
		}
		if c.TraceID().IsEmpty() || c.SpanID().IsEmpty() {
			c.err = errNoID
			continue
		}
		if c.err = protect(func() { c.experiment, c.overflowed = e.experiment(ctx, c) }); c.err == nil {
			members[c.experiment.Name] = append(members[c.experiment.Name], c)
		}
	}
	var resolving sync.WaitGroup
	for _, members := range members {
		if found, ok := e.experiments.known(members[0].experiment.Name); ok {
			assign(members, found, nil)
			continue
		}
		resolving.Go(func() {
			err := e.slots.Acquire(ctx, 1)
			if err != nil {
				assign(members, tracking.Experiment{}, err)
				return
			}
			defer e.slots.Release(1)
			found, err := e.experiments.find(ctx, members[0].experiment)
			assign(members, found, err)
		})
	}
	resolving.Wait()
}

func assign(members []*call, found tracking.Experiment, err error) {
	for _, c := range members {
		c.found, c.err = found, err
	}
}

// failed decides what becomes of a call after its error: it is rejected, or it comes again.
func (e *mlflowExporter) failed(ctx context.Context, c *call) {
	answer, ok := errors.AsType[*tracking.Error](c.err)
	switch {
	case errors.Is(c.err, errPanic):
		e.reject(ctx, c, rejectedInternal)
		return
	case errors.Is(c.err, errNoID):
		e.reject(ctx, c, rejectedNoID)
		return
	case errors.Is(c.err, errExperimentDeleted):
		e.reject(ctx, c, rejectedExperimentDeleted)
		return
	case ok && answer.Class == tracking.Permanent:
		e.reject(ctx, c, rejectedRefused)
		return
	case ok && answer.Gone:
		e.experiments.forget(c.experiment.Name)
	}
	if !errors.Is(c.err, errBusy) {
		e.health.failed(c.err, time.Now())
	}
}

// experiment is that of the call's persona and day, or of the default persona where the day has too many.
func (e *mlflowExporter) experiment(ctx context.Context, c *call) (experiment run.Experiment, overflowed bool) {
	experiment = e.builder.Experiment(&c.Span, e.builder.Persona(&c.Span))
	if e.budget.allows(ctx, e.builder.Date(&c.Span), experiment.Name) {
		return experiment, false
	}
	e.overflow.Do(func() {
		e.settings.Logger.Warn("The day has as many experiments as `experiment::max_per_day` allows; "+
			"the runs of further personas go to the experiment of `persona::default`",
			zap.Int("max_per_day", e.config.Experiment.MaxPerDay), zap.String("first_experiment_refused", experiment.Name))
	})
	return e.builder.Experiment(&c.Span, e.config.Persona.Default), true
}

// settle notes that it is known what became of a call, and reports whether that is news.
func (e *mlflowExporter) settle(c *call) bool {
	c.settled = true
	return !e.settled.Remove(c.key())
}

func (e *mlflowExporter) written(ctx context.Context, c *call, found bool) {
	if !e.settle(c) {
		return
	}
	e.explain(c, found)
	if c.overflowed {
		e.telemetry.MlflowSpansOverflowed.Add(ctx, 1)
	}
	if _, changed := e.builder.OriginalPersona(&c.Span); changed {
		e.telemetry.MlflowPersonasNormalized.Add(ctx, 1)
	}
	if found {
		e.telemetry.MlflowRunsFound.Add(ctx, 1)
	} else {
		e.telemetry.MlflowRunsWritten.Add(ctx, 1)
	}
}

// reject counts and logs a call that does not come again.
func (e *mlflowExporter) reject(ctx context.Context, c *call, reason string) {
	err := c.err
	c.err = nil
	if !e.settle(c) {
		return
	}
	e.telemetry.MlflowRunsRejected.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", reason)))
	e.settings.Logger.Error("No run is written for this LLM call",
		zap.String("reason", reason), zap.Stringer("trace_id", c.TraceID()), zap.Stringer("span_id", c.SpanID()), zap.Error(err))
	if err := e.deadLetter.keep(c); err != nil {
		e.settings.Logger.Error("A rejected span is not kept in `dead_letter::path`", zap.Error(err))
	}
}

// retryable returns the error that makes the calls with errors come again, and no others; or, where whole traces are
// forwarded, the batch, because of a call or of err.
func (e *mlflowExporter) retryable(batch ptrace.Traces, calls []call, first error) error {
	var wait time.Duration
	for i := range calls {
		c := &calls[i]
		if c.err == nil {
			continue
		}
		if first == nil {
			first = c.err
		}
		if answer, ok := errors.AsType[*tracking.Error](c.err); ok {
			wait = max(wait, answer.RetryAfter)
		}
	}
	if first == nil {
		if len(calls) > 0 {
			e.health.succeeded()
		}
		return nil
	}
	whole := e.companions.forward != nil
	for i := range calls {
		if c := &calls[i]; c.settled && (whole || c.err != nil) {
			e.settled.Add(c.key(), struct{}{})
		}
	}
	if wait > 0 {
		first = exporterhelper.NewThrottleRetry(first, wait)
	}
	if whole {
		return consumererror.NewTraces(first, batch)
	}
	return consumererror.NewTraces(first, withErrors(batch, calls))
}

// withErrors is a copy of the calls with errors, in the batch's order.
func withErrors(batch ptrace.Traces, calls []call) ptrace.Traces {
	failed := ptrace.NewTraces()
	var resource ptrace.ResourceSpans
	var scope ptrace.ScopeSpans
	var last *call // the call copied last: its resource and scope are open
	for i := range calls {
		c := &calls[i]
		if c.err == nil {
			continue
		}
		from := batch.ResourceSpans().At(c.resource)
		if last == nil || last.resource != c.resource {
			resource = appendResource(failed, from)
		}
		if last == nil || last.resource != c.resource || last.scope != c.scope {
			scope = appendScope(resource, from.ScopeSpans().At(c.scope))
		}
		c.Span.CopyTo(scope.Spans().AppendEmpty())
		last = c
	}
	return failed
}

// appendResource adds a resource without its scopes.
func appendResource(to ptrace.Traces, from ptrace.ResourceSpans) ptrace.ResourceSpans {
	resource := to.ResourceSpans().AppendEmpty()
	from.Resource().CopyTo(resource.Resource())
	resource.SetSchemaUrl(from.SchemaUrl())
	return resource
}

// appendScope adds a scope without its spans.
func appendScope(to ptrace.ResourceSpans, from ptrace.ScopeSpans) ptrace.ScopeSpans {
	scope := to.ScopeSpans().AppendEmpty()
	from.Scope().CopyTo(scope.Scope())
	scope.SetSchemaUrl(from.SchemaUrl())
	return scope
}
