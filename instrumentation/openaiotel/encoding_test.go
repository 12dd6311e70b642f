// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

func TestGzip(t *testing.T) {
	for name, answer := range map[string]answer{"whole": jsonAnswer(plainAnswer), "stream": streamAnswer(plainStream(true))} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", answer.header.Get("Content-Type"))
			w.Header().Set("Content-Encoding", "gzip")
			compressed := gzip.NewWriter(w)
			_, _ = io.WriteString(compressed, answer.body)
			_ = compressed.Close()
		}))
		t.Cleanup(server.Close)
		for asks, header := range map[string]http.Header{"transport": {}, "application": {"Accept-Encoding": {"gzip"}}} {
			t.Run(name+"/the "+asks+" asks for it", func(t *testing.T) {
				r := newRecorder(t)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/chat/completions", strings.NewReader(plainRequest))
				require.NoError(t, err)
				req.Header = header
				res, err := r.transport(server.Client().Transport).RoundTrip(req)
				require.NoError(t, err)
				body := readAll(t, res)
				s := r.recordedOne(t)
				require.Zero(t, s.Status)
				if asks == "transport" { // and decodes it
					require.Equal(t, answer.body, string(body))
					require.Equal(t, int64(24), s.Attributes["gen_ai.usage.input_tokens"])
					return
				}
				reader, err := gzip.NewReader(bytes.NewReader(body))
				require.NoError(t, err)
				decoded, err := io.ReadAll(reader)
				require.NoError(t, err)
				require.Equal(t, answer.body, string(decoded))
				require.NotContains(t, s.Attributes, "gen_ai.usage.input_tokens")
			})
		}
	}
}

// A form is no request of an endpoint that is observed; it passes at those that are, and at those that are not.
func TestMultipart(t *testing.T) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	require.NoError(t, w.WriteField("model", "gpt-4o-mini"))
	file, err := w.CreateFormFile("file", "speech.wav")
	require.NoError(t, err)
	_, err = file.Write(bytes.Repeat([]byte{0, '"', '{', 0xff}, megabyte))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for path, spans := range map[string]int{"/chat/completions": 1, "/audio/transcriptions": 0, "/images/edits": 0} {
		r := newRecorder(t)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1"+path, bytes.NewReader(form.Bytes()))
		require.NoError(t, err)
		req.Header.Set("Content-Type", w.FormDataContentType())
		_, err = r.middleware(openaiotel.WithStreamUsage())(req, func(sent *http.Request) (*http.Response, error) {
			got, err := io.ReadAll(sent.Body)
			require.NoError(t, err)
			require.True(t, bytes.Equal(form.Bytes(), got))
			require.EqualValues(t, form.Len(), sent.ContentLength)
			return nil, nil
		})
		require.NoError(t, err)
		require.Len(t, r.recorded(t), spans)
	}
}
