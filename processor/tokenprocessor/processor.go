// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
	"github.com/otelcol-mlflow/otelcol-mlflow/processor/tokenprocessor/internal/metadata"
)

// reasonTooLong is a reason for a missing count beside those of framing: more content than `max_content_bytes`.
const reasonTooLong framing.Reason = "too_long"

// side is one of the two token counts that a call is billed by.
type side struct {
	name      string // in metrics
	countKey  string // attribute of the count
	sourceKey string // attribute of its source
	rule      func(framing.Call, framing.Counter) framing.Count
}

var (
	input = &side{
		name:      "input",
		countKey:  semconv.GenAIUsageInputTokens,
		sourceKey: semconv.TokenInputSource,
		rule:      framing.Input,
	}
	output = &side{
		name:      "output",
		countKey:  semconv.GenAIUsageOutputTokens,
		sourceKey: semconv.TokenOutputSource,
		rule:      framing.Output,
	}
)

// of returns the count of the side.
func (s *side) of(u *genai.Usage) *genai.Optional[int64] {
	if s == input {
		return &u.Input
	}
	return &u.Output
}

// billed has the sides that a call of each operation is billed by; other operations are not calls of a model.
var billed = map[string][]*side{
	semconv.OperationChat:            {input, output},
	semconv.OperationTextCompletion:  {input, output},
	semconv.OperationGenerateContent: {input, output},
	semconv.OperationEmbeddings:      {input},
}

// tokenProcessor changes spans on their way. It is safe for concurrent use.
type tokenProcessor struct {
	reader         *genai.Reader
	models         *framing.Models
	prices         *prices // nil if costs are not written
	defaultPersona string
	maxContent     int
	lowerBounds    bool
	counter        func(tiktoken.Encoding) (framing.Counter, error)
	logger         *zap.Logger
	telemetry      *metadata.TelemetryBuilder
}

func newProcessor(set processor.Settings, c *Config) (*tokenProcessor, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	p := &tokenProcessor{
		reader: genai.NewReader(genai.Options{PersonaAttributes: c.Persona.Attributes, ZeroUsage: c.ZeroUsage}),
		models: framing.NewModels(framing.ModelOptions{
			Names: c.Models, Fallback: c.FallbackEncoding, Vendors: c.Vendors,
		}),
		defaultPersona: c.Persona.Default,
		maxContent:     c.MaxContentBytes,
		lowerBounds:    c.LowerBounds,
		counter:        func(e tiktoken.Encoding) (framing.Counter, error) { return tiktoken.Get(e) },
		logger:         set.Logger,
		telemetry:      telemetry,
	}
	if c.Pricing.Enabled {
		if p.prices, err = newPrices(c, set.Logger, telemetry); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *tokenProcessor) start(ctx context.Context, _ component.Host) error {
	if p.prices == nil {
		return nil
	}
	return p.prices.start(ctx)
}

func (p *tokenProcessor) shutdown(context.Context) error {
	if p.prices != nil {
		p.prices.shutdown()
	}
	p.telemetry.Shutdown()
	return nil
}

func (p *tokenProcessor) processTraces(ctx context.Context, traces ptrace.Traces) (ptrace.Traces, error) {
	var done tally
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				p.processSpan(ctx, resource.Resource(), scope.Scope(), span, &done)
			}
		}
	}
	done.record(ctx, p.telemetry)
	return traces, nil
}

