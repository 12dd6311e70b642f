// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// oneChunk is the beginning of a stream that never ends well.
var oneChunk = chunk("chatcmpl-1", `"choices":[{"index":0,"delta":{"role":"assistant","content":"It"},"finish_reason":null}]`)

// cutOff is the span of a stream of which only oneChunk arrived.
func cutOff(server *httptest.Server, errorType string) span {
	want := span{Name: "chat gpt-4o-mini", Attributes: attributes(server, map[string]any{
		"gen_ai.request.model":           "gpt-4o-mini",
		"gen_ai.request.stream":          true,
		"gen_ai.response.id":             "chatcmpl-1",
		"gen_ai.response.model":          "gpt-4o-mini-2024-07-18",
		"gen_ai.response.finish_reasons": []string{"error"},
	})}
	if errorType != "" {
		want.Attributes["error.type"] = errorType
		want.Status = failed(errorType)
	}
	return want
}

// openStream makes a call and reads its first chunk.
func openStream(ctx context.Context, t *testing.T, server *httptest.Server, r *recorder) io.ReadCloser {
	t.Helper()
	body := strings.TrimSuffix(plainRequest, "}") + `,"stream":true}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v1/chat/completions", strings.NewReader(body))
	require.NoError(t, err)
	res, err := (&http.Client{Transport: r.transport(server.Client().Transport)}).Do(req)
	require.NoError(t, err)
	first := make([]byte, len(oneChunk))
	_, err = io.ReadFull(res.Body, first)
	require.NoError(t, err)
	require.Equal(t, oneChunk, string(first))
	return res.Body
}

func TestStreamClosedEarlyIsCutOffButNoError(t *testing.T) {
	t.Run("http.Client", func(t *testing.T) {
		server, r := serveUntilGone(t, oneChunk), newRecorder(t)
		require.NoError(t, openStream(t.Context(), t, server, r).Close())
		require.Equal(t, cutOff(server, ""), r.recordedOne(t))
	})
	t.Run("openai-go", func(t *testing.T) {
		server, r := serveUntilGone(t, oneChunk), newRecorder(t)
		client := openai.NewClient(option.WithBaseURL(server.URL+"/v1"), option.WithAPIKey("secret"),
			option.WithHTTPClient(server.Client()), option.WithMiddleware(r.middleware()), option.WithRequestTimeout(time.Hour))
		stream := client.Chat.Completions.NewStreaming(t.Context(), plainParams())
		require.True(t, stream.Next())
		require.NoError(t, stream.Close())
		require.Equal(t, cutOff(server, ""), r.recordedOne(t))
	})
}

func TestCancelledStreamIsAnError(t *testing.T) {
	t.Run("and never closed", func(t *testing.T) {
		server, r := serveUntilGone(t, oneChunk), newRecorder(t)
		ctx, cancel := context.WithCancel(t.Context())
		body := openStream(ctx, t, server, r)
		cancel()
		<-r.ended
		require.Equal(t, cutOff(server, "context_canceled"), r.recordedOne(t))
		require.NoError(t, body.Close())
		require.Len(t, r.recorded(t), 1)
	})
	t.Run("and closed", func(t *testing.T) {
		server, r := serveUntilGone(t, oneChunk), newRecorder(t)
		ctx, cancel := context.WithCancel(t.Context())
		body := openStream(ctx, t, server, r)
		cancel()
		require.NoError(t, body.Close())
		<-r.ended
		require.Equal(t, cutOff(server, "context_canceled"), r.recordedOne(t))
	})
	t.Run("and read on", func(t *testing.T) {
		server, r := serveUntilGone(t, oneChunk), newRecorder(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		body := openStream(ctx, t, server, r)
		cancel(errors.New("user went away"))
		_, err := io.ReadAll(body)
		require.Error(t, err)
		require.NoError(t, body.Close())
		<-r.ended
		require.Equal(t, cutOff(server, "context_canceled"), r.recordedOne(t))
	})
	t.Run("by its deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRecorder(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			canned(ctx, t, r, io.NopCloser(io.MultiReader(strings.NewReader(oneChunk), blocked{ctx})))
			<-r.ended
			require.Equal(t, "timeout", r.recordedOne(t).Attributes["error.type"])
		})
	})
}

func TestBrokenStreamIsAnError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(oneChunk))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	r := newRecorder(t)
	body := openStream(t.Context(), t, server, r)
	_, err := io.ReadAll(body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, body.Close())
	require.Equal(t, cutOff(server, "unexpected_eof"), r.recordedOne(t))
}

func TestStreamWithoutItsEndMarker(t *testing.T) {
	complete := strings.TrimSuffix(plainStream(true), "data: [DONE]\n\n")
	for name, test := range map[string]struct {
		stream  string
		reasons []string
	}{
		"all there":             {complete, []string{"stop"}},
		"no blank line at last": {strings.TrimRight(complete, "\n"), []string{"stop"}},
		"cut off":               {oneChunk, []string{"error"}},
		"empty":                 {"", []string{"error"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := observe(t, streamBody(test.stream))
			require.Zero(t, s.Status)
			require.Equal(t, test.reasons, s.Attributes["gen_ai.response.finish_reasons"])
		})
	}
}

func TestCutOffChoicesAreThoseAskedFor(t *testing.T) {
	r := newRecorder(t)
	body := streamBody(chunk("chatcmpl-1", `"choices":[{"index":1,"delta":{"content":"Four"},"finish_reason":"length"}]`))
	readAll(t, send(t.Context(), t, r, strings.TrimSuffix(plainRequest, "}")+`,"n":3}`, body))
	require.Equal(t, []string{"error", "length", "error"}, r.recordedOne(t).Attributes["gen_ai.response.finish_reasons"])
}

func TestStreamCutAtEveryByteGivesTheSameSpan(t *testing.T) {
	for name, stream := range map[string]string{
		"text":  plainStream(true),
		"tools": strings.ReplaceAll(toolStream(), "\n", "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			want := observe(t, streamBody(stream))
			require.Contains(t, want.Attributes, "gen_ai.usage.input_tokens")
			require.Contains(t, want.Attributes, "gen_ai.output.messages")
			for i := range stream {
				body := io.MultiReader(strings.NewReader(stream[:i]), strings.NewReader(stream[i:]))
				require.Equal(t, want, observe(t, io.NopCloser(body)), "cut at %d", i)
			}
			require.Equal(t, want, observe(t, io.NopCloser(iotest.OneByteReader(strings.NewReader(stream)))))
		})
	}
}

func TestStreamsAreReadAsServersWriteThem(t *testing.T) {
	stream := plainStream(true)
	want := observe(t, streamBody(stream))
	for name, variant := range map[string]string{
		"no space after the colon": strings.ReplaceAll(stream, "data: ", "data:"),
		"CRLF":                     strings.ReplaceAll(stream, "\n", "\r\n"),
		"comments":                 ": ping\n\n" + strings.ReplaceAll(stream, "\n\n", "\n: ping\n\n"),
		"other fields":             strings.ReplaceAll(stream, "data: {", "event: chunk\nid: 1\nretry: 5\ndatax: no\ndata: {"),
		"data in several lines":    strings.ReplaceAll(stream, `"object":`, "\ndata: \"object\":"),
		"blank lines":              strings.ReplaceAll(stream, "\n\n", "\n\n\n\n"),
		"a line of 2 MB":           `data: {"id":"` + strings.Repeat("x", 2<<20) + `"}` + "\n\n" + stream,
		"a comment of 2 MB":        ":" + strings.Repeat("x", 2<<20) + "\n\n" + stream,
		"an event of 2 MB":         strings.Repeat("data: "+strings.Repeat(" ", 1<<10)+"\n", 2<<10) + "\n" + stream,
		"after the end":            stream + `data: {"id":"other"}` + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, want, observe(t, streamBody(variant)))
			require.Equal(t, want, observe(t, io.NopCloser(iotest.HalfReader(strings.NewReader(variant)))))
		})
	}
}

func TestLastUsageWins(t *testing.T) {
	stream := chunk("1", `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}`) +
		chunk("1", `"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":0}`) + chunk("1", `"choices":[],"usage":null`)
	s := observe(t, streamBody(stream+"data: [DONE]\n\n"))
	require.Equal(t, int64(10), s.Attributes["gen_ai.usage.input_tokens"])
	require.Equal(t, int64(0), s.Attributes["gen_ai.usage.output_tokens"])
	require.NotContains(t, s.Attributes, "gen_ai.usage.cache_read.input_tokens")
}

func TestSpanEndsWithTheEndMarker(t *testing.T) {
	r := newRecorder(t)
	reader, writer := io.Pipe()
	res := canned(t.Context(), t, r, reader)
	lines := bufio.NewReader(res.Body)
	go func() { _, _ = writer.Write([]byte("data: [DONE]\n")) }()
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "data: [DONE]\n", line)
	<-r.ended // the body is neither at its end nor closed
	require.Zero(t, r.recordedOne(t).Status)
	require.NoError(t, res.Body.Close())
}

func TestTimeToFirstChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t)
		reader, writer := io.Pipe()
		go func() {
			_, _ = writer.Write([]byte(": waiting\n\n"))
			time.Sleep(1500 * time.Millisecond) // of the bubble's clock
			_, _ = writer.Write([]byte(oneChunk))
			time.Sleep(time.Second)
			_, _ = writer.Write([]byte("data: [DONE]\n\n"))
			_ = writer.Close()
		}()
		readAll(t, canned(t.Context(), t, r, reader))
		stub := r.spans.Ended()[0]
		require.Equal(t, 2500*time.Millisecond, stub.EndTime().Sub(stub.StartTime()))
		for _, a := range stub.Attributes() {
			if a.Key == "gen_ai.response.time_to_first_chunk" {
				require.InDelta(t, 1.5, a.Value.AsFloat64(), 0)
				return
			}
		}
		require.Fail(t, "attribute is missing")
	})
}

func TestReadCloseAndCancelAtOnce(t *testing.T) {
	for range 200 {
		r := newRecorder(t)
		ctx, cancel := context.WithCancel(t.Context())
		res := canned(ctx, t, r, streamBody(plainStream(true)))
		var all sync.WaitGroup
		all.Go(func() { _, _ = io.Copy(io.Discard, res.Body) })
		all.Go(func() { _ = res.Body.Close() })
		all.Go(cancel)
		all.Wait()
		<-r.ended
		require.Len(t, r.recorded(t), 1)
	}
}

func TestContentOfAStreamIsBounded(t *testing.T) {
	delta := chunk("1", `"choices":[{"index":0,"delta":{"content":"`+strings.Repeat("x", 64<<10)+`"},"finish_reason":null}]`)
	s := observe(t, streamBody(strings.Repeat(delta, 65)+plainStream(true)))
	require.NotContains(t, s.Attributes, "gen_ai.output.messages")
	require.Equal(t, int64(9), s.Attributes["gen_ai.usage.output_tokens"])
}

func streamBody(stream string) io.ReadCloser {
	return io.NopCloser(strings.NewReader(stream))
}

// observe returns the span of a stream that is read to its end, with content.
func observe(t testing.TB, body io.ReadCloser) span {
	r := newRecorder(t)
	readAll(t, canned(t.Context(), t, r, body))
	return r.recordedOne(t)
}

// canned makes a call, with content, whose answer is a stream with the body.
func canned(ctx context.Context, t testing.TB, r *recorder, body io.ReadCloser) *http.Response {
	return send(ctx, t, r, plainRequest, body)
}

func send(ctx context.Context, t testing.TB, r *recorder, request string, body io.ReadCloser) *http.Response {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(request))
	require.NoError(t, err)
	res, err := r.middleware(openaiotel.WithContent(openaiotel.ContentSpan))(req, func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body}, nil
	})
	require.NoError(t, err)
	return res
}

func readAll(t testing.TB, res *http.Response) []byte {
	all, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return all
}

// blocked is a body of which no more arrives before the context ends.
type blocked struct{ ctx context.Context }

func (b blocked) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}
