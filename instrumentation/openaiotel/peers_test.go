// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// What other instrumentations get wrong, beside what TestSpans and the tests of streams hold.

func TestFailureOfTheServerIsAnError(t *testing.T) {
	for status, want := range map[int]string{500: "HTTP 500", 502: "HTTP 502", 503: "HTTP 503"} {
		r := observed(t.Context(), t, "POST", "https://api.openai.com/v1/chat/completions", plainRequest, errorAnswer(status, `<html>`))
		s := r.recordedOne(t)
		require.Equal(t, failed(want), s.Status)
		require.Equal(t, strings.TrimPrefix(want, "HTTP "), s.Attributes["error.type"])
	}
}

// A key counts where the API has it. The same word deeper in the document, or in what somebody wrote, is not it.
func TestKeysCountAtTheirOwnDepth(t *testing.T) {
	const decoy = `{"model":"no","id":"no","stream":true,"temperature":2,"usage":{"prompt_tokens":999,"completion_tokens":999},` +
		`"choices":[{"index":0,"finish_reason":"no"}],"error":{"code":"no"},"service_tier":"no"}`
	quoted := strings.ReplaceAll(decoy, `"`, `\"`)
	request := `{"metadata":` + decoy + `,"tools":[{"type":"function","function":{"name":"f","parameters":` + decoy + `}}],` +
		`"messages":[{"role":"user","content":"` + quoted + `","model":"no"}],"prediction":` + decoy + `,"model":"m"}`
	body := func(message string) string {
		return `"vendor":` + decoy + `,"choices":[{"index":0,"vendor":` + decoy + `,"` + message + `":{"content":"` + quoted + `","vendor":` + decoy + `},` +
			`"logprobs":` + decoy + `,"finish_reason":"stop"}],"id":"c-1","model":"m-1","usage":{"vendor":` + decoy +
			`,"prompt_tokens":24,"completion_tokens":9,"prompt_tokens_details":{"vendor":` + decoy + `}}}`
	}
	for name, answer := range map[string]answer{
		"whole":  jsonAnswer("{" + body("message")),
		"stream": streamAnswer("data: {" + body("delta") + "\n\ndata: [DONE]\n\n"),
	} {
		for _, content := range []openaiotel.ContentMode{openaiotel.ContentNone, openaiotel.ContentSpan} {
			t.Run(name, func(t *testing.T) {
				s := observed(t.Context(), t, "POST", "https://api.openai.com/v1/chat/completions", request, answer, openaiotel.WithContent(content)).recordedOne(t)
				for key := range s.Attributes {
					if strings.HasPrefix(key, "gen_ai.input") || strings.HasPrefix(key, "gen_ai.output") || strings.HasPrefix(key, "gen_ai.tool") {
						delete(s.Attributes, key)
					}
				}
				require.Equal(t, span{Name: "chat m", Attributes: attributes(nil, map[string]any{
					"server.address": "api.openai.com", "server.port": int64(443), "gen_ai.request.model": "m", "gen_ai.response.id": "c-1",
					"gen_ai.response.model": "m-1", "gen_ai.response.finish_reasons": []string{"stop"},
					"gen_ai.usage.input_tokens": int64(24), "gen_ai.usage.output_tokens": int64(9),
				})}, s)
			})
		}
	}
}