// processSpan never panics: one odd span must not cost the collector the rest of the batch.
func (p *tokenProcessor) processSpan(ctx context.Context, resource pcommon.Resource, scope pcommon.InstrumentationScope, span ptrace.Span, done *tally) {
	defer func() {
		if cause := recover(); cause != nil {
			// The cause itself may quote content.
			p.failed(ctx, span, zap.String("panic", fmt.Sprintf("%T", cause)), zap.Stack("stack"))
		}
	}()
	call, ok := p.reader.Read(resource, scope, span)
	if ok && call.Aggregate && billed[call.Operation] != nil {
		span.Attributes().PutBool(semconv.TokenAggregate, true)
	}
	if !ok || call.Aggregate || call.Operation == semconv.OperationFetchResponse {
		return
	}
	counts, encoding, err := p.missing(&call, done)
	if err != nil {
		p.failed(ctx, span, zap.Error(err))
		return
	}
	done.count(counts)
	cost := p.cost(&call, span, counts, done)

	// From here on the span changes, and what call refers to may no longer be there.
	attributes := span.Attributes()
	if persona, ok := attributes.Get(semconv.PersonaID); !ok || persona.AsString() == "" {
		if call.Persona == "" {
			call.Persona = p.defaultPersona
		}
		attributes.PutStr(semconv.PersonaID, call.Persona)
	}
	if billed[call.Operation] != nil {
		standardize(attributes, &call)
	}
	fill(attributes, counts, encoding)
	if cost.Source != "" {
		attributes.PutDouble(semconv.TokenCostUSD, cost.USD)
		attributes.PutStr(semconv.TokenCostSource, cost.Source)
	}
}

// sideCount is a count that the span lacks.
type sideCount struct {
	*side
	framing.Count
}

// missing returns the counts that the span lacks, with what can be known of each, and the encoding that they are in.
func (p *tokenProcessor) missing(call *genai.Call, done *tally) ([]sideCount, tiktoken.Encoding, error) {
	var counts []sideCount
	for _, s := range billed[call.Operation] {
		if !s.of(&call.Usage).Set {
			counts = append(counts, sideCount{side: s})
		}
	}
	if counts == nil {
		return nil, "", nil
	}
	without := func(reason framing.Reason) ([]sideCount, tiktoken.Encoding, error) {
		for i := range counts {
			counts[i].Reason = reason
		}
		return counts, "", nil
	}
	model, ok := p.models.Of(call)
	if !ok {
		return without(framing.ReasonUnknownModel)
	}
	size := call.ContentSize()
	if size > p.maxContent && !p.lowerBounds {
		return without(reasonTooLong)
	}
	counter, err := p.counter(model.Encoding)
	if err != nil {
		return nil, "", err
	}
	began := time.Now()
	var messages genai.Messages
	tooLong := size > p.maxContent
	if tooLong {
		messages = call.MessagesWithin(p.maxContent)
	} else {
		messages = call.Messages()
	}
	incomplete := *call // keeps the calls that lack nothing off the heap
	framed := framing.Call{Model: model, Span: &incomplete, Messages: &messages, LowerBounds: p.lowerBounds}
	for i := range counts {
		counts[i].Count = counts[i].rule(framed, counter)
		if tooLong && !counts[i].Known() && counts[i].Reason == framing.ReasonTruncated {
			counts[i].Reason = reasonTooLong
		}
	}
	done.bytes += int64(min(size, p.maxContent))
	done.time += time.Since(began)
	return counts, model.Encoding, nil
}

// fill writes the counts that are known.
func fill(attributes pcommon.Map, counts []sideCount, encoding tiktoken.Encoding) {
	filled := false
	for _, c := range counts {
		if c.Known() {
			attributes.PutInt(c.countKey, c.Tokens)
			attributes.PutStr(c.sourceKey, c.Source)
			filled = true
		}
	}
	if !filled {
		return
	}
	attributes.PutStr(semconv.TokenEncoding, string(encoding))
	for _, c := range counts {
		// A zero that meant "unknown" beside another zero would look reported beside the number that was filled in.
		if zero, ok := attributes.Get(c.countKey); ok && !c.Known() && zero.AsString() == "0" {
			attributes.Remove(c.countKey)
		}
	}
}

func (p *tokenProcessor) failed(ctx context.Context, span ptrace.Span, fields ...zap.Field) {
	p.telemetry.TokenSpansFailed.Add(ctx, 1)
	p.logger.Error("Failed to count the tokens of a span, it is passed on as it came",
		append(fields, zap.Stringer("trace_id", span.TraceID()), zap.Stringer("span_id", span.SpanID()))...)
}
