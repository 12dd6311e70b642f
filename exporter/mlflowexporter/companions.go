// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadata"
	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/run"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

const (
	// maxTraces and maxTraceBytes bound a request with traces, so that a proxy's usual limit and the server's time suffice.
	maxTraces     = 100
	maxTraceBytes = 4 << 20
	// maxShownPrompts is how many pairs of prompt and experiment are remembered; one that falls out costs a look-up.
	maxShownPrompts = 10_000
)

// companions writes what stands beside a run: artifacts, its trace, what links the two, judgements. All of it comes after
// the run and can be written again without harm, because its ids are derived from the span's.
type companions struct {
	client    *tracking.Client
	slots     *semaphore.Weighted
	builder   *run.Builder
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	forward   *forward // instead of traces of our own; nil if those are written
	shown     *lru.Cache[shownPrompt, struct{}]

	traces, links, assessments, artifacts sideline
	prompts                               sideline // off where `prompts::link` is
}

// shownPrompt is a prompt on the page of an experiment.
type shownPrompt struct{ name, experimentID string }

func newCompanions(config *Config, builder *run.Builder, client *tracking.Client, slots *semaphore.Weighted,
	telemetry *metadata.TelemetryBuilder, logger *zap.Logger,
) *companions {
	shown, _ := lru.New[shownPrompt, struct{}](maxShownPrompts) // fails for a size below one only
	c := &companions{
		client: client, slots: slots, builder: builder, telemetry: telemetry, logger: logger, shown: shown,
		traces:      sideline{what: "traces", logger: logger, off: !config.Traces.Enabled},
		links:       sideline{what: "links between traces and runs", logger: logger},
		assessments: sideline{what: "assessments", logger: logger},
		artifacts:   sideline{what: "artifacts", logger: logger},
		prompts:     sideline{what: "links between traces and prompts", logger: logger, off: !config.Prompts.Link},
	}
	if config.Traces.Mode == TracesWhole {
		c.forward = newForward()
	}
	return c
}

// write writes what stands beside the calls' runs, which are there. A call whose span has to come again gets an error; where
// whole traces are forwarded, an error returned means that the batch has to.
func (c *companions) write(ctx context.Context, batch ptrace.Traces, calls []call) error {
	members := make(map[string][]*call)
	for i := range calls {
		if m := &calls[i]; m.runID != "" {
			members[m.found.ID] = append(members[m.found.ID], m)
		}
	}
	if c.forward != nil {
		if err := c.forwardTraces(ctx, c.forward.split(batch, members), members); err != nil {
			return err
		}
	}
	var writing sync.WaitGroup
	for experimentID, members := range members {
		writing.Go(func() {
			c.each(ctx, &c.artifacts, members, c.keepArtifacts)
			if c.forward == nil {
				c.each(ctx, &c.links, c.send(ctx, experimentID, members), c.attach)
			}
		})
	}
	writing.Wait()
	return nil
}

// each calls f for the calls side by side, within what MLflow may be asked at the same time. A panic is taken for a fault of
// the sideline.
func (c *companions) each(ctx context.Context, side *sideline, calls []*call, f func(context.Context, *call)) {
	var working sync.WaitGroup
	for _, m := range calls {
		if err := c.slots.Acquire(ctx, 1); err != nil {
			m.err = err
			continue
		}
		working.Go(func() {
			defer c.slots.Release(1)
			if err := protect(func() { f(ctx, m) }); err != nil {
				c.judge(ctx, side, side.settle(ctx, err, time.Now()), err, m)
			}
		})
	}
	working.Wait()
}

// try has a sideline do something, if it works.
func (c *companions) try(ctx context.Context, side *sideline, do func() error) (verdict, error) {
	if open, verdict := side.open(time.Now()); !open {
		return verdict, nil
	}
	err := do()
	return side.settle(ctx, err, time.Now()), err
}

// judge does what a verdict says with the calls that it is about.
func (c *companions) judge(ctx context.Context, side *sideline, v verdict, err error, calls ...*call) {
	switch v {
	case verdictAgain:
		for _, m := range calls {
			m.err = err
		}
	case verdictDropped:
		c.telemetry.MlflowCompanionsDropped.Add(ctx, int64(len(calls)), metric.WithAttributes(attribute.String("what", side.what)))
	case verdictDone, verdictOff:
	}
}

// do has a sideline do something for one call.
func (c *companions) do(ctx context.Context, side *sideline, m *call, do func() error) {
	v, err := c.try(ctx, side, do)
	c.judge(ctx, side, v, err, m)
}

// keepArtifacts writes what is cut in the run's params.
func (c *companions) keepArtifacts(ctx context.Context, m *call) {
	for _, artifact := range m.artifacts {
		c.do(ctx, &c.artifacts, m, func() error {
			return c.client.PutArtifact(ctx, m.found, m.runID, artifact.Name, artifact.Content)
		})
	}
}

