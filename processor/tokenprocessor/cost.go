// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"cmp"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/pricing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// reasonPartial is a reason for a missing cost beside those of pricing: a count is only a lower bound. What is written as a
// cost is added up, and in a sum a lower bound cannot be told from a cost.
const reasonPartial pricing.Reason = "partial"

// cost returns what the call costs, with the counts that were filled in; the zero Cost if that is not known, if another
// processor wrote it before, or if costs are not wanted.
func (p *tokenProcessor) cost(call *genai.Call, span ptrace.Span, counts []sideCount, done *tally) pricing.Cost {
	sides := billed[call.Operation]
	if p.prices == nil || sides == nil {
		return pricing.Cost{}
	}
	attributes := span.Attributes()
	if _, ok := attributes.Get(semconv.TokenCostUSD); ok {
		return pricing.Cost{}
	}
	priced := pricing.Call{
		Provider:    call.Provider,
		ServiceTier: call.ServiceTier,
		Time:        span.StartTimestamp().AsTime(),
		Usage:       call.Usage,
	}
	if span.StartTimestamp() == 0 {
		priced.Time = time.Now()
	}
	if priced.ServiceTier == "" {
		if asked, ok := attributes.Get(semconv.OpenAIRequestServiceTier); ok {
			priced.ServiceTier = asked.AsString()
		}
	}
	partial := false
	for _, s := range sides {
		source, ok := attributes.Get(s.sourceKey) // of a count that a processor before this one filled in
		partial = partial || ok && source.AsString() == semconv.SourcePartial
	}
	for _, c := range counts {
		if c.Known() {
			*c.of(&priced.Usage) = genai.Some(c.Tokens)
			partial = partial || c.Source == semconv.SourcePartial
		}
	}
	if partial {
		add(&done.unpriced, reasonPartial)
		return pricing.Cost{}
	}
	cost, table, reason := p.prices.cost(&priced, cmp.Or(call.ResponseModel, call.RequestModel), call.RequestModel)
	if reason != "" {
		add(&done.unpriced, reason)
		return pricing.Cost{}
	}
	done.priced[table]++
	return cost
}
