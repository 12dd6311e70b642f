// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

func TestRecordCall(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	r, reader := newRecorder(t), sdkmetric.NewManualReader()
	ctx := openaiotel.WithConversation(openaiotel.WithPersona(t.Context(), "from the context"), "thread-1")
	opts := []openaiotel.Option{
		openaiotel.WithTracerProvider(r), openaiotel.WithContent(openaiotel.ContentSpan),
		openaiotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))),
	}
	openaiotel.RecordCall(ctx, openaiotel.Call{
		Persona: "tech_educator", Provider: "anthropic", Model: "claude-x", ResponseModel: "claude-x-1", ResponseID: "msg_1",
		FinishReason: "stop", Prompt: "What is 2+2?", Response: "4", InputTokens: new(12), OutputTokens: new(0), CachedTokens: new(3),
		Start: start, Latency: 2 * time.Second,
	}, opts...)
	openaiotel.RecordCall(ctx, openaiotel.Call{Model: "m", Err: context.DeadlineExceeded}, opts...)

	spans := r.recorded(t)
	require.Equal(t, span{Name: "chat claude-x", Attributes: map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-x", "persona.id": "tech_educator",
		"gen_ai.conversation.id": "thread-1", "gen_ai.response.id": "msg_1", "gen_ai.response.model": "claude-x-1",
		"gen_ai.response.finish_reasons": []string{"stop"}, "gen_ai.usage.input_tokens": int64(12), "gen_ai.usage.output_tokens": int64(0),
		"gen_ai.usage.cache_read.input_tokens": int64(3),
		"gen_ai.input.messages":                `[{"role":"user","parts":[{"type":"text","content":"What is 2+2?"}]}]`,
		"gen_ai.output.messages":               `[{"role":"assistant","parts":[{"type":"text","content":"4"}],"finish_reason":"stop"}]`,
	}}, spans[0])
	require.Equal(t, span{Name: "chat m", Status: failed("timeout"), Attributes: map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m", "persona.id": "from the context",
		"gen_ai.conversation.id": "thread-1", "error.type": "timeout",
	}}, spans[1])
	require.Equal(t, start, r.spans.Ended()[0].StartTime())
	require.Equal(t, start.Add(2*time.Second), r.spans.Ended()[0].EndTime())
	require.Len(t, collect(t, reader)["gen_ai.client.operation.duration"], 2)
}

func TestTool(t *testing.T) {
	r := newRecorder(t)
	call := openaiotel.ToolCall{ID: "call_1", Name: "get_sum", Arguments: `{"a":2}`}
	for _, content := range []openaiotel.ContentMode{openaiotel.ContentNone, openaiotel.ContentSpan} {
		got, err := openaiotel.Tool(openaiotel.WithPersona(t.Context(), "tech_educator"), call, func(ctx context.Context) (map[string]int, error) {
			require.True(t, trace.SpanContextFromContext(ctx).IsValid())
			return map[string]int{"sum": 4}, nil
		}, openaiotel.WithTracerProvider(r), openaiotel.WithContent(content))
		require.NoError(t, err)
		require.Equal(t, map[string]int{"sum": 4}, got)
	}
	broken := errors.New("no such city: xyzzy")
	_, err := openaiotel.Tool(t.Context(), call, func(context.Context) (string, error) { return "", broken }, openaiotel.WithTracerProvider(r))
	require.Equal(t, broken, err)
	require.PanicsWithValue(t, "xyzzy", func() {
		_, _ = openaiotel.Tool(t.Context(), call, func(context.Context) (string, error) { panic("xyzzy") }, openaiotel.WithTracerProvider(r))
	})

	ended := r.spans.Ended()
	require.Len(t, ended, 4)
	for i, want := range []map[string]any{
		{"gen_ai.tool.call.arguments": nil, "gen_ai.tool.call.result": nil, "persona.id": "tech_educator", "error.type": nil},
		{"gen_ai.tool.call.arguments": `{"a":2}`, "gen_ai.tool.call.result": `{"sum":4}`, "error.type": nil},
		{"gen_ai.tool.name": "get_sum", "gen_ai.tool.call.id": "call_1", "gen_ai.operation.name": "execute_tool", "error.type": "_OTHER"},
		{"gen_ai.tool.type": "function"},
	} {
		require.Equal(t, "execute_tool get_sum", ended[i].Name())
		require.Equal(t, trace.SpanKindInternal, ended[i].SpanKind())
		require.Empty(t, ended[i].Events())
		for key, value := range want {
			require.Equal(t, value, attributeOf(ended[i], key), key)
		}
	}
	require.NotContains(t, ended[2].Status().Description, "xyzzy")
}

