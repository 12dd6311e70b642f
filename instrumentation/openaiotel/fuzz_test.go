// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzStream holds that a stream, whatever it says, arrives as it is and gives the same well-formed span however it is cut.
func FuzzStream(f *testing.F) {
	f.Add(plainStream(true))
	f.Add(strings.ReplaceAll(toolStream(), "\n", "\r\n"))
	f.Add(oneChunk)
	f.Add("data:[DONE]")
	f.Add(`data:{"choices":[{"delta":{"content":[{"type":"image_url"}]}}]}`)
	f.Add(`data: {"choices":[{"index":3,"delta":{"content":[{"type":"image_url","image_url":{"url":"data:,"}}],"tool_calls":[{}]}}]}`)
	f.Add(`data: {"choices":[{"delta":{"audio":{"data":"=="},"function_call":{"arguments":"\ud83d"}}}],"error":{"code":1}}` + "\n")
	f.Fuzz(func(t *testing.T, stream string) {
		r := newRecorder(t)
		require.Equal(t, stream, string(readAll(t, canned(t.Context(), t, r, streamBody(stream)))))
		whole := r.recordedOne(t)
		requireWellFormed(t, whole)
		cut := observe(t, io.NopCloser(iotest.OneByteReader(strings.NewReader(stream))))
		require.Equal(t, whole, cut)
	})
}

// FuzzBodies holds the same of a request and an answer that are read at once.
func FuzzBodies(f *testing.F) {
	f.Add(plainRequest, plainAnswer)
	f.Add(plainRequest, toolAnswer)
	f.Add(`{"messages":[{"role":"tool","content":[{"type":"file","file":{}}]},{"content":"\ud83d"}],"tools":[{"type":"x.y","x.y":{}}],`+
		`"stop":"a","n":0,"response_format":{"type":"text"},"temperature":"hot"}`, `{"choices":[{"index":-1},{"index":1e30}]}`)
	f.Fuzz(func(t *testing.T, request, answer string) {
		r := newRecorder(t)
		res, err := post(t, r, strings.NewReader(request), 0, func(sent *http.Request) (*http.Response, error) {
			got, err := io.ReadAll(sent.Body)
			require.NoError(t, err)
			require.Equal(t, request, string(got))
			return jsonAnswer(answer).respond(sent)
		})
		require.NoError(t, err)
		require.Equal(t, answer, string(readAll(t, res)))
		requireWellFormed(t, r.recordedOne(t))
	})
}

// requireWellFormed holds that a collector can take the span and a reader its content.
func requireWellFormed(t *testing.T, s span) {
	require.True(t, utf8.ValidString(s.Name))
	for key, value := range s.Attributes {
		if text, ok := value.(string); ok {
			require.True(t, utf8.ValidString(text), key)
		}
	}
	for _, key := range []string{"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions"} {
		content, ok := s.Attributes[key].(string)
		require.True(t, !ok || json.Valid([]byte(content)), "%s: %s", key, content)
	}
}
