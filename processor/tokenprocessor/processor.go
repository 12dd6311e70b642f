// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
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
	reported  func(genai.Usage) genai.Optional[int64]
	rule      func(framing.Call, framing.Counter) framing.Count
}

var (
	input = &side{
		name:      "input",
		countKey:  semconv.GenAIUsageInputTokens,
		sourceKey: semconv.TokenInputSource,
		reported:  func(u genai.Usage) genai.Optional[int64] { return u.Input },
		rule:      framing.Input,
	}
	output = &side{
		name:      "output",
		countKey:  semconv.GenAIUsageOutputTokens,
		sourceKey: semconv.TokenOutputSource,
		reported:  func(u genai.Usage) genai.Optional[int64] { return u.Output },
		rule:      framing.Output,
	}
)

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
	defaultPersona string
	maxContent     int
	counter        func(tiktoken.Encoding) (framing.Counter, error)
	logger         *zap.Logger
	telemetry      *metadata.TelemetryBuilder
}

func newProcessor(set processor.Settings, c *Config) (*tokenProcessor, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &tokenProcessor{
		reader:         genai.NewReader(genai.Options{PersonaAttributes: c.Persona.Attributes, ZeroUsage: c.ZeroUsage}),
		models:         framing.NewModels(framing.ModelOptions{Names: c.Models, Fallback: c.FallbackEncoding}),
		defaultPersona: c.Persona.Default,
		maxContent:     c.MaxContentBytes,
		counter:        func(e tiktoken.Encoding) (framing.Counter, error) { return tiktoken.Get(e) },
		logger:         set.Logger,
		telemetry:      telemetry,
	}, nil
}

func (p *tokenProcessor) processTraces(ctx context.Context, traces ptrace.Traces) (ptrace.Traces, error) {
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				p.processSpan(ctx, resource.Resource(), scope.Scope(), span)
			}
		}
	}
	return traces, nil
}

// processSpan never panics: one odd span must not cost the collector the rest of the batch.
func (p *tokenProcessor) processSpan(ctx context.Context, resource pcommon.Resource, scope pcommon.InstrumentationScope, span ptrace.Span) {
	defer func() {
		if cause := recover(); cause != nil {
			// The cause itself may quote content.
			p.failed(ctx, span, zap.String("panic", fmt.Sprintf("%T", cause)), zap.Stack("stack"))
		}
	}()
	call, ok := p.reader.Read(resource, scope, span)
	if !ok || call.Aggregate || call.Operation == semconv.OperationFetchResponse {
		return
	}
	counts, encoding, err := p.missing(&call)
	if err != nil {
		p.failed(ctx, span, zap.Error(err))
		return
	}
	p.record(ctx, counts)

	// From here on the span changes, and what call refers to may no longer be there.
	attributes := span.Attributes()
	if persona, ok := attributes.Get(semconv.PersonaID); !ok || persona.AsString() == "" {
		if call.Persona == "" {
			call.Persona = p.defaultPersona
		}
		attributes.PutStr(semconv.PersonaID, call.Persona)
	}
	fill(attributes, counts, encoding)
}

// sideCount is a count that the span lacks.
type sideCount struct {
	*side
	framing.Count
}

// missing returns the counts that the span lacks, with what can be known of each, and the encoding that they are in.
func (p *tokenProcessor) missing(call *genai.Call) ([]sideCount, tiktoken.Encoding, error) {
	var counts []sideCount
	for _, s := range billed[call.Operation] {
		if !s.reported(call.Usage).Set {
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
	messages := call.Messages()
	if size(&messages) > p.maxContent {
		return without(reasonTooLong)
	}
	counter, err := p.counter(model.Encoding)
	if err != nil {
		return nil, "", err
	}
	incomplete := *call // keeps the calls that lack nothing off the heap
	framed := framing.Call{Model: model, Span: &incomplete, Messages: &messages}
	for i := range counts {
		counts[i].Count = counts[i].rule(framed, counter)
	}
	return counts, model.Encoding, nil
}

func (p *tokenProcessor) record(ctx context.Context, counts []sideCount) {
	for _, c := range counts {
		if c.Known() {
			p.telemetry.TokenCountsFilled.Add(ctx, 1, metric.WithAttributes(
				attribute.String("side", c.name), attribute.String("source", c.Source)))
		} else {
			p.telemetry.TokenCountsMissing.Add(ctx, 1, metric.WithAttributes(
				attribute.String("side", c.name), attribute.String("reason", string(c.Reason))))
		}
	}
}

// size is the number of bytes of text in messages.
func size(messages *genai.Messages) int {
	total := 0
	add := func(parts []genai.Part) {
		for i := range parts {
			total += len(parts[i].Text)
		}
	}
	add(messages.System)
	for _, list := range [][]genai.Message{messages.Input, messages.Output} {
		for i := range list {
			add(list[i].Parts)
		}
	}
	return total
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
