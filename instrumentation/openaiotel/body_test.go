// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

const megabyte = 1 << 20

// closing counts how often a body is closed.
type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error {
	c.closed++
	return nil
}

// post sends a request through the middleware to next.
func post(t testing.TB, r *recorder, body io.Reader, length int64, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/chat/completions", body)
	require.NoError(t, err)
	req.ContentLength = length
	return r.middleware(openaiotel.WithContent(openaiotel.ContentSpan))(req, next)
}

func TestRequestBodyArrivesWhole(t *testing.T) {
	padded := func(size int) string {
		return strings.TrimSuffix(plainRequest, "}") + `,"user":"` + strings.Repeat("x", size-len(plainRequest)-10) + `"}`
	}
	require.Len(t, padded(megabyte), megabyte)
	for name, test := range map[string]struct {
		body string
		read bool // by the instrumentation, before or while it is sent
	}{
		"empty":              {"", false},
		"small":              {plainRequest, true},
		"as large as read":   {padded(megabyte), true},
		"larger":             {padded(megabyte + 1), true},
		"much larger":        {padded(3 * megabyte), true},
		"not JSON":           {"model=gpt-4o-mini", false},
		"JSON but no object": {`["model"]`, false},
	} {
		for lengthName, length := range map[string]int64{"known": int64(len(test.body)), "unknown": -1} {
			t.Run(name+"/length "+lengthName, func(t *testing.T) {
				r := newRecorder(t)
				body := &closing{Reader: iotest.HalfReader(strings.NewReader(test.body))}
				_, err := post(t, r, body, length, func(sent *http.Request) (*http.Response, error) {
					require.Equal(t, length, sent.ContentLength)
					got, err := io.ReadAll(iotest.HalfReader(sent.Body))
					require.NoError(t, err)
					require.Equal(t, test.body, string(got))
					n, err := sent.Body.Read(make([]byte, 1))
					require.Zero(t, n)
					require.Equal(t, io.EOF, err)
					require.Zero(t, body.closed)
					require.NoError(t, sent.Body.Close())
					require.Equal(t, 1, body.closed)
					return nil, nil
				})
				require.NoError(t, err)
				want := "chat"
				if test.read {
					want = "chat gpt-4o-mini"
				}
				require.Equal(t, want, r.recordedOne(t).Name)
			})
		}
	}
}

func TestErrorOfTheRequestBodyArrives(t *testing.T) {
	broken := errors.New("disk is gone")
	r := newRecorder(t)
	body := &closing{Reader: io.MultiReader(strings.NewReader(`{"model"`), iotest.ErrReader(broken))}
	_, err := post(t, r, body, -1, func(sent *http.Request) (*http.Response, error) {
		got, err := io.ReadAll(sent.Body)
		require.Equal(t, `{"model"`, string(got))
		return nil, err
	})
	require.Equal(t, broken, err)
	require.Equal(t, span{Name: "chat", Status: failed("_OTHER"), Attributes: attributes(nil, map[string]any{
		"server.address": "api.openai.com", "server.port": int64(443), "error.type": "_OTHER",
	})}, r.recordedOne(t))
}

// openai-go gives a request a GetBody that rewinds the reader of its Body.
func TestRequestBodyThatSharesItsReaderWithGetBody(t *testing.T) {
	var got []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, plainAnswer)
	}))
	t.Cleanup(server.Close)
	r := newRecorder(t)
	client := openai.NewClient(option.WithBaseURL(server.URL+"/v1"), option.WithAPIKey("secret"),
		option.WithHTTPClient(server.Client()), option.WithMiddleware(r.middleware()))
	_, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{},
		option.WithRequestBody("application/json", bytes.NewReader([]byte(plainRequest))))
	require.NoError(t, err)
	require.Equal(t, plainRequest, string(got))
	require.Equal(t, "chat gpt-4o-mini", r.recordedOne(t).Name)
}

func TestNothingToRead(t *testing.T) {
	answer := func(res *http.Response) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return res, nil }
	}
	for name, test := range map[string]struct {
		body io.Reader
		res  *http.Response
	}{
		"no request body":      {nil, nil},
		"empty request body":   {http.NoBody, nil},
		"no response":          {strings.NewReader(plainRequest), nil},
		"no response body":     {strings.NewReader(plainRequest), &http.Response{StatusCode: 200}},
		"empty response body":  {strings.NewReader(plainRequest), &http.Response{StatusCode: 200, Body: http.NoBody}},
		"error without a body": {strings.NewReader(plainRequest), &http.Response{StatusCode: 503}},
		"redirection":          {strings.NewReader(plainRequest), &http.Response{StatusCode: 307, Body: http.NoBody}},
		"switched protocols":   {strings.NewReader(plainRequest), &http.Response{StatusCode: 101, Body: streamBody("")}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(t)
			var body io.ReadCloser
			if test.res != nil {
				body = test.res.Body
			}
			res, err := post(t, r, test.body, 0, answer(test.res))
			require.NoError(t, err)
			require.Same(t, test.res, res)
			if res != nil {
				require.Equal(t, body, res.Body)
			}
			require.Len(t, r.recorded(t), 1)
		})
	}
}

