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

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
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

// maxClockSkew is how far the clock of an application may run ahead of the collector's. A span that ended before this
// process started, or that may have, may come from the queue of an earlier process and be written already.
const maxClockSkew = time.Minute

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
	rejectedInternal          = "internal"
)

type mlflowExporter struct {
	config    *Config
	settings  component.TelemetrySettings
	telemetry *metadata.TelemetryBuilder
	reader    *genai.Reader
	builder   *run.Builder
	slots     *semaphore.Weighted // one for each run that may be written at the same time
	health    health

	// From start on.
	started     time.Time
	experiments *experiments
	writer      *writer
	idle        func() // closes connections that are not in use
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
	return &mlflowExporter{
		config:    config,
		settings:  set.TelemetrySettings,
		telemetry: telemetry,
		reader:    genai.NewReader(genai.Options{PersonaAttributes: config.Persona.Attributes}),
		builder:   builder,
		slots:     semaphore.NewWeighted(int64(config.MaxConcurrency)),
		health:    health{logger: set.Logger},
	}, nil
}

// start makes the HTTP client, which needs the host's extensions for authentication.
func (e *mlflowExporter) start(ctx context.Context, host component.Host) error {
	httpClient, err := e.config.ClientConfig.ToClient(ctx, host.GetExtensions(), e.settings)
	if err != nil {
		return fmt.Errorf("making the HTTP client: %w", err)
	}
	client := tracking.NewClient(httpClient, e.config.ClientConfig.Endpoint, e.config.Workspace)
	e.experiments = newExperiments(client, e.config.Experiment.OnDeleted, e.telemetry, e.settings.Logger)
	e.writer = newWriter(client)
	e.idle = httpClient.CloseIdleConnections
	e.started = time.Now()
	return nil
}

// shutdown is called when the queue is drained or stored; no push is under way.
func (e *mlflowExporter) shutdown(context.Context) error {
	if e.idle != nil {
		e.idle()
	}
	e.telemetry.Shutdown()
	return nil
}

// call is a span that becomes a run.
type call struct {
	run.Span
	resource, scope, span int // where it is in the batch
	err                   error
}

// push writes the batch's calls as runs. If some can be written later, its error holds just these.
func (e *mlflowExporter) push(ctx context.Context, batch ptrace.Traces) error {
	calls := e.calls(ctx, batch)
	var writing sync.WaitGroup
	for i := range calls {
		c := &calls[i]
		if c.err = e.slots.Acquire(ctx, 1); c.err != nil {
			continue
		}
		writing.Go(func() {
			defer e.slots.Release(1)
			c.err = e.write(ctx, c)
		})
	}
	writing.Wait()
	return e.retryable(batch, calls)
}

// calls returns the batch's spans that become runs, and counts the others.
func (e *mlflowExporter) calls(ctx context.Context, batch ptrace.Traces) []call {
	var calls []call
	skipped := map[string]int64{}
	for r, resource := range batch.ResourceSpans().All() {
		for s, scope := range resource.ScopeSpans().All() {
			for i, span := range scope.Spans().All() {
				read, isCall := e.reader.Read(resource.Resource(), scope.Scope(), span)
				if reason := e.skip(&read, isCall); reason != "" {
					skipped[reason]++
					continue
				}
				calls = append(calls, call{
					Span:     run.Span{Resource: resource.Resource(), Scope: scope.Scope(), Span: span, Call: read},
					resource: r, scope: s, span: i,
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

// errPanic is a bug of ours that one span has brought out. Its value could quote the span, so it is not logged.
var errPanic = errors.New("internal error")

// write writes the run of a call and counts what came of it. Its error is nil for a call that can never be written, too.
func (e *mlflowExporter) write(ctx context.Context, c *call) (err error) {
	defer func() {
		if recover() != nil {
			err = e.reject(ctx, c, rejectedInternal, errPanic)
		}
	}()
	experiment := e.builder.Experiment(&c.Span)
	experimentID, err := e.experiments.id(ctx, experiment)
	if err == nil {
		r := e.builder.Run(&c.Span)
		var found bool
		found, err = e.writer.write(ctx, key{trace: c.TraceID(), span: c.SpanID()}, e.mayExist(c), experimentID, &r)
		if err == nil {
			e.written(ctx, found)
			return nil
		}
	}
	var answer *tracking.Error
	switch {
	case errors.Is(err, errExperimentDeleted):
		return e.reject(ctx, c, rejectedExperimentDeleted, err)
	case errors.As(err, &answer) && answer.Class == tracking.Permanent:
		return e.reject(ctx, c, rejectedRefused, err)
	case errors.As(err, &answer) && answer.Gone:
		e.experiments.forget(experiment.Name)
	}
	e.health.failed(err, time.Now())
	return err
}

// mayExist reports whether an earlier process may have written the call's run.
func (e *mlflowExporter) mayExist(c *call) bool {
	return c.EndTimestamp().AsTime().Before(e.started.Add(maxClockSkew))
}

func (e *mlflowExporter) written(ctx context.Context, found bool) {
	if found {
		e.telemetry.MlflowRunsFound.Add(ctx, 1)
	} else {
		e.telemetry.MlflowRunsWritten.Add(ctx, 1)
	}
}

// reject counts and logs a call that is not tried again.
func (e *mlflowExporter) reject(ctx context.Context, c *call, reason string, err error) error {
	e.telemetry.MlflowRunsRejected.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", reason)))
	e.settings.Logger.Error("No run is written for this LLM call",
		zap.String("reason", reason), zap.Stringer("trace_id", c.TraceID()), zap.Stringer("span_id", c.SpanID()), zap.Error(err))
	return nil
}

// retryable returns the error that makes the calls with errors come again, and no others.
func (e *mlflowExporter) retryable(batch ptrace.Traces, calls []call) error {
	var first error
	var wait time.Duration
	failed := ptrace.NewTraces()
	var resource ptrace.ResourceSpans
	var scope ptrace.ScopeSpans
	var last *call // the call copied last: its resource and scope are open
	for i := range calls {
		c := &calls[i]
		if c.err == nil {
			continue
		}
		if first == nil {
			first = c.err
		}
		var answer *tracking.Error
		if errors.As(c.err, &answer) {
			wait = max(wait, answer.RetryAfter)
		}
		from := batch.ResourceSpans().At(c.resource)
		if last == nil || last.resource != c.resource {
			resource = failed.ResourceSpans().AppendEmpty()
			from.Resource().CopyTo(resource.Resource())
			resource.SetSchemaUrl(from.SchemaUrl())
		}
		if last == nil || last.resource != c.resource || last.scope != c.scope {
			scope = resource.ScopeSpans().AppendEmpty()
			from.ScopeSpans().At(c.scope).Scope().CopyTo(scope.Scope())
			scope.SetSchemaUrl(from.ScopeSpans().At(c.scope).SchemaUrl())
		}
		c.Span.CopyTo(scope.Spans().AppendEmpty())
		last = c
	}
	if first == nil {
		if len(calls) > 0 {
			e.health.succeeded()
		}
		return nil
	}
	if wait > 0 {
		first = exporterhelper.NewThrottleRetry(first, wait)
	}
	return consumererror.NewTraces(first, failed)
}
