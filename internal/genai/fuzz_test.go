// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// everywhere is a span that has the text in every attribute and event that can carry content, in JSON, or in numbers.
func everywhere(text string) ptrace.Span {
	span := ptrace.NewSpan()
	span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	for i := range dialects {
		for _, a := range dialects[i].attributes {
			if a.field != operation {
				span.Attributes().PutStr(a.key, text)
			}
		}
		for _, s := range dialects[i].content {
			switch {
			case s.key != "":
				span.Attributes().PutStr(s.key, text)
			case s.indexed != nil:
				for name := range s.indexed.names {
					span.Attributes().PutStr(s.indexed.prefix+"0."+name.last, text)
					span.Attributes().PutStr(s.indexed.prefix+"0."+name.list+".0."+name.last, text)
				}
			}
			for name := range s.events {
				event := span.Events().AppendEmpty()
				event.SetName(name)
				for _, key := range []string{"content", "message", "gen_ai.prompt", "gen_ai.completion", eventContent, semconv.GenAIInputMessages} {
					event.Attributes().PutStr(key, text)
				}
			}
		}
	}
	return span
}

// alone is a span whose only content is the text, in one attribute.
func alone(key, text string) ptrace.Span {
	span := ptrace.NewSpan()
	span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	span.Attributes().PutStr(key, text)
	return span
}

func read(span ptrace.Span) Call {
	call, _ := NewReader(Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
	return call
}

// FuzzContent reads whatever a content attribute can hold.
func FuzzContent(f *testing.F) {
	f.Add(`[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]`)
	f.Add(`[{"role":"user","parts":[{"type":"uri","uri":"data:image/png;base64,AAAA"}]}]`)
	f.Add(`{"messages":[{"role":"tool","content":[{"type":"tool_result","content":[]}]}],"tools":["{}"]}`)
	f.Add(`{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}],"usage":{"input":1}}`)
	f.Add(`{"output":[{"type":"message","content":[{"type":"output_text","text":"\ud83c\udf0d"}]}]}`)
	f.Add(`[[[[[[[[`)
	f.Add(`"\"quoted\""`)
	reader := NewReader(Options{})
	f.Fuzz(func(_ *testing.T, text string) {
		call, _ := reader.Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), everywhere(text))
		call.Messages()
		call.ContentSize()
		call.FinishReasons()
		for i := range dialects {
			for _, s := range dialects[i].content {
				if s.key != "" {
					call, _ := reader.Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), alone(s.key, text))
					call.Messages()
				}
			}
		}
	})
}

// FuzzJSON holds the reader of JSON to encoding/json.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a":[1,"x\n\u00e9\ud83c\udf0d\ud800",{"b":null}],"c":true, "d" : -1.5e3}`)
	f.Add(`[ ]`)
	f.Add(`"\\\"\/"`)
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := parse(text)
		var want any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if !ok || !utf8.ValidString(text) || decoder.Decode(&want) != nil {
			return
		}
		assert.Equal(t, want, tree(v))
		if v.isString() {
			return
		}
		half := string(v[:(len(v)+1)/2])
		whole, _, ok := closed(half)
		require.True(t, ok, half)
		_, ok = parse(whole)
		assert.True(t, ok, "%s\n%s", half, whole)
	})
}

// tree is a value as encoding/json would give it.
func tree(v value) any {
	switch {
	case v.isArray():
		list := []any{}
		v.each(func(_ string, item value) { list = append(list, tree(item)) })
		return list
	case v.isObject():
		object := map[string]any{}
		v.each(func(key string, item value) { object[key] = tree(item) })
		return object
	case v.isString():
		return v.text()
	case v == "true" || v == "false":
		return v == "true"
	case v.isNothing():
		return nil
	default:
		return json.Number(v)
	}
}

// TestHostileContentIsBounded holds time and memory to what content of that size may cost.
func TestHostileContentIsBounded(t *testing.T) {
	indexed := func(name func(i int) string) ptrace.Span {
		attributes := make(map[string]any, 100_000)
		for i := range 100_000 {
			attributes[name(i)] = "x"
		}
		span := ptrace.NewSpan()
		require.NoError(t, span.Attributes().FromRaw(attributes))
		return span
	}
	both := func(text string) ptrace.Span {
		span := alone(semconv.GenAIInputMessages, text)
		span.Attributes().PutStr("gen_ai.completion.0.content", text)
		span.Attributes().PutStr("gcp.vertex.agent.llm_response", text)
		return span
	}
	megabyte := func(text string, before ...string) ptrace.Span {
		return both(strings.Join(before, "") + strings.Repeat(text, 1<<20/len(text)))
	}
	for name, span := range map[string]ptrace.Span{
		"brackets":      megabyte("["),
		"objects":       megabyte(`{"a":`),
		"parts":         megabyte(`[{"parts":`),
		"messages":      megabyte(`{"messages":[`),
		"quotes":        megabyte(`"\"`),
		"backslashes":   megabyte(`\`),
		"numbers":       both("[" + strings.Repeat("1,", 1<<19) + "1]"),
		"half a word":   megabyte(`a`, `[{"type":"`),
		"half a name":   megabyte(`a`, `[{"`),
		"half a list":   megabyte(` `, `["a"`),
		"half escapes":  megabyte(`\`, `["`),
		"many messages": both("[" + strings.Repeat(`{"role":"user"},`, 1<<16) + "{}]"),
		"many indices":  indexed(func(i int) string { return fmt.Sprintf("gen_ai.prompt.%d.content", 100_000-i) }),
		"many calls":    indexed(func(i int) string { return fmt.Sprintf("gen_ai.completion.0.tool_calls.%d.name", i*7%100_000) }),
		"high indices":  indexed(func(i int) string { return fmt.Sprintf("llm.input_messages.%d.message.content", 999_999_999-i) }),
		"no index":      indexed(func(i int) string { return fmt.Sprintf("gen_ai.prompt.x%d.content", i) }),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			call := read(span)
			call.ContentSize()
			call.Messages()
			elapsed := time.Since(start)
			runtime.ReadMemStats(&after)
			assert.Less(t, elapsed, time.Minute) // quadratic reading would take longer on any machine
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(200<<20))
		})
	}
}

func TestDeepValuesAreTakenForCut(t *testing.T) {
	span := alone("gen_ai.output.messages", "")
	inner := span.Attributes().PutEmptySlice(semconv.GenAIInputMessages)
	for range 10_000 {
		inner = inner.AppendEmpty().SetEmptySlice()
	}
	call := read(span)
	m := call.Messages()
	require.True(t, m.Truncated)
	require.True(t, m.TruncatedInput)
	require.False(t, m.TruncatedOutput)
	require.Empty(t, m.Input)
}
