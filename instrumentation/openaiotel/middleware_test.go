// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// Middleware fits openai-go as it is.
var _ option.Middleware = openaiotel.Middleware()

// result is what an application gets from a call.
type result struct {
	Answers []string // the JSON of the completion, or of each chunk
	Err     string
}

// client makes one call and reads its answer to the end.
type client func(t testing.TB, server *httptest.Server, r *recorder, params openai.ChatCompletionNewParams, stream bool, opts ...openaiotel.Option) result

var clients = map[string]client{"openai-go": callOpenAIGo, "http.Client": callHTTPClient}

// callOpenAIGo is without instrumentation when the recorder is nil.
func callOpenAIGo(t testing.TB, server *httptest.Server, r *recorder, params openai.ChatCompletionNewParams, stream bool, opts ...openaiotel.Option) result {
	requestOptions := []option.RequestOption{
		option.WithBaseURL(server.URL + "/v1/"), option.WithAPIKey("secret"), option.WithHTTPClient(server.Client()),
	}
	if r != nil {
		requestOptions = append(requestOptions, option.WithMiddleware(r.middleware(opts...)))
	}
	service := openai.NewClient(requestOptions...).Chat.Completions
	var got result
	var err error
	if stream {
		s := service.NewStreaming(t.Context(), params)
		for s.Next() {
			got.Answers = append(got.Answers, s.Current().RawJSON())
		}
		err = s.Err()
	} else {
		var completion *openai.ChatCompletion
		if completion, err = service.New(t.Context(), params); err == nil {
			got.Answers = append(got.Answers, completion.RawJSON())
		}
	}
	if err != nil {
		got.Err = err.Error()
	}
	return got
}

func callHTTPClient(t testing.TB, server *httptest.Server, r *recorder, params openai.ChatCompletionNewParams, stream bool, opts ...openaiotel.Option) result {
	transport := server.Client().Transport
	if r != nil {
		transport = r.transport(transport, opts...)
	}
	var body map[string]any
	encoded, err := json.Marshal(params)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(encoded, &body))
	if stream {
		body["stream"] = true
	}
	encoded, err = json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/chat/completions", bytes.NewReader(encoded))
	require.NoError(t, err)
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return result{Err: err.Error()}
	}
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, res.Body.Close())
	got := result{Answers: []string{string(answer)}}
	if err != nil {
		got.Err = err.Error()
	}
	return got
}

func plainParams() openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: "gpt-4o-mini",
		Messages: []openai.ChatCompletionMessageParamUnion{
			openai.SystemMessage("You are a witty educator."), openai.UserMessage("What is 2+2?"),
		},
	}
}

func toolParams() openai.ChatCompletionNewParams {
	params := plainParams()
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: "get_sum", Description: openai.String("Adds."), Parameters: shared.FunctionParameters{"type": "object"},
	})}
	return params
}

const (
	plainInput = `[{"role":"system","parts":[{"type":"text","content":"You are a witty educator."}]},` +
		`{"role":"user","parts":[{"type":"text","content":"What is 2+2?"}]}]`
	plainOutput = `[{"role":"assistant","parts":[{"type":"text","content":"It is 4, née \"four\" 😀."}],"finish_reason":"stop"}]`
	toolOutput  = `[{"role":"assistant","parts":[` +
		`{"type":"tool_call","id":"call_1","name":"get_sum","arguments":{"a":2,"b":2}},` +
		`{"type":"tool_call","id":"call_2","name":"get_time","arguments":"not JSON"}],"finish_reason":"tool_calls"}]`
	toolDefinitions = `[{"type":"function","name":"get_sum","description":"Adds.","parameters":{"type":"object"}}]`
)

