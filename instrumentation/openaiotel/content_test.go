// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// exchange returns the span of a call with the two bodies, whatever they are.
func exchange(t testing.TB, request, answer string, opts ...openaiotel.Option) span {
	r := newRecorder(t)
	transport := r.transport(roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: streamBody(answer)}, nil
	}), opts...)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(request))
	require.NoError(t, err)
	res, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.Equal(t, answer, string(readAll(t, res)))
	return r.recordedOne(t)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestInputMessages(t *testing.T) {
	for name, test := range map[string]struct{ messages, want string }{
		"developer": {
			`{"role":"developer","content":"Be brief.","name":"ops"}`,
			`{"role":"developer","parts":[{"type":"text","content":"Be brief."}],"name":"ops"}`,
		},
		"text parts": {
			`{"role":"user","content":[{"type":"text","text":"a <b> & \"c\""},{"type":"text","text":""}]}`,
			`{"role":"user","parts":[{"type":"text","content":"a <b> & \"c\""},{"type":"text","content":""}]}`,
		},
		"image by URL": {
			`{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}}]}`,
			`{"role":"user","parts":[{"type":"uri","modality":"image","uri":"https://example.com/a.png"}]}`,
		},
		"image by value": {
			`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}}]}`,
			`{"role":"user","parts":[{"type":"blob","modality":"image","mime_type":"image/png","content":"","size":5}]}`,
		},
		"audio": {
			`{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"wav","data":"aGVsbG9v"}}]}`,
			`{"role":"user","parts":[{"type":"blob","modality":"audio","mime_type":"audio/wav","content":"","size":6}]}`,
		},
		"files": {
			`{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}},` +
				`{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,aGVsbG8="}}]}`,
			`{"role":"user","parts":[{"type":"file","modality":"document","file_id":"file-1"},` +
				`{"type":"blob","modality":"document","mime_type":"application/pdf","content":"","size":5}]}`,
		},
		"parts of an unknown kind": {
			`{"role":"user","content":[{"type":"hologram","hologram":"aGVsbG8="},{"text":"no type"},7]}`,
			`{"role":"user","parts":[{"type":"hologram"}]}`,
		},
		"assistant": {
			`{"role":"assistant","content":"Let me see.","reasoning_content":"Hm.","refusal":"No.","tool_calls":[` +
				`{"id":"call_1","type":"function","function":{"name":"get_sum","arguments":"{\"a\": 2}"}},` +
				`{"id":"call_2","type":"custom","custom":{"name":"run","input":"ls"}}]}`,
			`{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},{"type":"text","content":"Let me see."},` +
				`{"type":"refusal","content":"No."},` +
				`{"type":"tool_call","id":"call_1","name":"get_sum","arguments":{"a":2}},` +
				`{"type":"tool_call","id":"call_2","name":"run","arguments":"ls"}]}`,
		},
		"legacy function call": {
			`{"role":"assistant","content":null,"function_call":{"name":"get_sum","arguments":"{}"}}`,
			`{"role":"assistant","parts":[{"type":"tool_call","name":"get_sum","arguments":{}}]}`,
		},
		"tool": {
			`{"role":"tool","tool_call_id":"call_1","content":"{\"sum\":4}"}`,
			`{"role":"tool","parts":[{"type":"tool_call_response","id":"call_1","response":"{\"sum\":4}"}]}`,
		},
		"tool with parts": {
			`{"role":"tool","tool_call_id":"call_1","content":[{"type":"text","text":"4"}]}`,
			`{"role":"tool","parts":[{"type":"tool_call_response","id":"call_1","response":[{"type":"text","content":"4"}]}]}`,
		},
		"no content": {
			`{"role":"user","content":null}`,
			`{"role":"user","parts":[]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := exchange(t, `{"messages":[`+test.messages+`,"no message"]}`, `{}`, openaiotel.WithContent(openaiotel.ContentSpan))
			require.Equal(t, "["+test.want+"]", s.Attributes["gen_ai.input.messages"])
		})
	}
}

func TestOutputMessages(t *testing.T) {
	for name, test := range map[string]struct{ choices, want string }{
		"several choices": {
			`{"index":1,"message":{"content":"b"},"finish_reason":"length"},{"index":0,"message":{"content":"a"},"finish_reason":"stop"}`,
			`{"role":"assistant","parts":[{"type":"text","content":"a"}],"finish_reason":"stop"},` +
				`{"role":"assistant","parts":[{"type":"text","content":"b"}],"finish_reason":"length"}`,
		},
		"audio": {
			`{"index":0,"message":{"role":"assistant","content":null,"audio":{"id":"a","data":"aGVsbG9v","transcript":"Hi."}},"finish_reason":"stop"}`,
			`{"role":"assistant","parts":[{"type":"text","content":"Hi."},{"type":"blob","modality":"audio","content":"","size":6}],"finish_reason":"stop"}`,
		},
		"reasoning under two names": {
			`{"index":0,"message":{"reasoning":"Hm.","reasoning_content":"Hm.","content":"4"},"finish_reason":"stop"}`,
			`{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},{"type":"text","content":"4"}],"finish_reason":"stop"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := exchange(t, plainRequest, `{"choices":[`+test.choices+`]}`, openaiotel.WithContent(openaiotel.ContentSpan))
			require.Equal(t, "["+test.want+"]", s.Attributes["gen_ai.output.messages"])
		})
	}
}

