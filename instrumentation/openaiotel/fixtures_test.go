// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	plainRequest = `{"messages":[{"role":"system","content":"You are a witty educator."},` +
		`{"role":"user","content":"What is 2+2?"}],"model":"gpt-4o-mini"}`

	plainAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1746207632,"model":"gpt-4o-mini-2024-07-18",` +
		`"choices":[{"index":0,"message":{"role":"assistant","content":"It is \u0034, née \"four\" 😀.","refusal":null},` +
		`"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":24,"completion_tokens":9,"total_tokens":33,` +
		`"prompt_tokens_details":{"cached_tokens":8,"cache_write_tokens":4},"completion_tokens_details":{"reasoning_tokens":0}},` +
		`"service_tier":"default","system_fingerprint":"fp_1"}`

	toolAnswer = `{"id":"chatcmpl-2","object":"chat.completion","created":1746207632,"model":"gpt-4o-mini-2024-07-18",` +
		`"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[` +
		`{"id":"call_1","type":"function","function":{"name":"get_sum","arguments":"{\"a\":2,\"b\":2}"}},` +
		`{"id":"call_2","type":"function","function":{"name":"get_time","arguments":"not JSON"}}]},"finish_reason":"tool_calls"}],` +
		`"usage":{"prompt_tokens":50,"completion_tokens":20,"total_tokens":70}}`
)

// chunk is a chunk of the answer plainAnswer or toolAnswer.
func chunk(id string, rest string) string {
	return fmt.Sprintf(`data: {"id":%q,"object":"chat.completion.chunk","created":1746207632,`+
		`"model":"gpt-4o-mini-2024-07-18",%s}`+"\n\n", id, rest)
}

// plainStream is plainAnswer as a stream.
func plainStream(withUsage bool) string {
	const tier = `"service_tier":"default","system_fingerprint":"fp_1",`
	delta := func(delta, finishReason string) string {
		usage := ""
		if withUsage {
			usage = `,"usage":null`
		}
		return chunk("chatcmpl-1", tier+`"choices":[{"index":0,"delta":`+delta+`,"logprobs":null,"finish_reason":`+finishReason+`}]`+usage)
	}
	stream := delta(`{"role":"assistant","content":"","refusal":null}`, "null") +
		delta(`{"content":"It is \u0034, née"}`, "null") +
		delta(`{"content":" \"four\" \ud83d"}`, "null") +
		delta(`{"content":"\ude00."}`, "null") +
		delta(`{}`, `"stop"`)
	if withUsage {
		stream += chunk("chatcmpl-1", tier+`"choices":[],"usage":{"prompt_tokens":24,"completion_tokens":9,"total_tokens":33,`+
			`"prompt_tokens_details":{"cached_tokens":8,"cache_write_tokens":4},"completion_tokens_details":{"reasoning_tokens":0}}`)
	}
	return stream + "data: [DONE]\n\n"
}

// toolStream is toolAnswer as a stream; the deltas of the two calls are interleaved.
func toolStream() string {
	delta := func(delta, finishReason string) string {
		return chunk("chatcmpl-2", `"choices":[{"index":0,"delta":`+delta+`,"finish_reason":`+finishReason+`}],"usage":null`)
	}
	return delta(`{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function",`+
		`"function":{"name":"get_sum","arguments":""}}]}`, "null") +
		delta(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":2,"}}]}`, "null") +
		delta(`{"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"get_time","arguments":"not "}}]}`, "null") +
		delta(`{"tool_calls":[{"index":0,"function":{"arguments":"\"b\":2}"}}]}`, "null") +
		delta(`{"tool_calls":[{"index":1,"function":{"arguments":"JSON"}}]}`, "null") +
		delta(`{}`, `"tool_calls"`) +
		chunk("chatcmpl-2", `"choices":[],"usage":{"prompt_tokens":50,"completion_tokens":20,"total_tokens":70}`) +
		"data: [DONE]\n\n"
}

// answer is what the server of a test sends.
type answer struct {
	status int
	header http.Header
	body   string
}

func jsonAnswer(body string) answer {
	return answer{200, http.Header{"Content-Type": {"application/json"}}, body}
}

func streamAnswer(body string) answer {
	return answer{200, http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}}, body}
}

func errorAnswer(status int, body string) answer {
	return answer{status, http.Header{"Content-Type": {"application/json"}}, body}
}

// serve answers one request after the other; the last answer repeats.
func serve(t testing.TB, answers ...answer) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		maps.Copy(w.Header(), a.header)
		w.WriteHeader(a.status)
		for event := range strings.SplitAfterSeq(a.body, "\n\n") {
			_, _ = w.Write([]byte(event))
			w.(http.Flusher).Flush()
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// serveUntilGone sends the beginning of a stream and then nothing until the client is gone.
func serveUntilGone(t testing.TB, beginning string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(beginning))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	return server
}