func TestSpans(t *testing.T) {
	plain := map[string]any{
		"gen_ai.request.model":               "gpt-4o-mini",
		"gen_ai.response.id":                 "chatcmpl-1",
		"gen_ai.response.model":              "gpt-4o-mini-2024-07-18",
		"gen_ai.response.finish_reasons":     []string{"stop"},
		"openai.response.service_tier":       "default",
		"openai.response.system_fingerprint": "fp_1",
	}
	usage := map[string]any{
		"gen_ai.usage.input_tokens":                int64(24),
		"gen_ai.usage.output_tokens":               int64(9),
		"gen_ai.usage.cache_read.input_tokens":     int64(8),
		"gen_ai.usage.cache_creation.input_tokens": int64(4),
		"gen_ai.usage.reasoning.output_tokens":     int64(0),
	}
	stream := map[string]any{"gen_ai.request.stream": true}
	content := map[string]any{"gen_ai.input.messages": plainInput, "gen_ai.output.messages": plainOutput}
	tool := map[string]any{
		"gen_ai.request.model":           "gpt-4o-mini",
		"gen_ai.response.id":             "chatcmpl-2",
		"gen_ai.response.model":          "gpt-4o-mini-2024-07-18",
		"gen_ai.response.finish_reasons": []string{"tool_calls"},
		"gen_ai.usage.input_tokens":      int64(50),
		"gen_ai.usage.output_tokens":     int64(20),
		"gen_ai.input.messages":          plainInput,
		"gen_ai.output.messages":         toolOutput,
		"gen_ai.tool.definitions":        toolDefinitions,
	}
	request := map[string]any{"gen_ai.request.model": "gpt-4o-mini"}

	parameters := plainParams()
	parameters.Temperature = openai.Float(0.5)
	parameters.TopP = openai.Float(1)
	parameters.MaxTokens = openai.Int(1)
	parameters.MaxCompletionTokens = openai.Int(200)
	parameters.Seed = openai.Int(-7)
	parameters.FrequencyPenalty = openai.Float(-1)
	parameters.PresencePenalty = openai.Float(2)
	parameters.Stop.OfStringArray = []string{"END", "STOP"}
	parameters.N = openai.Int(2)
	parameters.ReasoningEffort = shared.ReasoningEffortLow
	parameters.ServiceTier = openai.ChatCompletionNewParamsServiceTierFlex
	parameters.ResponseFormat.OfJSONObject = &shared.ResponseFormatJSONObjectParam{}

	for name, test := range map[string]struct {
		params openai.ChatCompletionNewParams
		stream bool
		opts   []openaiotel.Option
		answer answer
		name   string
		want   []map[string]any
		status string // description of an error
	}{
		"plain": {
			params: plainParams(), answer: jsonAnswer(plainAnswer), want: []map[string]any{plain, usage},
		},
		"plain with content": {
			params: plainParams(), answer: jsonAnswer(plainAnswer), want: []map[string]any{plain, usage, content},
			opts: []openaiotel.Option{openaiotel.WithContent(openaiotel.ContentSpan)},
		},
		"stream with usage": {
			params: plainParams(), stream: true, answer: streamAnswer(plainStream(true)),
			want: []map[string]any{plain, usage, stream},
		},
		"stream without usage": {
			params: plainParams(), stream: true, answer: streamAnswer(plainStream(false)),
			want: []map[string]any{plain, stream},
		},
		"stream with content": {
			params: plainParams(), stream: true, answer: streamAnswer(plainStream(true)),
			want: []map[string]any{plain, usage, stream, content},
			opts: []openaiotel.Option{openaiotel.WithContent(openaiotel.ContentSpan)},
		},
		"tool calls": {
			params: toolParams(), answer: jsonAnswer(toolAnswer), want: []map[string]any{tool},
			opts: []openaiotel.Option{openaiotel.WithContent(openaiotel.ContentSpan)},
		},
		"tool call stream": {
			params: toolParams(), stream: true, answer: streamAnswer(toolStream()), want: []map[string]any{tool, stream},
			opts: []openaiotel.Option{openaiotel.WithContent(openaiotel.ContentSpan)},
		},
		"parameters": {
			params: parameters, answer: jsonAnswer(plainAnswer), want: []map[string]any{plain, usage, {
				"gen_ai.request.temperature":       0.5,
				"gen_ai.request.top_p":             1.0,
				"gen_ai.request.max_tokens":        int64(200),
				"gen_ai.request.seed":              int64(-7),
				"gen_ai.request.frequency_penalty": -1.0,
				"gen_ai.request.presence_penalty":  2.0,
				"gen_ai.request.stop_sequences":    []string{"END", "STOP"},
				"gen_ai.request.choice.count":      int64(2),
				"gen_ai.request.reasoning.level":   "low",
				"openai.request.service_tier":      "flex",
				"gen_ai.output.type":               "json",
			}},
		},
		"error with code": {
			params: plainParams(),
			answer: errorAnswer(400, `{"error":{"message":"What is 2+2? is too long","type":"invalid_request_error","code":"context_length_exceeded"}}`),
			want:   []map[string]any{request, {"error.type": "context_length_exceeded"}},
			status: "HTTP 400 context_length_exceeded",
		},
		"error with type": {
			params: plainParams(),
			answer: errorAnswer(401, `{"error":{"message":"no","type":"invalid_request_error","code":null}}`),
			want:   []map[string]any{request, {"error.type": "invalid_request_error"}},
			status: "HTTP 401 invalid_request_error",
		},
		"error with prose for a code": {
			params: plainParams(),
			answer: errorAnswer(400, `{"error":{"message":"no","code":"What is 2+2? is too long"}}`),
			want:   []map[string]any{request, {"error.type": "400"}},
			status: "HTTP 400",
		},
		"error that is not wrapped": {
			params: plainParams(),
			answer: errorAnswer(400, `{"object":"error","message":"no","type":"BadRequestError","code":400}`),
			want:   []map[string]any{request, {"error.type": "BadRequestError"}},
			status: "HTTP 400 BadRequestError",
		},
		"error that is not JSON": {
			params: plainParams(),
			answer: answer{404, http.Header{"Content-Type": {"text/html"}}, "<html>"},
			want:   []map[string]any{request, {"error.type": "404"}},
			status: "HTTP 404",
		},
		"error in the stream": {
			params: plainParams(), stream: true,
			answer: streamAnswer(chunk("chatcmpl-1", `"choices":[{"index":0,"delta":{"content":"It"},"finish_reason":null}]`) +
				`data: {"error":{"message":"What is 2+2? is too hard","type":"server_error","code":null}}` + "\n\n"),
			want: []map[string]any{request, stream, {
				"gen_ai.response.id":             "chatcmpl-1",
				"gen_ai.response.model":          "gpt-4o-mini-2024-07-18",
				"gen_ai.response.finish_reasons": []string{"error"},
				"error.type":                     "server_error",
			}},
			status: "server_error",
		},
		"malformed answer": {
			params: plainParams(), answer: jsonAnswer(plainAnswer[:200]), want: []map[string]any{request},
		},
		"malformed chunk": {
			params: plainParams(), stream: true,
			answer: streamAnswer("data: {\"id\":\n\n" + plainStream(true)), want: []map[string]any{plain, usage, stream},
		},
	} {
		for client, call := range clients {
			if name == "malformed chunk" && client == "openai-go" {
				continue // closes the stream at the first malformed chunk, as in "closed early"
			}
			t.Run(name+"/"+client, func(t *testing.T) {
				server, r := serve(t, test.answer), newRecorder(t)
				call(t, server, r, test.params, test.stream, test.opts...)

				want := span{Name: "chat gpt-4o-mini", Attributes: attributes(server, nil)}
				for _, attrs := range test.want {
					maps.Copy(want.Attributes, attrs)
				}
				if test.status != "" {
					want.Status = failed(test.status)
				}
				require.Equal(t, want, r.recordedOne(t))
			})
		}
	}
}