func TestToolCallDeltasWithoutAnIndex(t *testing.T) {
	stream := chunk("1", `"choices":[{"index":0,"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\""}}]}}]`) +
		chunk("1", `"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":":1}"}}]}}]`) +
		chunk("1", `"choices":[{"index":0,"delta":{"tool_calls":[{"id":"b","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]`)
	require.Equal(t, `[{"role":"assistant","parts":[{"type":"tool_call","id":"a","name":"f","arguments":{"x":1}},`+
		`{"type":"tool_call","id":"b","name":"f","arguments":{}}],"finish_reason":"tool_calls"}]`,
		observe(t, streamBody(stream+"data: [DONE]\n\n")).Attributes["gen_ai.output.messages"])
}

func TestDeltasThatAreListsOfParts(t *testing.T) {
	delta := func(kind string) string {
		return chunk("1", `"choices":[{"index":0,"delta":{"content":[{"type":"`+kind+`","text":"`+kind+`"}]}}]`)
	}
	require.Equal(t, `[{"role":"assistant","parts":[{"type":"text","content":"text"},{"type":"abcd"},{"type":"efgh"}],"finish_reason":"stop"}]`,
		observe(t, streamBody(delta("text")+delta("abcd")+delta("efgh")+
			chunk("1", `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]`)+"data: [DONE]\n\n")).Attributes["gen_ai.output.messages"])
}

func TestHostileChoicesAndCalls(t *testing.T) {
	var choices []string
	for i := range 300 {
		choices = append(choices, fmt.Sprintf(`{"index":%d,"finish_reason":"stop","message":{"tool_calls":[7,{"index":9e17}]}}`, i))
	}
	s := exchange(t, `{"n":1e15}`, `{"choices":[`+strings.Join(choices, ",")+`]}`, openaiotel.WithContent(openaiotel.ContentSpan))
	require.Len(t, s.Attributes["gen_ai.response.finish_reasons"], 128)
	s = exchange(t, `{"n":2}`, `{"choices":[{"message":{"content":"a"}},{"message":{"content":"b"},"finish_reason":"stop"}]}`)
	require.Equal(t, []string{"error", "stop"}, s.Attributes["gen_ai.response.finish_reasons"])
}

func TestToolDefinitions(t *testing.T) {
	s := exchange(t, `{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object", "x":1.0}}},`+
		`{"type":"custom","custom":{"name":"run","description":"Runs."}},"no tool"],"functions":[{"name":"old"}]}`, `{}`,
		openaiotel.WithContent(openaiotel.ContentSpan))
	require.Equal(t, `[{"type":"function","name":"f","parameters":{"type":"object","x":1.0}},`+
		`{"type":"custom","name":"run","description":"Runs."},{"type":"function","name":"old"}]`,
		s.Attributes["gen_ai.tool.definitions"])
}

func TestContentStaysInTheApplicationUnlessAskedFor(t *testing.T) {
	const secret = "xyzzy"
	request := `{"model":"gpt-4o-mini","messages":[{"role":"system","name":"xyzzy","content":"xyzzy"},{"role":"user","content":"xyzzy"},` +
		`{"role":"tool","tool_call_id":"xyzzy","content":"xyzzy"}],"tools":[{"type":"function","function":{"name":"xyzzy"}}],"user":"xyzzy"}`
	whole := strings.NewReplacer("It is", secret, "get_sum", secret, "not JSON", secret)
	for name, test := range map[string]answer{
		"answer":       jsonAnswer(whole.Replace(plainAnswer)),
		"tool answer":  jsonAnswer(whole.Replace(toolAnswer)),
		"stream":       streamAnswer(whole.Replace(plainStream(true))),
		"tool stream":  streamAnswer(whole.Replace(toolStream())),
		"error":        errorAnswer(400, `{"error":{"message":"xyzzy is bad","param":"xyzzy","code":"bad xyzzy","type":"xyzzy?"}}`),
		"stream error": streamAnswer(`data: {"error":{"message":"xyzzy is bad","code":"bad xyzzy"}}` + "\n\n"),
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, test.body, secret)
			r := newRecorder(t)
			req, err := http.NewRequest(http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(request))
			require.NoError(t, err)
			res, err := r.middleware()(req, test.respond)
			require.NoError(t, err)
			require.Contains(t, string(readAll(t, res)), secret)
			stub := tracetest.SpanStubFromReadOnlySpan(r.spans.Ended()[0])
			require.NotContains(t, fmt.Sprintf("%+v", stub), secret)
			for _, a := range stub.Attributes {
				require.NotContains(t, a.Value.String(), secret)
			}
		})
	}
}

func (a answer) respond(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: a.header, Body: streamBody(a.body)}, nil
}
