// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// TestRunGolden compares the runs of the spans that package genai is tested with, and of some of its own.
func TestRunGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.otlp.json")
	require.NoError(t, err)
	shared, err := filepath.Glob("../../../../internal/genai/testdata/*/*.otlp.json")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	require.NotEmpty(t, shared)
	for _, input := range append(inputs, shared...) {
		name := strings.TrimSuffix(filepath.Base(input), ".otlp.json")
		t.Run(name, func(t *testing.T) {
			document, err := os.ReadFile(input)
			require.NoError(t, err)
			traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(document)
			require.NoError(t, err)
			got := dump(runs(builder(t), traces))
			golden := filepath.Join("testdata", name+".runs.txt")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

// dump writes runs for people to read, a value on a line.
func dump(all []written) string {
	var b strings.Builder
	pairs := func(kind string, pairs []Pair) {
		for _, p := range pairs {
			fmt.Fprintf(&b, "  %s %s: %q\n", kind, p.Key, p.Value)
		}
	}
	for _, w := range all {
		fmt.Fprintf(&b, "experiment %q\n", w.Experiment.Name)
		pairs("tag", w.Experiment.Tags)
		fmt.Fprintf(&b, "run %q user %q from %d to %d failed %t\n", w.Run.Name, w.Run.User, w.Run.Start, w.Run.End, w.Run.Failed)
		pairs("param", w.Run.Params)
		for _, m := range w.Run.Metrics {
			fmt.Fprintf(&b, "  metric %s: %v\n", m.Key, m.Value)
		}
		pairs("tag", w.Run.Tags)
		dumpTrace(&b, w.Trace)
		b.WriteString("\n")
	}
	return b.String()
}

func dumpTrace(b *strings.Builder, span ptrace.Span) {
	fmt.Fprintf(b, "trace %s span %s %q %s %q\n", span.TraceID(), span.SpanID(), span.Name(), span.Status().Code(), span.Status().Message())
	for key, value := range span.Attributes().All() {
		fmt.Fprintf(b, "  attribute %s: %q\n", key, value.AsString())
	}
	for _, event := range span.Events().All() {
		fmt.Fprintf(b, "  event %s: %v\n", event.Name(), event.Attributes().AsRaw())
	}
}

type written struct {
	Experiment Experiment
	Run        Run
	Trace      ptrace.Span
}

func runs(b *Builder, traces ptrace.Traces) []written {
	reader := genai.NewReader(genai.Options{})
	var all []written
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if call, ok := reader.Read(resource.Resource(), scope.Scope(), span); ok {
					s := &Span{Resource: resource.Resource(), Scope: scope.Scope(), Span: span, Call: call}
					trace := ptrace.NewSpan()
					b.Trace(s, trace)
					all = append(all, written{b.Experiment(s, b.Persona(s)), b.Run(s, true), trace})
				}
			}
		}
	}
	return all
}

func builder(t *testing.T) *Builder {
	experiment, err := ParseTemplate("{persona_id}_{date}", ExperimentVariables)
	require.NoError(t, err)
	name, err := ParseTemplate("{model} · {prompt}", RunVariables)
	require.NoError(t, err)
	return &Builder{
		PersonaDefault: "unknown", ExperimentName: experiment, Name: name,
		Location: time.UTC, Content: ContentFull, MaxValue: MaxParam,
	}
}

// chat is a call that says secret things in every place that can carry content.
func chat(secret string) *Span {
	span := ptrace.NewSpan()
	span.SetTraceID([16]byte{1})
	span.SetSpanID([8]byte{2})
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC)))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Date(2026, 11, 23, 23, 30, 1, 500e6, time.UTC)))
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage("refused: " + secret)
	a := span.Attributes()
	a.PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	a.PutStr(semconv.GenAIRequestModel, "gpt-4o")
	a.PutStr(semconv.PersonaID, "tech_educator")
	quoted, _ := json.Marshal(secret)
	a.PutStr(semconv.GenAISystemInstructions, `[{"type":"text","content":`+string(quoted)+`}]`)
	a.PutStr(semconv.GenAIInputMessages, `[{"role":"user","parts":[{"type":"text","content":`+string(quoted)+`}]}]`)
	a.PutStr(semconv.GenAIOutputMessages, `[{"role":"assistant","parts":[{"type":"text","content":`+string(quoted)+`},`+
		`{"type":"tool_call","id":"1","name":"f","arguments":{"a":`+string(quoted)+`}}]}]`)
	return &Span{Resource: pcommon.NewResource(), Scope: pcommon.NewInstrumentationScope(), Span: span, Call: read(span)}
}

