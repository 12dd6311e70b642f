// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// bytesCounted counts the bytes of a text, the most tokens that it can have, and the bytes of all.
type bytesCounted int

func (c *bytesCounted) Count(text string) int {
	*c += bytesCounted(len(text))
	return len(text)
}

func FuzzFraming(f *testing.F) {
	const question = `[{"role":"user","parts":[{"type":"text","content":"2+2?"}]}]`
	const answer = `[{"role":"assistant","parts":[{"type":"text","content":"4"}],"finish_reason":"stop"}]`
	f.Add("chat", "gpt-4o", "chatcmpl-1", question, answer, "[]")
	f.Add("chat", "gpt-5", "resp_1", `[{"role":"system","content":"Add."},{"role":"user","name":"user","content":[{"type":"text","text":"2+2?"},`+
		`{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0lGODlhAQABAAAAACw="}}]},`+
		`{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{"}}]},`+
		`{"role":"tool","tool_call_id":"b","content":"4"},{"role":"tool","content":"5"}]`,
		`[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}]`,
		`[{"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"anyOf":[{"type":["string","null"]},{"enum":[1]}]}}}}}]`)
	f.Add("embeddings", "text-embedding-3-small", "", question, "", "")
	f.Add("text_completion", "davinci-002", "", question, answer, "")
	f.Add("generate_content", "claude-opus-4-8", "", question, answer, `[{"type":"web_search"}]`)
	models := framing.NewModels(framing.ModelOptions{Vendors: framing.Vendors(), Fallback: tiktoken.O200kBase})
	reader := genai.NewReader(genai.Options{})

	f.Fuzz(func(t *testing.T, operation, model, id, input, output, tools string) {
		span := ptrace.NewSpan()
		for key, value := range map[string]string{
			semconv.GenAIOperationName: operation, semconv.GenAIResponseModel: model, semconv.GenAIResponseID: id,
			semconv.GenAIInputMessages: input, semconv.GenAIOutputMessages: output, semconv.GenAIToolDefinitions: tools,
		} {
			span.Attributes().PutStr(key, value)
		}
		read, ok := reader.Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
		if !ok {
			return
		}
		messages := read.Messages()
		call := framing.Call{Span: &read, Messages: &messages}
		call.Model, _ = models.Of(&read)
		for _, lowerBounds := range []bool{false, true} {
			call.LowerBounds = lowerBounds
			for _, side := range []func(framing.Call, framing.Counter) framing.Breakdown{framing.BreakInput, framing.BreakOutput} {
				var bytes bytesCounted
				got := side(call, &bytes)
				require.GreaterOrEqual(t, got.Count.Tokens, int64(0))
				require.Equal(t, got.Count.Source == "", !got.Count.Known())
				require.Equal(t, got.Count.Source == semconv.SourceCounted || got.Count.Source == semconv.SourceEstimated, got.Count.Reason == "")
				// What is added to the content is names and punctuation, some for every few bytes of it.
				require.LessOrEqual(t, int(bytes), 1_000+100*(len(input)+len(output)+len(tools)))
			}
			require.Equal(t, framing.BreakInput(call, new(bytesCounted)).Count, framing.Input(call, new(bytesCounted)))
			require.Equal(t, framing.BreakOutput(call, new(bytesCounted)).Count, framing.Output(call, new(bytesCounted)))
		}
	})
}

func BenchmarkInput(b *testing.B) {
	text := strings.Repeat("The committee met on Tuesday to discuss it. ", 23)[:1000]
	history := []genai.Message{message("user", text), assistant(called("c1", `{"a":2,"b":2}`)), returned("c1", text)}
	var schema strings.Builder
	schema.WriteString(`{"type":"object","properties":{"first":{"type":"string"}`)
	for range 1_000 {
		schema.WriteString(`,"city":{"type":"object","description":"Where it is.","properties":{"name":{"type":["string","null"]}}}`)
	}
	schema.WriteString("}}")
	var deep strings.Builder
	deep.WriteString(strings.Repeat(`{"properties":{"o":`, 1_000) + `{}` + strings.Repeat(`}}`, 1_000))
	var calls []genai.Message
	for range 10_000 {
		calls = append(calls, assistant(called("", "{}")), returned("", "4"))
	}
	for name, messages := range map[string]*genai.Messages{
		"text/1KB":          {Input: history[:1]},
		"tools":             {Input: history, Tools: []genai.Tool{sum}},
		"schema/100KB":      {Input: history, Tools: []genai.Tool{{Name: "f", Parameters: schema.String()}}},
		"deep schema/20KB":  {Input: history, Tools: []genai.Tool{{Name: "f", Parameters: deep.String()}}},
		"tool calls/10,000": {Input: append([]genai.Message{message("user", "go")}, calls...)},
	} {
		b.Run(name, func(b *testing.B) {
			model, _ := framing.ModelNamed("gpt-4o")
			tokenizer, err := tiktoken.Get(model.Encoding)
			require.NoError(b, err)
			span := ptrace.NewSpan()
			span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationChat)
			read, _ := genai.NewReader(genai.Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
			call := framing.Call{Model: model, Span: &read, Messages: messages}
			b.ReportAllocs()
			for b.Loop() {
				if got := framing.Input(call, tokenizer); !got.Known() {
					b.Fatal(got.Reason)
				}
			}
		})
	}
}