func TestWholeAnswer(t *testing.T) {
	respond := func(header http.Header, body string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: header, Body: streamBody(body)}, nil
		}
	}
	jsonHeader := http.Header{"Content-Type": {"application/json"}}

	t.Run("closed at its last byte", func(t *testing.T) {
		r := newRecorder(t)
		res, err := post(t, r, strings.NewReader(plainRequest), 0, respond(jsonHeader, plainAnswer))
		require.NoError(t, err)
		_, err = io.ReadFull(res.Body, make([]byte, len(plainAnswer)))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, []string{"stop"}, r.recordedOne(t).Attributes["gen_ai.response.finish_reasons"])
	})
	t.Run("closed early", func(t *testing.T) {
		r := newRecorder(t)
		res, err := post(t, r, strings.NewReader(plainRequest), 0, respond(jsonHeader, plainAnswer))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		s := r.recordedOne(t)
		require.Zero(t, s.Status)
		require.Equal(t, []string{"error"}, s.Attributes["gen_ai.response.finish_reasons"])
	})
	t.Run("too large to keep", func(t *testing.T) {
		large := strings.Replace(plainAnswer, `"chatcmpl-1"`, `"`+strings.Repeat("x", 5*megabyte)+`"`, 1)
		r := newRecorder(t)
		res, err := post(t, r, strings.NewReader(plainRequest), 0, respond(jsonHeader, large))
		require.NoError(t, err)
		require.Equal(t, large, string(readAll(t, res)))
		attrs := r.recordedOne(t).Attributes
		require.Equal(t, int64(24), attrs["gen_ai.usage.input_tokens"])
		require.NotContains(t, attrs, "gen_ai.response.id")
		require.NotContains(t, attrs, "gen_ai.output.messages")
	})
	t.Run("too deep", func(t *testing.T) {
		deep := `{"model":"m","choices":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}"
		r := newRecorder(t)
		res, err := post(t, r, strings.NewReader(plainRequest), 0, respond(jsonHeader, deep))
		require.NoError(t, err)
		require.Equal(t, deep, string(readAll(t, res)))
		require.NotContains(t, r.recordedOne(t).Attributes, "gen_ai.response.model")
	})
	t.Run("with many brackets in its text", func(t *testing.T) {
		brackets := strings.Replace(plainAnswer, "It is", strings.Repeat(`{[\"\\`, 5000), 1)
		r := newRecorder(t)
		res, err := post(t, r, strings.NewReader(plainRequest), 0, respond(jsonHeader, brackets))
		require.NoError(t, err)
		readAll(t, res)
		require.Contains(t, r.recordedOne(t).Attributes, "gen_ai.response.model")
	})
	t.Run("not decoded", func(t *testing.T) {
		var compressed bytes.Buffer
		w := gzip.NewWriter(&compressed)
		_, _ = w.Write([]byte(plainAnswer))
		require.NoError(t, w.Close())
		r := newRecorder(t)
		header := http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}
		res, err := post(t, r, strings.NewReader(plainRequest), 0, respond(header, compressed.String()))
		require.NoError(t, err)
		require.Equal(t, compressed.Bytes(), readAll(t, res))
		s := r.recordedOne(t)
		require.Zero(t, s.Status)
		require.NotContains(t, s.Attributes, "gen_ai.response.model")
	})
	t.Run("with names that are none", func(t *testing.T) {
		r := newRecorder(t)
		res, err := post(t, r, strings.NewReader(plainRequest), 0, respond(jsonHeader, `{"id":"`+strings.Repeat("x", 2000)+
			`","model":7,"system_fingerprint":"a`+"\xff"+`","choices":{"a":1},"usage":{"prompt_tokens":-1,"completion_tokens":1.5}}`))
		require.NoError(t, err)
		readAll(t, res)
		attrs := r.recordedOne(t).Attributes
		require.Equal(t, "a\uFFFD", attrs["openai.response.system_fingerprint"])
		require.NotContains(t, attrs, "gen_ai.response.id")
		require.NotContains(t, attrs, "gen_ai.response.model")
		require.NotContains(t, attrs, "gen_ai.usage.input_tokens")
		require.NotContains(t, attrs, "gen_ai.usage.output_tokens")
	})
}

func TestErrorOfTheTransport(t *testing.T) {
	server, r := serve(t, jsonAnswer("{}")), newRecorder(t)
	server.Close()
	got := callHTTPClient(t, server, r, plainParams(), false)
	require.Contains(t, got.Err, "connection refused")
	require.Equal(t, span{
		Name: "chat gpt-4o-mini", Status: failed("connection_refused"),
		Attributes: attributes(server, map[string]any{"gen_ai.request.model": "gpt-4o-mini", "error.type": "connection_refused"}),
	}, r.recordedOne(t))
}

func TestErrorTypes(t *testing.T) {
	for want, err := range map[string]error{
		"context_canceled": &url.Error{Op: "Post", URL: "https://secret", Err: context.Canceled},
		"timeout":          fmt.Errorf("sending: %w", os.ErrDeadlineExceeded),
		"unexpected_eof":   io.ErrUnexpectedEOF,
		"connection_reset": &net.OpError{Op: "read", Err: syscall.ECONNRESET},
		"*net.OpError":     &url.Error{Op: "Post", URL: "https://secret", Err: &net.OpError{Op: "dial", Err: errors.New("no")}},
		"*net.DNSError":    fmt.Errorf("sending: %w", &net.DNSError{Err: "no such host"}),
		"_OTHER":           errors.Join(errors.New("one"), errors.New("two")),
	} {
		t.Run(want, func(t *testing.T) {
			r := newRecorder(t)
			res := &http.Response{StatusCode: 200, Body: http.NoBody}
			gotRes, gotErr := post(t, r, http.NoBody, 0, func(*http.Request) (*http.Response, error) { return res, err })
			require.Same(t, res, gotRes)
			require.Equal(t, err, gotErr)
			s := r.recordedOne(t)
			require.Equal(t, want, s.Attributes["error.type"])
			require.Equal(t, failed(want), s.Status)
		})
	}
}
