// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// observed returns the recorder of a call of any endpoint, whose answer was read to its end.
func observed(ctx context.Context, t testing.TB, method, url, request string, answer answer, opts ...openaiotel.Option) *recorder {
	r := newRecorder(t)
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(request))
	require.NoError(t, err)
	res, err := r.middleware(opts...)(req, answer.respond)
	require.NoError(t, err)
	require.Equal(t, answer.body, string(readAll(t, res)))
	return r
}

const (
	responsesRequest = `{"model":"gpt-4o-mini","instructions":"Be witty.","max_output_tokens":50,"previous_response_id":"resp_0",` +
		`"conversation":{"id":"conv_1"},"prompt":{"id":"pmpt_1","version":"2","variables":{"topic":"sums"}},"reasoning":{"effort":"low"},` +
		`"text":{"format":{"type":"json_schema"}},"tools":[{"type":"function","name":"get_sum","parameters":{"type":"object"}},` +
		`{"type":"web_search"}],"input":[{"role":"user","content":[{"type":"input_text","text":"What is 2+2?"},` +
		`{"type":"input_image","image_url":"data:image/png;base64,aGVsbG8="},{"type":"input_file","file_id":"file-1"}]},` +
		`{"type":"function_call","call_id":"call_0","name":"get_sum","arguments":"{}"},` +
		`{"type":"function_call_output","call_id":"call_0","output":"4"}]}`

	wholeResponse = `{"id":"resp_1","object":"response","status":"completed","model":"gpt-4o-mini-2024-07-18","service_tier":"default",` +
		`"error":null,"incomplete_details":null,"conversation":{"id":"conv_1"},"output":[` +
		`{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm."}]},` +
		`{"id":"ws_1","type":"web_search_call","status":"completed","action":{"query":"sums"}},` +
		`{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"It is 4.","annotations":[]},` +
		`{"type":"refusal","refusal":"No more."}]},` +
		`{"id":"fc_1","type":"function_call","call_id":"call_1","name":"get_sum","arguments":"{\"a\":2}"}],` +
		`"tools":[{"type":"function"}],"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5},` +
		`"output_tokens":7,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":27}}`

	responsesOutput = `[{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},` +
		`{"type":"server_tool_call","id":"ws_1","name":"web_search","server_tool_call":{"type":"web_search_call"}},` +
		`{"type":"text","content":"It is 4."},{"type":"refusal","content":"No more."},` +
		`{"type":"tool_call","id":"call_1","name":"get_sum","arguments":{"a":2}}],"finish_reason":"tool_calls"}]`
)

// responseStream is wholeResponse as a stream, with end as its last event.
func responseStream(end string) string {
	return `event: response.created` + "\n" + `data: {"type":"response.created","response":{"id":"resp_1","object":"response","status":"in_progress",` +
		`"model":"gpt-4o-mini-2024-07-18","output":[],"usage":null,"service_tier":"auto"},"sequence_number":0}` + "\n\n" +
		`data: {"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}` + "\n\n" +
		`data: {"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"It is "}` + "\n\n" +
		`data: {"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"4."}` + "\n\n" + end
}

func lastEvent(kind, response string) string {
	return fmt.Sprintf("event: %s\ndata: {\"type\":%q,\"response\":%s,\"sequence_number\":9}\n\n", kind, kind, response)
}