func TestApplicationGetsTheSameWithAndWithoutInstrumentation(t *testing.T) {
	for name, test := range map[string]struct {
		stream bool
		answer answer
	}{
		"plain":            {false, jsonAnswer(plainAnswer)},
		"tools":            {false, jsonAnswer(toolAnswer)},
		"stream":           {true, streamAnswer(plainStream(true))},
		"tool stream":      {true, streamAnswer(toolStream())},
		"malformed":        {false, jsonAnswer(plainAnswer[:100])},
		"malformed stream": {true, streamAnswer("data: {\n\n" + plainStream(true))},
		"error":            {false, errorAnswer(400, `{"error":{"message":"no","code":"bad"}}`)},
		"error of a stream": {
			true, errorAnswer(400, `{"error":{"message":"no","code":"bad"}}`),
		},
		"error in a stream": {true, streamAnswer(`data: {"error":{"message":"no"}}` + "\n\n")},
	} {
		for client, call := range clients {
			t.Run(name+"/"+client, func(t *testing.T) {
				server := serve(t, test.answer)
				want := call(t, server, nil, toolParams(), test.stream)
				got := call(t, server, newRecorder(t), toolParams(), test.stream, openaiotel.WithContent(openaiotel.ContentSpan))
				require.Equal(t, want, got)
			})
		}
	}
}

