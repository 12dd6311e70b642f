// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// reading is what a golden file holds for a span; nil for one that is no call.
type reading struct {
	Call
	Total         Optional[int64]
	Model         string
	FinishReasons []string
	CutOff        bool
	Messages      Messages
}

// TestReadGolden reads the spans of testdata/<dialect>/<case>.otlp.json and compares all that is said about them with
// <case>.calls.json.
func TestReadGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*/*.otlp.json")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	for _, input := range inputs {
		name := strings.TrimSuffix(input, ".otlp.json")
		t.Run(strings.TrimPrefix(name, "testdata/"), func(t *testing.T) {
			document, err := os.ReadFile(input)
			require.NoError(t, err)
			traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(document)
			require.NoError(t, err)

			before, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
			require.NoError(t, err)
			got := dump(t, readAll(NewReader(Options{}), traces))
			after, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
			require.NoError(t, err)
			assert.Equal(t, before, after, "the spans were changed")

			golden := name + ".calls.json"
			if *update {
				require.NoError(t, os.WriteFile(golden, got, 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got))
		})
	}
}

func readAll(reader *Reader, traces ptrace.Traces) []*reading {
	var readings []*reading
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				call, ok := reader.Read(resource.Resource(), scope.Scope(), span)
				if !ok {
					readings = append(readings, nil)
					continue
				}
				readings = append(readings, &reading{
					Call: call, Total: call.Total(), Model: call.Model(),
					FinishReasons: call.FinishReasons(), CutOff: call.CutOff(), Messages: call.Messages(),
				})
			}
		}
	}
	return readings
}

// dump is v as indented JSON without what is not set.
func dump(t *testing.T, v any) []byte {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	var tree any
	require.NoError(t, json.Unmarshal(text, &tree))
	text, err = json.MarshalIndent(known(tree), "", " ")
	require.NoError(t, err)
	return append(text, '\n')
}

// known returns a JSON tree without zero values, and an Optional as its value; a zero in an Optional is kept.
func known(tree any) any {
	switch tree := tree.(type) {
	case map[string]any:
		if set, optional := tree["Set"].(bool); optional {
			if set {
				return tree["Value"]
			}
			return nil
		}
		for key, value := range tree {
			value, optional := known(value), isOptional(value)
			if value == nil || !optional && (value == "" || value == 0.0 || value == false) {
				delete(tree, key)
			} else {
				tree[key] = value
			}
		}
	case []any:
		for i := range tree {
			tree[i] = known(tree[i])
		}
	}
	return tree
}

func isOptional(tree any) bool {
	object, ok := tree.(map[string]any)
	_, set := object["Set"]
	return ok && set
}

func TestZeroUsageReportedIsKept(t *testing.T) {
	span := ptrace.NewSpan()
	span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	span.Attributes().PutInt(semconv.GenAIUsageInputTokens, 0)
	span.Attributes().PutInt(semconv.GenAIUsageOutputTokens, 0)
	span.Attributes().PutStr(semconv.GenAIOutputMessages, `[{"role":"assistant","parts":[{"type":"text","content":"Hi"}]}]`)

	call, _ := NewReader(Options{ZeroUsage: ZeroUsageReported}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
	assert.Equal(t, Usage{Input: Some[int64](0), Output: Some[int64](0)}, call.Usage)

	call, _ = NewReader(Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
	assert.Equal(t, Usage{}, call.Usage)
}

func TestPersonaAttributesAreConfigurable(t *testing.T) {
	span := ptrace.NewSpan()
	span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	span.Attributes().PutStr(semconv.PersonaID, "not looked at")
	span.Attributes().PutInt("tenant", 7)

	call, _ := NewReader(Options{PersonaAttributes: []string{"bot", "tenant"}}).
		Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
	assert.Equal(t, "7", call.Persona)
}

// FuzzRead reads whatever spans OTLP/JSON can carry.
func FuzzRead(f *testing.F) {
	inputs, err := filepath.Glob("testdata/*/*.otlp.json")
	require.NoError(f, err)
	for _, input := range inputs {
		document, err := os.ReadFile(input)
		require.NoError(f, err)
		f.Add(document)
	}
	reader := NewReader(Options{})
	f.Fuzz(func(_ *testing.T, document []byte) {
		if traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(document); err == nil {
			readAll(reader, traces)
		}
	})
}

func TestContentAttributesAreKnownByName(t *testing.T) {
	r := NewReader(Options{})
	for _, key := range []string{
		"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments",
		"gen_ai.tool.call.result", "input.value", "output.value", "gen_ai.prompt.0.content", "ai.prompt", "traceloop.entity.input",
		"llm.input_messages.0.message.content",
	} {
		assert.True(t, r.IsContent(key), key)
	}
	for _, key := range []string{"gen_ai.request.model", "service.name", "gen_ai.usage.input_tokens", "session.id", "host.name"} {
		assert.False(t, r.IsContent(key), key)
	}
}

func TestZerosBesideHugeContentAreForgottenWithoutParsing(t *testing.T) {
	span := alone(semconv.GenAIOutputMessages, `[{"role":"assistant","parts":[{"type":"text","content":"`+strings.Repeat("x", maxSilent)+`"}]}]`)
	span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	span.Attributes().PutInt(semconv.GenAIUsageInputTokens, 0)
	span.Attributes().PutInt(semconv.GenAIUsageOutputTokens, 0)
	reader, resource, scope := NewReader(Options{}), pcommon.NewResource(), pcommon.NewInstrumentationScope()
	var call Call
	assert.Zero(t, testing.AllocsPerRun(3, func() { call, _ = reader.Read(resource, scope, span) }))
	assert.Equal(t, Usage{}, call.Usage)
}

func TestZeroOfStreamStaysUnknownBesideFilledCount(t *testing.T) {
	span := alone(semconv.GenAIOperationName, semconv.OperationChat)
	span.Attributes().PutBool(semconv.GenAIRequestStream, true)
	span.Attributes().PutInt(semconv.GenAIUsageInputTokens, 9)
	span.Attributes().PutInt("gen_ai.usage.completion_tokens", 0)
	reported := read(span)
	assert.Equal(t, Usage{Input: Some[int64](9), Output: Some[int64](0)}, reported.Usage)
	span.Attributes().PutStr(semconv.TokenInputSource, semconv.SourceCounted)
	filled := read(span)
	assert.Equal(t, Usage{Input: Some[int64](9)}, filled.Usage)
}
