// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

func TestRedactor(t *testing.T) {
	redact := openaiotel.WithRedactor(func(text string) string { return strings.ReplaceAll(text, "xyzzy", "***") })
	request := `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"xyzzy"},` +
		`{"type":"image_url","image_url":{"url":"https://example.com/?xyzzy"}}]},` +
		`{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a\":\"xyzzy\"}"}}]},` +
		`{"role":"tool","tool_call_id":"1","content":"xyzzy"}],"tools":[{"type":"function","function":{"name":"f","description":"xyzzy",` +
		`"parameters":{"title":"xyzzy"}}}]}`
	answer := `{"choices":[{"message":{"content":"xyzzy","refusal":"xyzzy","reasoning":"xyzzy"},"finish_reason":"stop"}]}`
	s := exchange(t, request, answer, redact, openaiotel.WithContent(openaiotel.ContentSpan))
	require.Equal(t, `[{"role":"user","parts":[{"type":"text","content":"***"},{"type":"uri","modality":"image","uri":"https://example.com/?***"}]},`+
		`{"role":"assistant","parts":[{"type":"tool_call","id":"1","name":"f","arguments":{"a":"***"}}]},`+
		`{"role":"tool","parts":[{"type":"tool_call_response","id":"1","response":"***"}]}]`, s.Attributes["gen_ai.input.messages"])
	require.NotContains(t, fmt.Sprint(s.Attributes), "xyzzy")

	// A redactor that breaks JSON gives a string.
	s = exchange(t, request, answer, openaiotel.WithContent(openaiotel.ContentSpan), openaiotel.WithRedactor(func(string) string { return "{" }))
	require.Contains(t, s.Attributes["gen_ai.input.messages"], `"arguments":"{"`)
}

func TestContentLimitsKeepJSONAndTheNewest(t *testing.T) {
	var messages []string
	for i := range 40 {
		messages = append(messages, fmt.Sprintf(`{"role":"user","content":"message %d %s"}`, i, strings.Repeat("é\\\"", i*20)))
	}
	request := `{"model":"m","messages":[{"role":"system","content":"Be witty."},` + strings.Join(messages, ",") + `],` +
		`"tools":[{"type":"function","function":{"name":"f","parameters":{"a":"` + strings.Repeat("x", 300) + `"}}}]}`
	var choices []string
	for i := range 10 {
		choices = append(choices, fmt.Sprintf(`{"index":%d,"message":{"content":"%s"},"finish_reason":"stop"}`, i, strings.Repeat("é", i*50)))
	}
	answer := `{"choices":[` + strings.Join(choices, ",") + `]}`
	for _, total := range []int{1, 100, 500, 1500, 3000, 10_000, 1 << 20} {
		for _, message := range []int{0, 1, 50, 1000} {
			s := exchange(t, request, answer, openaiotel.WithContent(openaiotel.ContentSpan), openaiotel.WithMaxContentBytes(message, total))
			for _, key := range []string{"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions"} {
				content, _ := s.Attributes[key].(string)
				require.LessOrEqual(t, len(content), total, key)
				require.True(t, content == "" || json.Valid([]byte(content)), content)
			}
			input, _ := s.Attributes["gen_ai.input.messages"].(string)
			if message == 0 && total >= 3000 {
				require.Contains(t, input, "Be witty.")
				require.Contains(t, input, "message 39")
			}
		}
	}
	s := exchange(t, `{"messages":[{"role":"user","content":"née"}]}`, plainAnswer, openaiotel.WithContent(openaiotel.ContentSpan), openaiotel.WithMaxContentBytes(2, 0))
	require.Equal(t, `[{"role":"user","parts":[{"type":"text","content":"n…[3 bytes cut]…"}]}]`, s.Attributes["gen_ai.input.messages"])
}
