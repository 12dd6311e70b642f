// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

func TestTablesNameNoFieldTwice(t *testing.T) {
	type place struct {
		key, path string
		field     field
	}
	seen := map[place]bool{}
	documents := map[string]bool{}
	for _, d := range dialects {
		for _, a := range d.attributes {
			p := place{a.key, a.path, a.field}
			assert.False(t, seen[p], "%s: %s %s", d.name, a.key, a.path)
			seen[p] = true
			if a.path != "" {
				documents[a.key] = true
			}
		}
	}
	assert.LessOrEqual(t, len(documents), maxDocuments)
}

// TestNothingIsCountedTwice has for each emitter an agent or another span around calls, two calls, and what else repeats
// their usage.
func TestNothingIsCountedTwice(t *testing.T) {
	usage := func(attributes map[string]any) map[string]any {
		merged := maps.Clone(attributes)
		merged["gen_ai.usage.input_tokens"], merged["gen_ai.usage.output_tokens"] = 10, 5
		return merged
	}
	for emitter, spans := range map[string]struct{ sums, call map[string]any }{
		"conventions":   {map[string]any{"gen_ai.operation.name": "invoke_agent"}, map[string]any{"gen_ai.operation.name": "chat"}},
		"workflow":      {map[string]any{"gen_ai.operation.name": "invoke_workflow"}, map[string]any{"gen_ai.operation.name": "chat"}},
		"Spring AI":     {map[string]any{"gen_ai.operation.name": "framework"}, map[string]any{"gen_ai.operation.name": "chat"}},
		"OpenLLMetry":   {map[string]any{"traceloop.span.kind": "workflow"}, map[string]any{"llm.request.type": "chat"}},
		"OpenInference": {map[string]any{"openinference.span.kind": "CHAIN"}, map[string]any{"openinference.span.kind": "LLM"}},
		"Vercel":        {map[string]any{"ai.operationId": "ai.generateText"}, map[string]any{"ai.operationId": "ai.generateText.doGenerate"}},
		"Vercel, both":  {map[string]any{"ai.operationId": "ai.streamText", "gen_ai.operation.name": "chat"}, map[string]any{"ai.operationId": "ai.streamText.doStream"}},
		"LangSmith":     {map[string]any{"langsmith.span.kind": "chain"}, map[string]any{"langsmith.span.kind": "llm"}},
		"Pydantic AI":   {map[string]any{"agent_name": "a", "final_result": "x"}, map[string]any{"gen_ai.operation.name": "chat"}},
		"aggregated":    {map[string]any{"gen_ai.operation.name": "chat", "gen_ai.aggregated_usage.input_tokens": 20}, map[string]any{"gen_ai.operation.name": "chat"}},
		"MLflow":        {map[string]any{"mlflow.spanType": `"AGENT"`}, map[string]any{"mlflow.spanType": `"CHAT_MODEL"`}},
		"Langfuse":      {map[string]any{"langfuse.observation.type": "agent"}, map[string]any{"langfuse.observation.type": "generation"}},
		"Google ADK": {
			map[string]any{"gen_ai.operation.name": "generate_content", "gcp.vertex.agent.event_id": "e"},
			map[string]any{"gcp.vertex.agent.event_id": "e", "gcp.vertex.agent.llm_request": "{}"},
		},
		"Genkit":     {map[string]any{"genkit:metadata:subtype": "flow"}, map[string]any{"genkit:metadata:subtype": "model"}},
		"Braintrust": {map[string]any{"braintrust.span_attributes": `{"type":"task"}`}, map[string]any{"braintrust.span_attributes": `{"type":"llm"}`}},
		"VoltAgent":  {map[string]any{"entity.type": "agent"}, map[string]any{"entity.type": "agent", "span.type": "llm"}},
		"no kind":    {map[string]any{"gen_ai.agent.name": "a"}, map[string]any{"gen_ai.request.model": "gpt-4o"}},
	} {
		t.Run(emitter, func(t *testing.T) {
			calls, total := 0, int64(0)
			for _, attributes := range []map[string]any{spans.sums, spans.call, spans.call} {
				span := ptrace.NewSpan()
				require.NoError(t, span.Attributes().FromRaw(usage(attributes)))
				call, ok := NewReader(Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
				require.True(t, ok)
				if !call.Aggregate {
					calls++
					total += call.Total().Value
				}
			}
			assert.Equal(t, 2, calls)
			assert.Equal(t, int64(30), total)
		})
	}
}

// TestReadDoesNotAllocate reads the spans of every golden file, but for those with zeros: there the answer has to be
// looked at.
func TestReadDoesNotAllocate(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*/*.otlp.json")
	require.NoError(t, err)
	reader := NewReader(Options{})
	for _, input := range inputs {
		if strings.Contains(input, "zero") {
			continue
		}
		t.Run(strings.TrimPrefix(input, "testdata/"), func(t *testing.T) {
			document, err := os.ReadFile(input)
			require.NoError(t, err)
			traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(document)
			require.NoError(t, err)
			resource := traces.ResourceSpans().At(0)
			scope := resource.ScopeSpans().At(0)
			for i, span := range scope.Spans().All() {
				var call Call
				assert.Zero(t, testing.AllocsPerRun(10, func() {
					call, _ = reader.Read(resource.Resource(), scope.Scope(), span)
					call.ContentSize()
				}), "span %d", i)
			}
		})
	}
}

func TestContentSizeCountsAllContent(t *testing.T) {
	span := alone(semconv.GenAIInputMessages, "12345")
	span.Attributes().PutStr("gen_ai.prompt.0.content", "123")
	span.Attributes().PutStr("gen_ai.completion.0.finish_reason", "12")
	span.Attributes().PutStr("gen_ai.prompt.name", "no content")
	span.Attributes().PutEmptySlice(semconv.GenAIOutputMessages).AppendEmpty().SetEmptyMap().PutStr("content", "1234567")
	event := span.Events().AppendEmpty()
	event.SetName("gen_ai.choice")
	event.Attributes().PutStr("message", "1")
	call := read(span)
	assert.Equal(t, 18, call.ContentSize())
}

func TestTextOfExactlyALimitIsTakenForCut(t *testing.T) {
	for length, cut := range map[int]bool{4095: true, 4096: true, 4097: false} {
		call := read(alone("gen_ai.prompt.0.content", strings.Repeat("é", length)))
		assert.Equal(t, cut, call.Messages().TruncatedInput, length)
	}
}

// emitters are spans of each dialect with content of about the given size, in bytes.
func emitters(size int) map[string]ptrace.Span {
	prompt := strings.Repeat("Explain how a \"hash map\" works.\n", size*3/4/32+1)
	answer := strings.Repeat("It maps keys to values, quickly. ", size/4/33+1)
	quote := func(text string) string {
		quoted, _ := json.Marshal(text)
		return string(quoted)
	}
	chat := func(role, text string) string { return `{"role":"` + role + `","content":` + quote(text) + `}` }
	spans := map[string]ptrace.Span{}
	for name, attributes := range map[string]map[string]any{
		"otel-1.37": {
			"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o-2024-08-06",
			"gen_ai.request.temperature": 0.7, "gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 100,
			"gen_ai.response.finish_reasons": []any{"stop"},
			"gen_ai.input.messages":          `[{"role":"user","parts":[{"type":"text","content":` + quote(prompt) + `}]}]`,
			"gen_ai.output.messages":         `[{"role":"assistant","parts":[{"type":"text","content":` + quote(answer) + `}]}]`,
		},
		"otel-1.27": {"gen_ai.system": "openai", "gen_ai.prompt": "[" + chat("user", prompt) + "]", "gen_ai.completion": chat("assistant", answer)},
		"openllmetry": {
			"llm.request.type": "chat", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": prompt,
			"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": answer, "gen_ai.usage.prompt_tokens": 900,
		},
		"openinference": {
			"openinference.span.kind": "LLM", "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": prompt,
			"llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": answer, "llm.token_count.prompt": 900,
			"llm.invocation_parameters": `{"model":"gpt-4o","temperature":0.7}`, "input.value": chat("user", prompt), "output.value": answer,
		},
		"vercel": {
			"ai.operationId":     "ai.streamText.doStream",
			"ai.prompt.messages": `[{"role":"user","content":[{"type":"text","text":` + quote(prompt) + `}]}]`, "ai.response.text": answer,
		},
		"langsmith":   {"langsmith.span.kind": "llm", "gen_ai.prompt": `{"messages":[` + chat("user", prompt) + `]}`, "gen_ai.completion": chat("assistant", answer)},
		"pydantic-ai": {"gen_ai.operation.name": "chat", "request_data": `{"messages":[` + chat("user", prompt) + `]}`, "response_data": `{"message":` + chat("assistant", answer) + `}`},
		"mlflow": {
			"mlflow.spanType": `"CHAT_MODEL"`, "mlflow.spanInputs": `{"messages":[` + chat("user", prompt) + `]}`,
			"mlflow.spanOutputs":     `{"choices":[{"message":` + chat("assistant", answer) + `}]}`,
			"mlflow.chat.tokenUsage": `{"input_tokens":900,"output_tokens":100}`,
		},
		"langfuse": {
			"langfuse.observation.type": "generation", "langfuse.observation.input": "[" + chat("user", prompt) + "]",
			"langfuse.observation.output": chat("assistant", answer), "langfuse.observation.usage_details": `{"input":900,"output":100}`,
		},
		"google-adk": {
			"gcp.vertex.agent.llm_request":  `{"contents":[{"role":"user","parts":[{"text":` + quote(prompt) + `}]}]}`,
			"gcp.vertex.agent.llm_response": `{"content":{"parts":[{"text":` + quote(answer) + `}]},"usage_metadata":{"prompt_token_count":900}}`,
		},
	} {
		attributes["gen_ai.request.model"], attributes["persona.id"] = "gpt-4o", "tech_educator"
		span := ptrace.NewSpan()
		if err := span.Attributes().FromRaw(attributes); err != nil {
			panic(err)
		}
		spans[name] = span
	}
	events := ptrace.NewSpan()
	events.Attributes().PutStr("gen_ai.system", "openai")
	for name, text := range map[string]string{"gen_ai.user.message": prompt, "gen_ai.choice": answer} {
		event := events.Events().AppendEmpty()
		event.SetName(name)
		event.Attributes().PutStr("content", text)
	}
	spans["otel-1.28"] = events
	return spans
}

func TestBenchmarksReadBothSides(t *testing.T) {
	for name, span := range emitters(1 << 10) {
		call := read(span)
		m := call.Messages()
		assert.True(t, sayAnything(m.Input) && sayAnything(m.Output), name)
	}
}

func BenchmarkRead(b *testing.B) {
	reader, resource, scope := NewReader(Options{}), pcommon.NewResource(), pcommon.NewInstrumentationScope()
	for _, kilobytes := range []int{1, 4, 64} {
		spans := emitters(kilobytes << 10)
		for _, name := range slices.Sorted(maps.Keys(spans)) {
			span := spans[name]
			b.Run(fmt.Sprintf("attributes/%s/%dKB", name, kilobytes), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					reader.Read(resource, scope, span)
				}
			})
			b.Run(fmt.Sprintf("messages/%s/%dKB", name, kilobytes), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					call, _ := reader.Read(resource, scope, span)
					call.Messages()
				}
			})
		}
	}
}