func TestEndpoints(t *testing.T) {
	responses := map[string]any{
		"openai.api.type": "responses", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.request.max_tokens": int64(50),
		"gen_ai.request.previous_response.id": "resp_0", "gen_ai.conversation.id": "conv_1", "gen_ai.prompt.name": "pmpt_1",
		"gen_ai.prompt.version": "2", "gen_ai.request.reasoning.level": "low", "gen_ai.output.type": "json",
		"gen_ai.response.id": "resp_1", "gen_ai.response.model": "gpt-4o-mini-2024-07-18", "openai.response.service_tier": "default",
		"gen_ai.response.finish_reasons": []string{"tool_calls"}, "gen_ai.usage.input_tokens": int64(20),
		"gen_ai.usage.output_tokens": int64(7), "gen_ai.usage.cache_read.input_tokens": int64(5),
		"gen_ai.usage.reasoning.output_tokens": int64(3),
	}
	content := map[string]any{
		"gen_ai.prompt.variable.topic": "sums",
		"gen_ai.system_instructions":   `[{"type":"text","content":"Be witty."}]`,
		"gen_ai.tool.definitions":      `[{"type":"function","name":"get_sum","parameters":{"type":"object"}},{"type":"web_search","name":"web_search"}]`,
		"gen_ai.output.messages":       responsesOutput,
		"gen_ai.input.messages": `[{"role":"user","parts":[{"type":"text","content":"What is 2+2?"},` +
			`{"type":"blob","modality":"image","mime_type":"image/png","content":"","size":5},{"type":"file","modality":"document","file_id":"file-1"}]},` +
			`{"role":"assistant","parts":[{"type":"tool_call","id":"call_0","name":"get_sum","arguments":{}}]},` +
			`{"role":"tool","parts":[{"type":"tool_call_response","id":"call_0","response":"4"}]}]`,
	}
	with := openaiotel.WithContent(openaiotel.ContentSpan)
	const api = "https://api.openai.com/v1"
	for name, test := range map[string]struct {
		method, url, request string
		answer               answer
		opts                 []openaiotel.Option
		name                 string
		want                 []map[string]any
		status               string
	}{
		"embeddings": {
			url: api + "/embeddings", request: `{"model":"text-embedding-3-small","input":["a","b"],"dimensions":256,"encoding_format":"base64"}`,
			answer: jsonAnswer(`{"object":"list","data":[{"embedding":[0.1,0.2],"index":0},{"embedding":"AAAA","index":1}],` +
				`"model":"text-embedding-3-small","usage":{"prompt_tokens":2,"total_tokens":2}}`),
			opts: []openaiotel.Option{with}, name: "embeddings text-embedding-3-small",
			want: []map[string]any{{
				"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small",
				"gen_ai.response.model": "text-embedding-3-small", "gen_ai.usage.input_tokens": int64(2),
				"gen_ai.embeddings.dimension.count": int64(256), "gen_ai.request.encoding_formats": []string{"base64"},
				"gen_ai.input.messages": `[{"role":"user","parts":[{"type":"text","content":"a"}]},{"role":"user","parts":[{"type":"text","content":"b"}]}]`,
			}},
		},
		"completions": {
			url: api + "/completions", request: `{"model":"gpt-3.5-turbo-instruct","prompt":"Say hi","max_tokens":5,"n":2}`,
			answer: jsonAnswer(`{"id":"cmpl-1","model":"gpt-3.5-turbo-instruct:20230824","choices":[{"text":" Hi.","index":0,"finish_reason":"stop"},` +
				`{"text":" Hello","index":1,"finish_reason":"length"}],"usage":{"prompt_tokens":2,"completion_tokens":4,"total_tokens":6}}`),
			opts: []openaiotel.Option{with}, name: "text_completion gpt-3.5-turbo-instruct",
			want: []map[string]any{{
				"gen_ai.operation.name": "text_completion", "gen_ai.request.model": "gpt-3.5-turbo-instruct", "gen_ai.request.max_tokens": int64(5),
				"gen_ai.request.choice.count": int64(2), "gen_ai.response.id": "cmpl-1", "gen_ai.response.model": "gpt-3.5-turbo-instruct:20230824",
				"gen_ai.response.finish_reasons": []string{"stop", "length"}, "gen_ai.usage.input_tokens": int64(2), "gen_ai.usage.output_tokens": int64(4),
				"gen_ai.input.messages": `[{"role":"user","parts":[{"type":"text","content":"Say hi"}]}]`,
				"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":" Hi."}],"finish_reason":"stop"},` +
					`{"role":"assistant","parts":[{"type":"text","content":" Hello"}],"finish_reason":"length"}]`,
			}},
		},
		"responses": {
			url: api + "/responses", request: responsesRequest, answer: jsonAnswer(wholeResponse), name: "chat gpt-4o-mini", want: []map[string]any{responses},
		},
		"responses with content": {
			url: api + "/responses", request: responsesRequest, answer: jsonAnswer(wholeResponse), name: "chat gpt-4o-mini",
			opts: []openaiotel.Option{with}, want: []map[string]any{responses, content},
		},
		"responses stream with content": {
			url: api + "/responses", request: responsesRequest, answer: streamAnswer(responseStream(lastEvent("response.completed", wholeResponse))),
			name: "chat gpt-4o-mini", opts: []openaiotel.Option{with}, want: []map[string]any{responses, content},
		},
		"responses stream that is cut off": {
			url: api + "/responses", request: `{"model":"gpt-4o-mini","input":"Hi"}`, answer: streamAnswer(responseStream("")), name: "chat gpt-4o-mini",
			opts: []openaiotel.Option{with}, want: []map[string]any{{
				"openai.api.type": "responses", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.id": "resp_1",
				"gen_ai.response.model": "gpt-4o-mini-2024-07-18", "openai.response.service_tier": "auto",
				"gen_ai.response.finish_reasons": []string{"error"},
				"gen_ai.input.messages":          `[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]`,
				"gen_ai.output.messages":         `[{"role":"assistant","parts":[{"type":"text","content":"It is 4."}],"finish_reason":"error"}]`,
			}},
		},
		"responses that end early": {
			url: api + "/responses", request: `{"model":"m"}`, name: "chat m",
			answer: jsonAnswer(`{"id":"resp_1","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}`),
			want: []map[string]any{{
				"openai.api.type": "responses", "gen_ai.request.model": "m", "gen_ai.response.id": "resp_1",
				"gen_ai.response.finish_reasons": []string{"length"},
			}},
		},
		"responses that fail": {
			url: api + "/responses", request: `{"model":"m"}`, name: "chat m",
			answer: streamAnswer(lastEvent("response.failed", `{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"no"}}`)),
			want: []map[string]any{{
				"openai.api.type": "responses", "gen_ai.request.model": "m", "gen_ai.response.id": "resp_1",
				"gen_ai.response.finish_reasons": []string{"error"}, "error.type": "server_error",
			}},
			status: "server_error",
		},
		"error event of a response": {
			url: api + "/responses", request: `{"model":"m"}`, name: "chat m",
			answer: streamAnswer(`data: {"type":"error","code":"rate_limit_exceeded","message":"slow down","param":null}` + "\n\n"),
			want: []map[string]any{{
				"openai.api.type": "responses", "gen_ai.request.model": "m", "gen_ai.response.finish_reasons": []string{"error"},
				"error.type": "rate_limit_exceeded",
			}},
			status: "rate_limit_exceeded",
		},
		"background response": {
			url: api + "/responses", request: `{"model":"m","background":true}`, name: "chat m", opts: []openaiotel.Option{with},
			answer: jsonAnswer(`{"id":"resp_1","status":"queued","model":"m-1","output":[],"usage":null}`),
			want: []map[string]any{{
				"openai.api.type": "responses", "gen_ai.request.model": "m", "gen_ai.response.id": "resp_1", "gen_ai.response.model": "m-1",
			}},
		},
		"fetched response": {
			method: http.MethodGet, url: api + "/responses/resp_1", answer: jsonAnswer(wholeResponse), name: "fetch_response",
			want: []map[string]any{{
				"gen_ai.operation.name": "fetch_response", "openai.api.type": "responses", "gen_ai.response.id": "resp_1",
				"gen_ai.response.model": "gpt-4o-mini-2024-07-18", "openai.response.service_tier": "default",
				"gen_ai.conversation.id": "conv_1", "gen_ai.response.finish_reasons": []string{"tool_calls"},
			}},
		},
		"created batch": {
			url: api + "/batches", request: `{"input_file_id":"file-1","endpoint":"/v1/chat/completions","completion_window":"24h"}`,
			answer: jsonAnswer(`{"id":"batch_1","object":"batch","endpoint":"/v1/chat/completions","input_file_id":"file-1","status":"validating","request_counts":null}`),
			name:   "create_batch", want: []map[string]any{{
				"gen_ai.operation.name": "create_batch", "openai.batch.id": "batch_1", "openai.batch.endpoint": "/v1/chat/completions",
				"openai.batch.input_file.id": "file-1", "openai.batch.status": "validating",
			}},
		},
		"retrieved batch": {
			method: http.MethodGet, url: api + "/batches/batch_1", name: "retrieve_batch",
			answer: jsonAnswer(`{"id":"batch_1","object":"batch","endpoint":"/v1/responses","status":"completed","model":"m-1","output_file_id":"file-2",` +
				`"request_counts":{"total":3,"completed":2,"failed":1},"usage":{"input_tokens":30,"input_tokens_details":{"cached_tokens":0},` +
				`"output_tokens":9,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":39}}`),
			want: []map[string]any{{
				"gen_ai.operation.name": "retrieve_batch", "openai.batch.id": "batch_1", "openai.batch.endpoint": "/v1/responses",
				"openai.batch.status": "completed", "openai.batch.output_file.id": "file-2", "gen_ai.response.model": "m-1",
				"openai.batch.requests.total": int64(3), "openai.batch.requests.completed": int64(2), "openai.batch.requests.failed": int64(1),
				"openai.batch.usage.input_tokens": int64(30), "openai.batch.usage.cache_read.input_tokens": int64(0),
				"openai.batch.usage.output_tokens": int64(9), "openai.batch.usage.reasoning.output_tokens": int64(1),
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			method := test.method
			if method == "" {
				method = http.MethodPost
			}
			want := span{Name: test.name, Attributes: attributes(nil, map[string]any{"server.address": "api.openai.com", "server.port": int64(443)})}
			delete(want.Attributes, "openai.api.type")
			for _, attrs := range test.want {
				maps.Copy(want.Attributes, attrs)
			}
			if test.status != "" {
				want.Status = failed(test.status)
			}
			require.Equal(t, want, observed(t.Context(), t, method, test.url, test.request, test.answer, test.opts...).recordedOne(t))
		})
	}
}