func TestRecordBatch(t *testing.T) {
	input := `{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini","temperature":0.5,"metadata":{"persona_id":"tech_educator"},"messages":[{"role":"user","content":"What is 2+2?"}]}}
{"custom_id":"viral:b","method":"POST","url":"/v1/embeddings","body":{"model":"text-embedding-3-small","input":"x"}}
{"custom_id":"c","method":"POST","url":"/v1/responses","body":{"model":"gpt-4o-mini","input":"Hi"}}`
	output := `{"id":"batch_req_1","custom_id":"viral:b","response":{"status_code":200,"request_id":"r","body":{"model":"text-embedding-3-small","usage":{"prompt_tokens":1,"total_tokens":1}}},"error":null}
{"id":"batch_req_2","custom_id":"a","response":{"status_code":200,"request_id":"r","body":` + plainAnswer + `},"error":null}

not JSON
{"id":"batch_req_3","custom_id":"c","response":{"status_code":400,"request_id":"r","body":{"error":{"code":"invalid_value","message":"xyzzy"}}},"error":null}
{"id":"batch_req_4","custom_id":"unknown","response":null,"error":{"code":"batch_expired","message":"xyzzy"}}`
	batch := openaiotel.Batch{
		ID: "batch_1", Endpoint: "/v1/chat/completions", CreatedAt: time.Unix(1000, 0), CompletedAt: time.Unix(2000, 0),
		Persona: func(customID string) string {
			persona, _, found := strings.Cut(customID, ":")
			if !found {
				return ""
			}
			return persona
		},
	}
	r, reader := newRecorder(t), sdkmetric.NewManualReader()
	n, err := openaiotel.RecordBatch(openaiotel.WithPersona(t.Context(), "fallback"), batch, strings.NewReader(input), strings.NewReader(output),
		openaiotel.WithTracerProvider(r), openaiotel.WithContent(openaiotel.ContentSpan),
		openaiotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	require.ErrorContains(t, err, "1 lines")
	require.Equal(t, 4, n)

	spans := r.recorded(t)
	require.Equal(t, "embeddings text-embedding-3-small", spans[0].Name)
	require.Equal(t, "viral", spans[0].Attributes["persona.id"])
	require.Equal(t, span{Name: "chat gpt-4o-mini", Attributes: map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "openai.api.type": "chat_completions", "gen_ai.request.model": "gpt-4o-mini",
		"gen_ai.request.temperature": 0.5, "persona.id": "tech_educator", "openai.batch.id": "batch_1", "openai.batch.custom_id": "a",
		"openai.response.service_tier": "batch", "openai.response.system_fingerprint": "fp_1", "gen_ai.response.id": "chatcmpl-1",
		"gen_ai.response.model": "gpt-4o-mini-2024-07-18", "gen_ai.response.finish_reasons": []string{"stop"},
		"gen_ai.usage.input_tokens": int64(24), "gen_ai.usage.output_tokens": int64(9), "gen_ai.usage.cache_read.input_tokens": int64(8),
		"gen_ai.usage.cache_creation.input_tokens": int64(4), "gen_ai.usage.reasoning.output_tokens": int64(0),
		"gen_ai.input.messages":  `[{"role":"user","parts":[{"type":"text","content":"What is 2+2?"}]}]`,
		"gen_ai.output.messages": plainOutput,
	}}, spans[1])
	require.Equal(t, failed("HTTP 400 invalid_value"), spans[2].Status)
	require.Equal(t, "fallback", spans[3].Attributes["persona.id"])
	require.Equal(t, failed("batch_expired"), spans[3].Status)
	for _, s := range r.spans.Ended() {
		require.Equal(t, batch.CreatedAt, s.StartTime())
		require.Equal(t, batch.CompletedAt, s.EndTime())
	}
	require.NotContains(t, collect(t, reader), "gen_ai.client.operation.duration", "nobody waited")
}

func TestRecordBatchStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n, err := openaiotel.RecordBatch(ctx, openaiotel.Batch{}, nil, strings.NewReader(`{"custom_id":"a"}`), openaiotel.WithTracerProvider(newRecorder(t)))
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, n)
}
