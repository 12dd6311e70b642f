// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconvtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv/semconvtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// chat is a span that the conventions have nothing against.
func chat() tracetest.SpanStub {
	return tracetest.SpanStub{Name: "chat m", SpanKind: trace.SpanKindClient, Attributes: []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", "openai"),
		attribute.String("gen_ai.request.model", "m"), attribute.String("team", "application's"),
	}}
}

func TestSpanOfTheConventions(t *testing.T) {
	require.NoError(t, semconvtest.CheckSpan(chat().Snapshot(), "team"))
}

func TestWhatIsWrongWithASpan(t *testing.T) {
	add := func(kvs ...attribute.KeyValue) func(*tracetest.SpanStub) {
		return func(s *tracetest.SpanStub) { s.Attributes = append(s.Attributes, kvs...) }
	}
	for want, change := range map[string]func(*tracetest.SpanStub){
		`name is "chat", not "chat m"`:                          func(s *tracetest.SpanStub) { s.Name = "chat" },
		"kind is server, not client":                            func(s *tracetest.SpanStub) { s.SpanKind = trace.SpanKindServer },
		`operation "" is none`:                                  func(s *tracetest.SpanStub) { s.Attributes = nil },
		"gen_ai.provider.name is required":                      func(s *tracetest.SpanStub) { s.Attributes = s.Attributes[:1] },
		`status is Error, error.type is ""`:                     func(s *tracetest.SpanStub) { s.Status.Code = codes.Error },
		`status is Unset, error.type is "timeout"`:              add(attribute.String("error.type", "timeout")),
		"server.port is there without server.address":           add(attribute.Int("server.port", 1)),
		"gen_ai.request.model is there twice":                   add(attribute.String("gen_ai.request.model", "n")),
		"gen_ai.usage.total_tokens: is in no registry":          add(attribute.Int("gen_ai.usage.total_tokens", 1)),
		"gen_ai.request.top_p: is of type INT64, not double":    add(attribute.Int("gen_ai.request.top_p", 1)),
		"gen_ai.usage.input_tokens: is below zero":              add(attribute.Int("gen_ai.usage.input_tokens", -1)),
		`gen_ai.output.type: "xml" is none of`:                  add(attribute.String("gen_ai.output.type", "xml")),
		"gen_ai.input.messages: is no JSON":                     add(attribute.String("gen_ai.input.messages", "hi")),
		"gen_ai.tool.definitions: validating":                   add(attribute.String("gen_ai.tool.definitions", `[{"type":"function"}]`)),
		"gen_ai.system_instructions: validating":                add(attribute.String("gen_ai.system_instructions", `{"type":"text"}`)),
		`gen_ai.output.messages: validating root: validating /`: add(attribute.String("gen_ai.output.messages", `[{"role":"assistant","parts":[]}]`)),
	} {
		t.Run(want, func(t *testing.T) {
			s := chat()
			change(&s)
			require.ErrorContains(t, semconvtest.CheckSpan(s.Snapshot(), "team"), want)
		})
	}
}

func TestParts(t *testing.T) {
	for part, valid := range map[string]bool{
		`{"type":"text","content":"a"}`:                                                                 true,
		`{"type":"text"}`:                                                                               false,
		`{"type":"text","content":null}`:                                                                false,
		`{"type":"tool_call","name":"f","arguments":{"a":1}}`:                                           true,
		`{"type":"tool_call","arguments":{}}`:                                                           false,
		`{"type":"tool_call_response","response":null}`:                                                 true,
		`{"type":"tool_call_response","id":"1"}`:                                                        false,
		`{"type":"blob","modality":"image","content":""}`:                                               true,
		`{"type":"blob","modality":"image","content":"aGk="}`:                                           false, // ours are described, not carried
		`{"type":"blob","modality":"smell","content":""}`:                                               false,
		`{"type":"uri","modality":"image","uri":"https://x"}`:                                           true,
		`{"type":"uri","modality":"image","uri":"data:,"}`:                                              false,
		`{"type":"file","modality":"document","file_id":""}`:                                            false,
		`{"type":"server_tool_call","name":"web_search","server_tool_call":{"type":"web_search_call"}}`: true,
		`{"type":"server_tool_call","name":"web_search"}`:                                               false,
		`{"type":"hologram","any":1}`:                                                                   true,
		`{"content":"a"}`:                                                                               false,
		`"a"`:                                                                                           false,
	} {
		err := semconvtest.CheckAttributes([]attribute.KeyValue{
			attribute.String("gen_ai.input.messages", `[{"role":"user","parts":[`+part+`]}]`),
		})
		require.Equal(t, valid, err == nil, "%s: %v", part, err)
	}
}