func TestResponseStreamCutAnywhereGivesTheSameSpan(t *testing.T) {
	stream := responseStream(lastEvent("response.completed", wholeResponse))
	var want span
	for cut := range len(stream) + 1 {
		r := newRecorder(t)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/responses", strings.NewReader(responsesRequest))
		require.NoError(t, err)
		res, err := r.middleware(openaiotel.WithContent(openaiotel.ContentSpan))(req, func(*http.Request) (*http.Response, error) {
			body := io.NopCloser(io.MultiReader(strings.NewReader(stream[:cut]), strings.NewReader(stream[cut:])))
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body}, nil
		})
		require.NoError(t, err)
		require.NoError(t, iotest.TestReader(strings.NewReader(string(readAll(t, res))), []byte(stream)))
		got := r.recordedOne(t)
		if cut == 0 {
			want = got
		}
		require.Equal(t, want, got)
	}
}

func TestAzurePaths(t *testing.T) {
	for url, want := range map[string]string{
		"https://me.openai.azure.com/openai/deployments/my-ada/embeddings?api-version=1": "embeddings my-ada",
		"https://me.openai.azure.com/openai/deployments/my-gpt/completions":              "text_completion my-gpt",
		"https://me.openai.azure.com/openai/v1/responses":                                "chat",
		"https://me.openai.azure.com/openai/responses?api-version=1":                     "chat",
	} {
		s := observed(t.Context(), t, http.MethodPost, url, `{}`, jsonAnswer(`{}`)).recordedOne(t)
		require.Equal(t, want, s.Name)
		require.Equal(t, "azure.ai.openai", s.Attributes["gen_ai.provider.name"])
	}
}