// send writes the calls' traces into their experiment, and returns the calls whose traces are there.
func (c *companions) send(ctx context.Context, experimentID string, calls []*call) []*call {
	var sent []*call
	for len(calls) > 0 {
		n, bytes := 0, 0
		for ; n < len(calls) && n < maxTraces && bytes < maxTraceBytes; n++ {
			bytes += (&ptrace.ProtoMarshaler{}).SpanSize(calls[n].Span.Span)
		}
		sent = append(sent, c.sendTogether(ctx, experimentID, calls[:n])...)
		calls = calls[n:]
	}
	return sent
}

// sendTogether sends traces in one request. MLflow takes or refuses it as a whole; so that one trace that it can never take
// does not cost the others, they are then sent in halves.
func (c *companions) sendTogether(ctx context.Context, experimentID string, calls []*call) []*call {
	v, err := c.try(ctx, &c.traces, func() error { return c.sendTraces(ctx, experimentID, c.tracesOf(calls)) })
	if half := len(calls) / 2; half > 0 && v == verdictDropped && class(err) == tracking.Permanent {
		return append(c.sendTogether(ctx, experimentID, calls[:half]), c.sendTogether(ctx, experimentID, calls[half:])...)
	}
	c.judge(ctx, &c.traces, v, err, calls...)
	if v != verdictDone {
		return nil
	}
	c.telemetry.MlflowTracesWritten.Add(ctx, int64(len(calls)))
	return calls
}

func (c *companions) sendTraces(ctx context.Context, experimentID string, traces ptrace.Traces) error {
	if err := c.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	defer c.slots.Release(1)
	return c.client.SendTraces(ctx, experimentID, traces)
}

// forwardTraces sends spans' own traces into their experiments, and links the runs of the calls among them to theirs.
func (c *companions) forwardTraces(ctx context.Context, parts map[string]ptrace.Traces, members map[string][]*call) error {
	for experimentID, traces := range parts {
		v, err := c.try(ctx, &c.traces, func() error { return c.sendTraces(ctx, experimentID, traces) })
		c.judge(ctx, &c.traces, v, err, members[experimentID]...)
		switch v {
		case verdictDone:
			c.each(ctx, &c.links, members[experimentID], c.attach)
		case verdictAgain:
			return err
		case verdictDropped, verdictOff:
		}
	}
	return nil
}

// tracesOf is a trace for each of the calls.
func (c *companions) tracesOf(calls []*call) ptrace.Traces {
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for _, m := range calls {
		span := spans.AppendEmpty()
		_ = protect(func() { c.builder.Trace(&m.Span, span) }) // the run of a span that does this is rejected
	}
	return traces
}

// attach links a call's trace to its run and its prompt, and adds its judgements.
func (c *companions) attach(ctx context.Context, m *call) {
	traceID := tracking.TraceID(m.TraceID())
	if c.forward == nil {
		traceID = tracking.TraceID(run.TraceIDOf(m.TraceID(), m.SpanID()))
	}
	c.do(ctx, &c.links, m, func() error { return c.client.LinkTrace(ctx, traceID, m.runID) })
	for _, a := range c.builder.Assessments(&m.Span) {
		c.do(ctx, &c.assessments, m, func() error { return c.client.Assess(ctx, assessment(traceID, a)) })
	}
	if prompt, ok := m.Prompt(); ok {
		c.do(ctx, &c.prompts, m, func() error { return c.linkPrompt(ctx, traceID, m.found.ID, prompt) })
	}
}

// assessment has an id of its own for each name, so that it is there once.
func assessment(traceID string, a run.Assessment) tracking.Assessment {
	sum := sha256.Sum256([]byte(traceID + "/" + a.Name))
	value := any(a.Label)
	if a.HasScore {
		value = a.Score
	}
	return tracking.Assessment{
		ID: "a-" + hex.EncodeToString(sum[:16]), TraceID: traceID, Name: a.Name, Value: value, Rationale: a.Rationale,
		Source: "gen_ai.evaluation.result", At: a.At,
	}
}

// linkPrompt shows the trace on the page of its prompt and, once for each experiment, the prompt on the experiment's page.
func (c *companions) linkPrompt(ctx context.Context, traceID, experimentID string, prompt run.Prompt) error {
	if err := c.client.LinkPrompt(ctx, traceID, tracking.PromptVersion(prompt)); err != nil {
		return err
	}
	shown := shownPrompt{prompt.Name, experimentID}
	if known, _ := c.shown.ContainsOrAdd(shown, struct{}{}); known {
		return nil
	}
	err := c.client.ShowPrompt(ctx, prompt.Name, experimentID)
	if tracking.IsNotFound(err) {
		c.logger.Info("A prompt that calls name is not in MLflow's registry", zap.String("prompt", prompt.Name))
		return nil
	}
	if err != nil {
		c.shown.Remove(shown)
	}
	return err
}