func read(span ptrace.Span) genai.Call {
	call, _ := genai.NewReader(genai.Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
	return call
}

func param(r Run, key string) string {
	for _, p := range r.Params {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

func TestContentModesLetNothingElseOut(t *testing.T) {
	const secret = "the-launch-code-is-0000"
	b := builder(t)

	b.Content = ContentFull
	r := b.Run(chat(secret), true)
	assert.Contains(t, param(r, "prompt"), secret)
	assert.Contains(t, param(r, "response"), secret)
	assert.Contains(t, r.Name, secret)

	b.Content = ContentHash
	hashed := b.Run(chat(secret), true)
	assert.Regexp(t, `^sha256:[0-9a-f]{16}$`, param(hashed, "prompt"))
	assert.Regexp(t, `^sha256:[0-9a-f]{16}$`, param(hashed, "response"))
	assert.NotEqual(t, param(hashed, "prompt"), param(hashed, "response"))

	b.Content = ContentOff
	off := b.Run(chat(secret), true)
	assert.Empty(t, param(off, "prompt"))
	assert.Empty(t, param(off, "response"))

	for _, r := range []Run{hashed, off} {
		text, err := json.Marshal(r)
		require.NoError(t, err)
		assert.NotContains(t, string(text), secret)
		assert.Equal(t, "gpt-4o · 23:30:00", r.Name)
	}
}

func TestValuesFitEveryStore(t *testing.T) {
	hostile := "nul\x00 bad\xff\xfe " + strings.Repeat("é🙂\n", 10_000)
	s := chat("x")
	a := s.Attributes()
	for _, key := range []string{
		semconv.PersonaID, semconv.GenAIRequestModel, semconv.GenAIProviderName, semconv.UserID, semconv.GenAIConversationID,
		semconv.ErrorType, semconv.ServiceName, semconv.GenAIPromptName, semconv.GenAIPromptVersion, semconv.GenAIInputMessages,
		semconv.GenAIResponseModel, semconv.GenAIOutputType, semconv.OpenAIBatchID,
	} {
		a.PutStr(key, hostile)
	}
	s.Status().SetMessage(hostile)
	s.Call = read(s.Span)
	b := builder(t)
	experiment, r := b.Experiment(s, b.Persona(s)), b.Run(s, false)

	fits := func(text string, max int) {
		t.Helper()
		assert.True(t, utf8.ValidString(text), "%q", text)
		assert.NotContains(t, text, "\x00")
		assert.LessOrEqual(t, utf8.RuneCountInString(text), max)
	}
	fits(experiment.Name, maxName)
	assert.True(t, strings.HasSuffix(experiment.Name, "_2026-11-23"), experiment.Name)
	fits(r.Name, maxName)
	fits(r.User, maxName)
	for _, tag := range append(experiment.Tags, r.Tags...) {
		fits(tag.Value, maxTag)
	}
	for _, p := range r.Params {
		fits(p.Value, MaxParam)
	}
	assert.Contains(t, param(r, "prompt"), " characters cut]…")
}

func TestPersonaThatFitsNoNameIsKeptAsItWas(t *testing.T) {
	s := chat("x")
	s.Attributes().PutStr(semconv.PersonaID, "  tech\teducator\n")
	s.Call = read(s.Span)
	b := builder(t)
	tags := b.Run(s, true).Tags
	assert.Contains(t, tags, Pair{"persona_id", "tech educator"})
	assert.Contains(t, tags, Pair{"persona_id_original", "  tech\teducator\n"})
	for _, tag := range b.Run(chat("x"), true).Tags {
		assert.NotEqual(t, "persona_id_original", tag.Key)
	}
}

func TestDateIsThatOfTheStartInTheTimeZone(t *testing.T) {
	b := builder(t)
	assert.Equal(t, "tech_educator_2026-11-23", b.Experiment(chat("x"), "tech_educator").Name)
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	require.NoError(t, err)
	b.Location = tokyo
	experiment := b.Experiment(chat("x"), "tech_educator")
	assert.Equal(t, "tech_educator_2026-11-24", experiment.Name)
	assert.Contains(t, experiment.Tags, Pair{"date", "2026-11-24"})
	assert.Contains(t, b.Run(chat("x"), true).Tags, Pair{"date", "2026-11-24"})
}

func TestCutKeepsHeadAndTail(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("é", 200), strings.Repeat("🙂", 200)} {
		assert.Equal(t, text, cut(text, 200, ""))
	}
	long := "begin" + strings.Repeat("é", 1000) + "end?"
	got := cut(long, 100, "")
	assert.Equal(t, 99, utf8.RuneCountInString(got)) // room was left for a number of four digits
	assert.True(t, strings.HasPrefix(got, "begin"))
	assert.True(t, strings.HasSuffix(got, "end?"))
	assert.Contains(t, got, "…[932 characters cut]…")
	assert.Equal(t, cut(long, 100, ""), got, "a retry must send the same bytes")
}

func FuzzCut(f *testing.F) {
	f.Add("some text that is longer than the limit, by far, and goes on", 50)
	f.Fuzz(func(t *testing.T, text string, max int) {
		text = clean(text)
		if max < 1 || max > 10_000 {
			return
		}
		got := cut(text, max, "")
		if utf8.RuneCountInString(got) > max || !utf8.ValidString(got) {
			t.Fatalf("cut(%q, %d) = %q", text, max, got)
		}
	})
}

func TestParseTemplate(t *testing.T) {
	for text, problem := range map[string]string{
		"{persona_id}_{date}":    "",
		"plain":                  "",
		"{service.name}/{model}": "",
		"{persona}_{date}":       `"{persona}_{date}" has the unknown variable {persona}; allowed are {persona_id}, {date}, {month}, {model} and attributes by name, such as {service.name}`,
		"{persona_id":            `"{persona_id" has a { without }`,
		"{{persona_id}}":         `"{{persona_id}}" has a { without }`,
		"persona_id}_x":          `"persona_id}_x" has a } without {`,
		"{}":                     `"{}" has the unknown variable {}; allowed are {persona_id}, {date}, {month}, {model} and attributes by name, such as {service.name}`,
	} {
		_, err := ParseTemplate(text, ExperimentVariables)
		if problem == "" {
			assert.NoError(t, err, text)
		} else {
			assert.EqualError(t, err, problem)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	s := chat(strings.Repeat("Explain how a hash map works. ", 130))
	experiment, _ := ParseTemplate("{persona_id}_{date}", ExperimentVariables)
	name, _ := ParseTemplate("{model} · {prompt}", RunVariables)
	builder := Builder{
		PersonaDefault: "unknown", ExperimentName: experiment, Name: name, Location: time.UTC, Content: ContentFull, MaxValue: MaxParam,
	}
	b.ReportAllocs()
	for b.Loop() {
		builder.Experiment(s, builder.Persona(s))
		builder.Run(s, true)
	}
}
