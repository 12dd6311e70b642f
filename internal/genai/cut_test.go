// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

func messagesOf(text string) Messages {
	call := read(alone(semconv.GenAIInputMessages, text))
	return call.Messages()
}

// TestCutJSONIsReadAsFarAsItGoes cuts content at every byte: what is left begins what was there.
func TestCutJSONIsReadAsFarAsItGoes(t *testing.T) {
	const text = ` [ {"role":"system","parts":[{"type":"text","content":"Be \"brief\" \\ \u00e9\ud83c\udf0d."}]} , ` +
		`{"role":"user", "parts" : [{"type":"text","content":"Größe?"}],"n":-1.5e3,"seen":true,"x":[],"y":{}}]`
	require.True(t, json.Valid([]byte(text)))
	whole := messagesOf(text)
	require.False(t, whole.Truncated)
	said := func(m Messages) string {
		var b strings.Builder
		for _, message := range m.Input {
			for _, part := range message.Parts {
				assert.Equal(t, PartText, part.Kind)
				b.WriteString(message.Role + ": " + part.Text + "\n")
			}
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
	last := ""
	for n := 3; n < len(text); n++ {
		m := messagesOf(text[:n])
		assert.True(t, m.TruncatedInput, text[:n])
		assert.False(t, m.Broken, text[:n])
		assert.False(t, m.TruncatedOutput, text[:n])
		// Half of an escape or of a character is left out, or shown as one that cannot be read.
		got := strings.TrimSuffix(strings.TrimSuffix(said(m), "\uFFFD"), "\xc3")
		assert.True(t, strings.HasPrefix(said(whole), got), "%s\n%s", text[:n], got)
		assert.GreaterOrEqual(t, len(got), len(strings.TrimRight(last, "\uFFFD")), text[:n])
		last = got
	}
	assert.Equal(t, said(whole), last)
}

func TestWhatIsNotCutJSONIsLeftAsItIs(t *testing.T) {
	for _, text := range []string{
		`[{"role":"user"}] and more`, `{"role":"user"}}`, `["quoted" words, as in prose`, `{"role" "user"`, `[{"a":1]`, `[{"a":tru "b"`,
	} {
		m := messagesOf(text)
		assert.True(t, m.TruncatedInput, text)
		assert.True(t, m.Broken, text)
		assert.Equal(t, text, m.Input[0].Parts[0].Text)
	}
	for _, text := range []string{"[1, 2", "[note] to self", "plain", `"half`} {
		m := messagesOf(text)
		assert.False(t, m.Truncated, text)
		assert.Equal(t, text, m.Input[0].Parts[0].Text)
	}
}

func TestMessagesWithin(t *testing.T) {
	span := alone(semconv.GenAIOutputMessages, `[{"role":"assistant","parts":[{"type":"text","content":"Yes."}]}]`)
	span.Attributes().PutStr(semconv.GenAISystemInstructions, "Answer.")
	span.Attributes().PutStr(semconv.GenAIInputMessages, `[{"role":"user","parts":[{"type":"text","content":"`+strings.Repeat("é", 1000)+`"}]}]`)
	call := read(span)
	size := call.ContentSize()
	assert.Equal(t, call.Messages(), call.MessagesWithin(size))

	m := call.MessagesWithin(size - 1000)
	assert.True(t, m.TruncatedInput)
	assert.False(t, m.TruncatedOutput)
	assert.Equal(t, "Yes.", m.Output[0].Parts[0].Text)
	assert.Equal(t, "Answer.", m.System[0].Text)
	assert.Equal(t, strings.Repeat("é", 502), m.Input[0].Parts[0].Text)

	m = call.MessagesWithin(0)
	assert.True(t, m.TruncatedInput)
	assert.True(t, m.TruncatedOutput)
	assert.Empty(t, m.Input)

	list := span.Attributes().PutEmptySlice(semconv.GenAIInputMessages)
	list.AppendEmpty().SetStr(strings.Repeat("a", 1000))
	call = read(span)
	m = call.MessagesWithin(call.ContentSize() - 1)
	assert.True(t, m.TruncatedInput)
	assert.Empty(t, m.Input, "structured values are read whole or not at all")
}
