// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// What a database refuses, in one batch with a call that is as it should be: each becomes a run.
func TestPoisonBecomesRuns(t *testing.T) {
	mlflow := testbed.SharedMLflow(t)
	persona := newPersona()
	poison := map[string]func(ptrace.Span){
		"nothing wrong": func(ptrace.Span) {},
		"NUL":           everyText("a\x00b"),
		"invalid UTF-8": everyText("a\xff\xc0b"),
		"noncharacters": everyText("a\ufffe\uffff\U0010ffff"),
		"controls":      everyText("a\x01\x1b[31m\r\n\t\u2028\u202e"),
		"long":          everyText(strings.Repeat("é", 300_000)),
		"long name":     everyText(strings.Repeat("n", 300)),
		"quotes":        everyText(`"'; DROP TABLE runs; -- \\ {{x}} %s $(x)`),
		"paths":         everyText("../../etc/passwd"),
		"no number": func(span ptrace.Span) {
			span.Attributes().PutDouble(semconv.GenAIRequestTemperature, math.NaN())
			span.Attributes().PutDouble(semconv.GenAIUsageInputTokens, math.Inf(1))
			span.Attributes().PutDouble(semconv.TokenCostUSD, math.NaN())
		},
		"numbers too large": func(span ptrace.Span) {
			span.Attributes().PutInt(semconv.GenAIUsageInputTokens, math.MaxInt64)
			span.Attributes().PutInt(semconv.GenAIUsageOutputTokens, math.MaxInt64)
			span.Attributes().PutDouble(semconv.TokenCostUSD, math.MaxFloat64)
		},
		"other types": func(span ptrace.Span) {
			for key := range span.Attributes().All() {
				if key != semconv.PersonaID && key != semconv.GenAIOperationName {
					span.Attributes().PutEmptySlice(key).AppendEmpty().SetEmptyMap().PutDouble("x", math.NaN())
				}
			}
		},
		"broken messages": func(span ptrace.Span) {
			span.Attributes().PutStr(semconv.GenAIInputMessages, `[{"role":"user","parts":[{"type":"text","content":"\ud800`)
			span.Attributes().PutStr(semconv.GenAIOutputMessages, strings.Repeat("[", 10_000))
		},
		"ends before it starts": func(span ptrace.Span) {
			start, end := span.StartTimestamp(), span.EndTimestamp()
			span.SetStartTimestamp(end)
			span.SetEndTimestamp(start)
		},
		"no times":      func(span ptrace.Span) { span.SetStartTimestamp(0); span.SetEndTimestamp(0) },
		"end of times":  func(span ptrace.Span) { span.SetEndTimestamp(math.MaxUint64) },
		"an empty text": everyText(""),
		"keys twice": func(span ptrace.Span) {
			for _, key := range []string{semconv.GenAIRequestModel, semconv.PersonaID, semconv.GenAIUsageInputTokens} {
				repeat(t, span, key)
			}
		},
		"many messages": func(span ptrace.Span) {
			one := strings.Trim(messages("user", "again"), "[]")
			span.Attributes().PutStr(semconv.GenAIInputMessages, "["+strings.Repeat(one+",", 5000)+one+"]")
		},
	}
	batch := ptrace.NewTraces()
	names := make(map[string]string) // span id → what is wrong
	for name, spoil := range poison {
		call := newCall(persona, "What is 2+2?")
		span := call.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		names[span.SpanID().String()] = name
		spoil(span)
		call.ResourceSpans().MoveAndAppendTo(batch.ResourceSpans())
	}

	collector := startCollector(t, "otelcol-mlflow.yaml", mlflow)
	require.NoError(t, collector.SendHTTP(t.Context(), batch))
	waitFor(t, "the batch is done", func() bool {
		own, err := collector.OwnMetrics(t.Context(), "otelcol_exporter_queue_size")
		require.NoError(t, err)
		return own[0] == 0 && written(t, mlflow, persona) > 0
	})
	require.NoError(t, collector.Stop())
	got := make(map[string]int)
	for _, run := range runsOf(t, mlflow, persona) {
		got[names[run.Tags["otel.span_id"]]]++
		assert.Equal(t, "FINISHED", run.Status, names[run.Tags["otel.span_id"]])
		for key, value := range run.Params {
			assert.True(t, utf8.ValidString(value), key)
			assert.NotContains(t, value, "\x00")
		}
	}
	for name := range poison {
		assert.Equal(t, 1, got[name], name)
	}
}

// repeat gives a span an attribute twice, which pdata takes but does not make.
func repeat(t *testing.T, span ptrace.Span, key string) {
	const other = "another.key"
	value, _ := span.Attributes().Get(key)
	value.CopyTo(span.Attributes().PutEmpty(other))
	traces := ptrace.NewTraces()
	span.CopyTo(traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	require.NoError(t, err)
	traces, err = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(bytes.ReplaceAll(text, []byte(other), []byte(key)))
	require.NoError(t, err)
	traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).CopyTo(span)
}

// everyText replaces all that a call says, but for what it is found by.
func everyText(text string) func(ptrace.Span) {
	return func(span ptrace.Span) {
		span.SetName(text)
		span.Status().SetMessage(text)
		keep := []string{semconv.PersonaID, semconv.GenAIOperationName}
		for key, value := range span.Attributes().All() {
			if value.Type() == pcommon.ValueTypeStr && !slices.Contains(keep, key) {
				value.SetStr(text)
			}
		}
		for _, key := range []string{
			semconv.UserID, semconv.GenAIConversationID, semconv.GenAIPromptName, semconv.GenAIPromptVersion, semconv.ErrorType,
			semconv.OpenAIResponseServiceTier, semconv.GenAIResponseModel,
		} {
			span.Attributes().PutStr(key, text)
		}
		span.Attributes().PutStr(semconv.GenAIInputMessages, messages("user", text))
		span.Attributes().PutEmptySlice(semconv.GenAIResponseFinishReasons).AppendEmpty().SetStr(text)
	}
}
