// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// batchSize is how many spans are sent in one request.
const batchSize = 5

// batch is what one OTLP request has: LLM calls of one service.
type batch struct {
	traces ptrace.Traces
	spans  []string // their ids
}

// shape is what is special about a row's spans.
type shape struct {
	service string // tells the runs of a row from others
	persona string
	// ahead is how far the application's clock is ahead of the collector's, for the i-th span; nil means not at all.
	ahead   func(i int) time.Duration
	promptN int // bytes of the prompt
}

// newBatch makes batchSize calls, of which the first is the row's i-th.
func newBatch(s shape, i int) batch {
	b := batch{traces: ptrace.NewTraces()}
	resource := b.traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr(semconv.ServiceName, s.service)
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	for n := range batchSize {
		span := spans.AppendEmpty()
		span.SetName("chat gpt-4o")
		span.SetKind(ptrace.SpanKindClient)
		end := time.Now()
		if s.ahead != nil {
			end = end.Add(s.ahead(i + n))
		}
		testbed.Stamp(span, end.Add(-250*time.Millisecond), end)
		attributes := span.Attributes()
		attributes.PutStr(semconv.GenAIOperationName, semconv.OperationChat)
		attributes.PutStr(semconv.GenAIProviderName, semconv.ProviderOpenAI)
		attributes.PutStr(semconv.GenAIRequestModel, "gpt-4o")
		attributes.PutStr(semconv.PersonaID, s.persona)
		attributes.PutStr(semconv.GenAIInputMessages, `[{"role":"user","parts":[{"type":"text","content":"`+strings.Repeat("a", max(s.promptN, 1))+`"}]}]`)
		attributes.PutInt(semconv.GenAIUsageInputTokens, 9)
		attributes.PutInt(semconv.GenAIUsageOutputTokens, 1)
		b.spans = append(b.spans, span.SpanID().String())
	}
	return b
}
