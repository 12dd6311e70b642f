// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// maxForwarded bounds the traces whose later spans are forwarded too.
const maxForwarded = 100_000

// forward finds the spans of the traces that calls with runs are in. A trace goes to the experiment of its first call,
// because MLflow keeps it there. What came before that call in another batch is not found.
type forward struct {
	experiments *lru.Cache[pcommon.TraceID, string] // trace → experiment id
}

func newForward() *forward {
	experiments, _ := lru.New[pcommon.TraceID, string](maxForwarded) // fails for a size below one only
	return &forward{experiments: experiments}
}

// split returns the batch's spans that are forwarded, by the experiment that they go to. The members are the calls with
// runs, by experiment.
func (f *forward) split(batch ptrace.Traces, members map[string][]*call) map[string]ptrace.Traces {
	for experimentID, calls := range members {
		for _, m := range calls {
			f.experiments.ContainsOrAdd(m.TraceID(), experimentID)
		}
	}
	parts := make(map[string]ptrace.Traces)
	part := func(experimentID string) ptrace.Traces {
		if _, ok := parts[experimentID]; !ok {
			parts[experimentID] = ptrace.NewTraces()
		}
		return parts[experimentID]
	}
	for _, resource := range batch.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			open := make(map[string]ptrace.SpanSlice) // of this scope
			for _, span := range scope.Spans().All() {
				experimentID, ok := f.experiments.Get(span.TraceID())
				if !ok {
					continue
				}
				spans, ok := open[experimentID]
				if !ok {
					spans = appendScope(appendResource(part(experimentID), resource), scope).Spans()
					open[experimentID] = spans
				}
				span.CopyTo(spans.AppendEmpty())
			}
		}
	}
	return parts
}