func TestStreamedAndWholeAnswerGiveTheSameSpan(t *testing.T) {
	for name, test := range map[string]struct{ whole, streamed string }{
		"text":  {plainAnswer, plainStream(true)},
		"tools": {toolAnswer, toolStream()},
	} {
		t.Run(name, func(t *testing.T) {
			var spans []span
			for _, answer := range []answer{jsonAnswer(test.whole), streamAnswer(test.streamed)} {
				server, r := serve(t, answer), newRecorder(t)
				callHTTPClient(t, server, r, plainParams(), false, openaiotel.WithContent(openaiotel.ContentSpan))
				s := r.recordedOne(t)
				delete(s.Attributes, "server.port")
				spans = append(spans, s)
			}
			require.Equal(t, spans[0], spans[1])
		})
	}
}

func TestEveryAttemptIsASpan(t *testing.T) {
	tooMany := errorAnswer(429, `{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`)
	tooMany.header.Set("Retry-After-Ms", "1")
	server, r := serve(t, tooMany, jsonAnswer(plainAnswer)), newRecorder(t)
	got := callOpenAIGo(t, server, r, plainParams(), false)
	require.Len(t, got.Answers, 1)

	spans := r.recorded(t)
	require.Len(t, spans, 2)
	// openai-go closes the answer of an attempt that it repeats without reading it.
	require.Equal(t, span{
		Name:       "chat gpt-4o-mini",
		Status:     failed("HTTP 429"),
		Attributes: attributes(server, map[string]any{"gen_ai.request.model": "gpt-4o-mini", "error.type": "429"}),
	}, spans[0])
	require.Zero(t, spans[1].Status)
	require.Equal(t, int64(1), spans[1].Attributes["http.request.resend_count"])
	require.Equal(t, "chatcmpl-1", spans[1].Attributes["gen_ai.response.id"])
}

func TestOtherRequestsPassThroughUntouched(t *testing.T) {
	for name, test := range map[string]struct{ method, url string }{
		"another method":   {http.MethodGet, "https://api.openai.com/v1/chat/completions"},
		"a stored answer":  {http.MethodPost, "https://api.openai.com/v1/chat/completions/chatcmpl-1"},
		"another endpoint": {http.MethodPost, "https://api.openai.com/v1/files"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(t)
			req, err := http.NewRequest(test.method, test.url, http.NoBody)
			require.NoError(t, err)
			res := &http.Response{Body: http.NoBody}
			got, err := r.middleware()(req, func(sent *http.Request) (*http.Response, error) {
				require.Same(t, req, sent)
				return res, nil
			})
			require.NoError(t, err)
			require.Same(t, res, got)
			require.Empty(t, r.recorded(t))
		})
	}
}

func TestCallersRequestIsNotChanged(t *testing.T) {
	server, r := serve(t, jsonAnswer(plainAnswer)), newRecorder(t)
	body := io.NopCloser(bytes.NewReader([]byte(plainRequest)))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/chat/completions", body)
	require.NoError(t, err)
	before := *req
	headers := req.Header.Clone()
	res, err := r.transport(server.Client().Transport).RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, before, *req)
	require.Equal(t, headers, req.Header)
}

func TestTransportClosesIdleConnectionsOfItsBase(t *testing.T) {
	base := &idleCounter{}
	(&http.Client{Transport: openaiotel.NewTransport(base)}).CloseIdleConnections()
	require.Equal(t, 1, base.closed)
}

type idleCounter struct {
	http.RoundTripper
	closed int
}

func (c *idleCounter) CloseIdleConnections() { c.closed++ }
