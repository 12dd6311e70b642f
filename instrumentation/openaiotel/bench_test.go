// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// The benchmarks call the middleware with a canned answer: no SDK, no network. Each has a baseline, the same without the
// middleware, to subtract.

func BenchmarkCall1KB(b *testing.B)  { benchmarkCalls(b, answerOf(b, 400)) }
func BenchmarkCall64KB(b *testing.B) { benchmarkCalls(b, answerOf(b, 64<<10)) }

func benchmarkCalls(b *testing.B, answer []byte) {
	request := requestOf(b)
	for name, middleware := range benchmarkedMiddlewares() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call(b, middleware, request, answer, "application/json")
			}
		})
	}
}

// BenchmarkStream reports per chunk: an operation is one stream of 1000 chunks, read chunk by chunk.
func BenchmarkStream(b *testing.B) {
	const chunks = 1000
	chunk := []byte(`data: {"id":"chatcmpl-BSp0KsGcSnxAUbDEGrqOnWgmBmGmP","object":"chat.completion.chunk","created":1746207632,` +
		`"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_0392822090","choices":[{"index":0,` +
		`"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"N1mXxLjLx0Jw2"}` + "\n\n")
	request := requestOf(b)
	for name, middleware := range benchmarkedMiddlewares() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				body := &repeatedChunk{chunk: chunk, left: chunks}
				res, err := middleware(newRequest(b, request), func(req *http.Request) (*http.Response, error) {
					drain(b, req)
					return response("text/event-stream", body), nil
				})
				require.NoError(b, err)
				_, _ = io.Copy(io.Discard, struct{ io.Reader }{res.Body})
				_ = res.Body.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chunks, "ns/chunk")
		})
	}
}

// middleware is the type of middlewares in openai-go.
type middleware = func(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error)

func benchmarkedMiddlewares() map[string]middleware {
	provider := sdktrace.NewTracerProvider()
	recording := openaiotel.WithTracerProvider(provider)
	return map[string]middleware{
		"baseline": func(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			return next(req)
		},
		"span only": func(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			ctx, span := provider.Tracer("").Start(req.Context(), "chat gpt-4o-mini", trace.WithSpanKind(trace.SpanKindClient))
			res, err := next(req.WithContext(ctx))
			res.Body = spanBody{res.Body, span}
			return res, err
		},
		"content=off":   openaiotel.Middleware(recording),
		"content=on":    openaiotel.Middleware(recording, openaiotel.WithContent(openaiotel.ContentSpan)),
		"not recording": openaiotel.Middleware(openaiotel.WithTracerProvider(noop.NewTracerProvider())),
	}
}

// spanBody ends a span with a body: what nobody can do without.
type spanBody struct {
	io.ReadCloser
	span trace.Span
}

func (b spanBody) Close() error {
	b.span.End()
	return b.ReadCloser.Close()
}

func call(b testing.TB, middleware middleware, request, answer []byte, contentType string) {
	res, err := middleware(newRequest(b, request), func(req *http.Request) (*http.Response, error) {
		drain(b, req)
		return response(contentType, io.NopCloser(bytes.NewReader(answer))), nil
	})
	require.NoError(b, err)
	_, _ = io.Copy(io.Discard, struct{ io.Reader }{res.Body})
	_ = res.Body.Close()
}

// drain does with a request body what a transport does.
func drain(b testing.TB, req *http.Request) {
	_, err := io.Copy(io.Discard, struct{ io.Reader }{req.Body})
	require.NoError(b, err)
	_ = req.Body.Close()
}

func newRequest(b testing.TB, body []byte) *http.Request {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
		"https://api.openai.com/v1/chat/completions", bytes.NewReader(body))
	require.NoError(b, err)
	req.Header.Set("Content-Type", "application/json")
	return req
}

func response(contentType string, body io.ReadCloser) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {contentType}},
		Body:       body,
	}
}

func requestOf(b testing.TB) []byte {
	body := fmt.Sprintf(`{"messages":[{"role":"system","content":"You are a witty educator."},{"role":"user","content":%s}],`+
		`"model":"gpt-4o-mini","temperature":0.7,"max_completion_tokens":200}`, words(b, 700))
	return []byte(body)
}

func answerOf(b testing.TB, contentLength int) []byte {
	body := fmt.Sprintf(`{"id":"chatcmpl-BSp0KsGcSnxAUbDEGrqOnWgmBmGmP","object":"chat.completion","created":1746207632,`+
		`"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":%s,"refusal":null,`+
		`"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":219,"completion_tokens":200,`+
		`"total_tokens":419,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{`+
		`"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},`+
		`"service_tier":"default","system_fingerprint":"fp_0392822090"}`, words(b, contentLength))
	return []byte(body)
}

func words(b testing.TB, length int) []byte {
	quoted, err := json.Marshal(strings.Repeat("some \"words\" and\n", length/17+1)[:length])
	require.NoError(b, err)
	return quoted
}

// repeatedChunk is a stream that gives one chunk per Read.
type repeatedChunk struct {
	chunk []byte
	left  int
}

func (r *repeatedChunk) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.left--
	return copy(p, r.chunk), nil
}

func (r *repeatedChunk) Close() error { return nil }
