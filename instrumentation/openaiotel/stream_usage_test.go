// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

func TestStreamUsageIsAskedForWhereTheApplicationDidNotChoose(t *testing.T) {
	const asked = `"stream_options":{"include_usage":true}`
	for body, want := range map[string]string{
		`{"stream":true,"model":"m"} `:                                     `{"stream":true,"model":"m",` + asked + `} `,
		`{"stream":true,"stream_options":{}}`:                              `{"stream":true,"stream_options":{"include_usage":true}}`,
		`{"stream_options" : {"include_obfuscation":false},"stream":true}`: `{"stream_options" : {"include_usage":true,"include_obfuscation":false},"stream":true}`,
		`{"stream":true,"stream_options":{"include_usage":false}}`:         "",
		`{"stream":true,"stream_options":{"include_usage":true}}`:          "",
		`{"stream":true,"stream_options":null}`:                            "",
		`{"stream":false}`:                                                 "",
		`{"stream":true`:                                                   "",
		``:                                                                 "",
	} {
		for lengthName, length := range map[string]int64{"known": int64(len(body)), "unknown": -1} {
			t.Run(body+"/"+lengthName, func(t *testing.T) {
				changed := want != ""
				sentWant := body
				if changed {
					sentWant = want
				}
				r := newRecorder(t)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/chat/completions",
					io.NopCloser(iotest.HalfReader(strings.NewReader(body))))
				require.NoError(t, err)
				req.ContentLength = length
				_, err = r.middleware(openaiotel.WithStreamUsage())(req, func(sent *http.Request) (*http.Response, error) {
					got, err := io.ReadAll(sent.Body)
					require.NoError(t, err)
					require.Equal(t, sentWant, string(got))
					if length > 0 {
						require.EqualValues(t, len(got), sent.ContentLength)
					}
					if changed {
						again, err := sent.GetBody()
						require.NoError(t, err)
						got, _ = io.ReadAll(again)
						require.Equal(t, sentWant, string(got))
					}
					return nil, nil
				})
				require.NoError(t, err)
				require.Len(t, r.recorded(t), 1)
			})
		}
	}
}

func TestStreamUsageIsOnTheSpanAndNotInTheAnswer(t *testing.T) {
	stream := plainStream(true)
	usage := strings.Index(stream, `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1746207632,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_1","choices":[],`)
	require.Positive(t, usage)
	want := stream[:usage] + "data: [DONE]\n\n"
	request := strings.Replace(plainRequest, "{", `{"stream":true,`, 1)
	for _, test := range []struct{ stream, want string }{
		{stream, want},
		{strings.ReplaceAll(stream, "\n", "\r\n"), strings.ReplaceAll(want, "\n", "\r\n")},
		{"data: no end", "data: no end"},
		{"", ""},
		{`{"error":{"usage":1}}`, `{"error":{"usage":1}}`},
	} {
		for name, reader := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "with its end": iotest.DataErrReader,
		} {
			t.Run(name, func(t *testing.T) {
				r := newRecorder(t)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(request))
				require.NoError(t, err)
				res, err := r.middleware(openaiotel.WithStreamUsage())(req, func(*http.Request) (*http.Response, error) {
					return &http.Response{
						StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}, "Content-Length": {"1"}}, ContentLength: 1,
						Body: io.NopCloser(reader(strings.NewReader(test.stream))),
					}, nil
				})
				require.NoError(t, err)
				require.EqualValues(t, -1, res.ContentLength)
				require.Equal(t, test.want, string(readAll(t, res)))
				_, found := r.recordedOne(t).Attributes["gen_ai.usage.input_tokens"]
				require.Equal(t, strings.Contains(test.stream, "prompt_tokens"), found)
			})
		}
	}
}

// What is asked for is hidden also from the application whose calls nobody records.
func TestStreamUsageOfACallThatIsNotRecorded(t *testing.T) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(`{"stream":true}`))
	require.NoError(t, err)
	res, err := openaiotel.Middleware(openaiotel.WithStreamUsage(), openaiotel.WithTracerProvider(noop.NewTracerProvider()))(req, streamAnswer(plainStream(true)).respond)
	require.NoError(t, err)
	require.NotContains(t, string(readAll(t, res)), `"choices":[],`)
}
