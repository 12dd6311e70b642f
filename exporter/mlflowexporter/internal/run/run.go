// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Tags that carry the identity of the span that a run was written for.
const (
	TagTraceID = "otel.trace_id"
	TagSpanID  = "otel.span_id"
)

// unknown stands for a variable of a template that has no value.
const unknown = "unknown"

// Span is a span with what it inherits, and the call read from it.
type Span struct {
	Resource pcommon.Resource
	Scope    pcommon.InstrumentationScope
	ptrace.Span
	Call genai.Call
}

// attribute returns an attribute of the span, its scope or its resource as text, or nothing.
func (s *Span) attribute(key string) string {
	for _, place := range []pcommon.Map{s.Attributes(), s.Scope.Attributes(), s.Resource.Attributes()} {
		if v, ok := place.Get(key); ok {
			return v.AsString()
		}
	}
	return ""
}

// Pair is a param or a tag.
type Pair struct{ Key, Value string }

// Metric is one measured value.
type Metric struct {
	Key   string
	Value float64
}

// Experiment is the experiment that a run belongs to.
type Experiment struct {
	Name string
	Tags []Pair // for the case that it has to be created
}

// Run is everything that is written about a call.
type Run struct {
	Name      string
	User      string
	Start     int64 // milliseconds since the epoch
	End       int64 // milliseconds since the epoch
	Failed    bool
	Params    []Pair
	Metrics   []Metric
	Tags      []Pair
	Artifacts []Artifact // what is cut in a param, whole
}

// Artifact is a file of a run.
type Artifact struct {
	Name    string
	Content string
}

// Builder makes runs. It is safe for concurrent use.
type Builder struct {
	// PersonaDefault is the persona of a call that names none.
	PersonaDefault string
	// ExperimentName is the template of an experiment's name, of ExperimentVariables.
	ExperimentName Template
	// Name is the template of a run's name, of RunVariables.
	Name Template
	// Color is the template, of ColorVariables, of what runs have the same colour for. Empty leaves colours to MLflow.
	Color Template
	// Location is the time zone of an experiment's date.
	Location *time.Location
	// Content says how much of prompts and responses is written.
	Content Content
	// MaxValue is the greatest length of a prompt or response, in Unicode code points, at most MaxParam.
	MaxValue int
}

// Experiment returns the experiment of a persona on the call's day, without looking at the call's content.
func (b *Builder) Experiment(s *Span, persona string) Experiment {
	at := b.start(s)
	e := Experiment{Name: line(b.ExperimentName.expand(func(variable string) string {
		switch variable {
		case "persona_id":
			return persona
		case "date":
			return at.Format(time.DateOnly)
		case "month":
			return at.Format("2006-01")
		case "model":
			return orUnknown(s.Call.Model())
		default:
			return orUnknown(s.attribute(variable))
		}
	}), maxName)}
	note := "LLM calls"
	if b.ExperimentName.uses("persona_id") {
		e.Tags = append(e.Tags, Pair{"persona_id", persona})
		note += " of " + persona
	}
	if b.ExperimentName.uses("date") {
		e.Tags = append(e.Tags, Pair{"date", at.Format(time.DateOnly)})
		note += " on " + at.Format(time.DateOnly) + " (" + b.Location.String() + ")"
	}
	e.Tags = append(e.Tags,
		Pair{"mlflow.experimentKind", "genai_development"},
		Pair{"mlflow.note.content", note + ", one run each, written by otelcol-mlflow from OpenTelemetry spans."})
	return e
}

// Run returns the run of the call. If artifacts is true, what is cut is kept whole in artifacts of the run.
func (b *Builder) Run(s *Span, artifacts bool) Run {
	messages := b.messages(s)
	start, end := s.StartTimestamp().AsTime(), s.EndTimestamp().AsTime()
	if end.Before(start) {
		end = start
	}
	r := Run{
		Name:   b.name(s, messages),
		User:   line(s.Call.User, maxName),
		Start:  start.UnixMilli(),
		End:    end.UnixMilli(),
		Failed: s.Status().Code() == ptrace.StatusCodeError,
	}
	said := b.said(messages, artifacts)
	r.Params = b.params(s, said)
	r.Metrics = append(metrics(s, messages), scores(s)...)
	r.Tags = append(b.tags(s, messages, r), said.lengths...)
	r.Artifacts = said.artifacts
	return r
}

// Persona returns the call's persona, made to fit a name, or the default.
func (b *Builder) Persona(s *Span) string {
	if persona := line(s.Call.Persona, maxName-len("_2006-01-02")); persona != "" {
		return persona
	}
	return b.PersonaDefault
}

// OriginalPersona is the persona as the span has it, and whether that is another than Persona because it fits no name.
func (b *Builder) OriginalPersona(s *Span) (original string, changed bool) {
	original = clean(s.Call.Persona)
	return original, strings.TrimSpace(original) != "" && original != b.Persona(s)
}

// Date is the day of the call's start.
func (b *Builder) Date(s *Span) string { return b.start(s).Format(time.DateOnly) }

func (b *Builder) start(s *Span) time.Time { return s.StartTimestamp().AsTime().In(b.Location) }

// questionLength is how much of the prompt a run's name shows, in code points.
const questionLength = 40

func (b *Builder) name(s *Span, messages genai.Messages) string {
	at := b.start(s)
	return line(b.Name.expand(func(variable string) string {
		switch variable {
		case "persona_id":
			return b.Persona(s)
		case "date":
			return at.Format(time.DateOnly)
		case "time":
			return at.Format(time.TimeOnly)
		case "model":
			return orUnknown(subject(s))
		case "operation":
			return s.Call.Operation
		case "prompt":
			if b.Content == ContentFull {
				if words := firstWords(question(messages), questionLength); words != "" {
					return words
				}
			}
			return at.Format(time.TimeOnly)
		default:
			return orUnknown(s.attribute(variable))
		}
	}), maxName)
}

func (b *Builder) params(s *Span, said said) []Pair {
	call := &s.Call
	var p pairs
	p.add("persona_id", b.Persona(s))
	p.add("model", line(call.Model(), MaxParam))
	p.add("prompt", said.prompt)
	p.add("response", said.response)
	p.add("tool", line(s.attribute(semconv.GenAIToolName), MaxParam))
	p.add("agent", line(s.attribute(semconv.GenAIAgentName), MaxParam))
	p.add("data_source", line(s.attribute(semconv.GenAIDataSourceID), MaxParam))
	p.add("provider", line(call.Provider, MaxParam))
	p.add("operation", line(call.Operation, MaxParam))
	if call.ResponseModel != call.Model() {
		p.add("response_model", line(call.ResponseModel, MaxParam))
	}
	p.float("temperature", call.Request.Temperature)
	p.float("top_p", call.Request.TopP)
	p.int("top_k", call.Request.TopK)
	p.int("max_tokens", call.Request.MaxTokens)
	p.float("frequency_penalty", call.Request.FrequencyPenalty)
	p.float("presence_penalty", call.Request.PresencePenalty)
	p.int("seed", call.Request.Seed)
	p.int("choices", call.Request.Choices)
	if call.Request.Stream {
		p.add("stream", "true")
	}
	p.add("output_type", line(call.Request.OutputType, MaxParam))
	p.add("reasoning_level", line(call.Request.ReasoningLevel, MaxParam))
	p.add("prompt_name", line(call.PromptName, MaxParam))
	p.add("prompt_version", line(call.PromptVersion, MaxParam))
	return p
}

func metrics(s *Span, messages genai.Messages) []Metric {
	call := &s.Call
	duration, timed := latency(s)
	prefix := metricPrefix(call.Operation)
	var m []Metric
	add := func(key string, value float64) { m = append(m, Metric{prefix + key, value}) }
	count := func(key string, n genai.Optional[int64]) {
		if n.Set {
			add(key, float64(n.Value))
		}
	}
	count("prompt_tokens", call.Usage.Input)
	count("completion_tokens", call.Usage.Output)
	count("total_tokens", call.Total())
	if timed {
		add("latency_ms", float64(duration)/float64(time.Millisecond))
	}
	if cost, ok := costOf(s); ok {
		add("cost_usd", cost)
	}
	count("cached_tokens", call.Usage.CacheRead)
	count("reasoning_tokens", call.Usage.Reasoning)
	if call.TimeToFirstChunk.Set {
		add("time_to_first_token_ms", call.TimeToFirstChunk.Value*1000)
	}
	if prefix != "" {
		return m
	}
	if call.Usage.Output.Set && timed && duration > 0 {
		add("tokens_per_second", float64(call.Usage.Output.Value)/duration.Seconds())
	}
	if messages.Output != nil {
		add("tool_calls", float64(len(toolCalls(messages))))
	}
	return m
}

// metricPrefix sets the metrics of what calls no model apart, such as agent_total_tokens, so that a sum over runs does not
// count the calls below an agent twice.
func metricPrefix(operation string) string {
	switch operation {
	case semconv.OperationChat, semconv.OperationTextCompletion, semconv.OperationGenerateContent, semconv.OperationEmbeddings:
		return ""
	case semconv.OperationExecuteTool:
		return "tool_"
	default:
		return metricKey(strings.TrimPrefix(operation, "invoke_")) + "_"
	}
}

// costOf is what the token processor says that the call cost, in US dollars.
func costOf(s *Span) (float64, bool) {
	cost, ok := s.Attributes().Get(semconv.TokenCostUSD)
	if !ok || cost.Type() != pcommon.ValueTypeDouble || !finite(cost.Double()) {
		return 0, false
	}
	return cost.Double(), true
}

// latency is how long the call took. It is not known for a line of a batch, whose times are those of the whole batch, and
// for a span that ends before it starts.
func latency(s *Span) (time.Duration, bool) {
	duration := s.EndTimestamp().AsTime().Sub(s.StartTimestamp().AsTime())
	return duration, duration >= 0 && s.attribute(semconv.OpenAIBatchID) == ""
}

func (b *Builder) tags(s *Span, messages genai.Messages, r Run) []Pair {
	call := &s.Call
	var p pairs
	add := func(key, value string) { p.add(key, line(value, maxTag)) }
	add("persona_id", b.Persona(s))
	if original, changed := b.OriginalPersona(s); changed {
		p.add("persona_id_original", first(original, maxTag))
	}
	add("date", b.Date(s))
	add("model", call.Model())
	add(semconv.GenAIProviderName, call.Provider)
	add("prompt_name", call.PromptName)
	add("prompt_version", call.PromptVersion)
	add(tagLinkedPrompts, linkedPrompts(s))
	add("token_source", tokenSource(s))
	add("tools", strings.Join(toolNames(messages), ","))
	reasons := call.FinishReasons()
	slices.Sort(reasons)
	add("finish_reason", strings.Join(slices.Compact(reasons), ","))
	add(semconv.ErrorType, call.ErrorType)
	add("conversation_id", call.Conversation)
	add("service_tier", call.ServiceTier)
	add("batch_id", s.attribute(semconv.OpenAIBatchID))
	add("custom_id", s.attribute(semconv.OpenAIBatchCustomID))
	if n := s.attribute(semconv.HTTPRequestResendCount); n != "0" {
		add("resend_count", n)
	}
	add(TagTraceID, s.TraceID().String())
	add(TagSpanID, s.SpanID().String())
	service := s.attribute(semconv.ServiceName)
	add(semconv.ServiceName, service)
	add("mlflow.user", r.User)
	add("mlflow.source.name", service)
	add("mlflow.source.type", "JOB")
	add("mlflow.source.git.commit", s.attribute("vcs.ref.head.revision"))
	add("mlflow.runColor", b.color(s))
	p.add("mlflow.note.content", b.note(s, r))
	return p
}

// note is the run's description: the error first, because the run page of a failed run looks like any other.
func (b *Builder) note(s *Span, r Run) string {
	var text strings.Builder
	if r.Failed {
		text.WriteString("**" + orUnknown(line(s.Call.ErrorType, maxName)) + "**")
		// The text of a status is the application's, and may quote the prompt.
		if message := s.Status().Message(); message != "" && b.Content == ContentFull {
			text.WriteString(": " + line(message, 1000))
		}
		text.WriteString("\n\n")
	}
	text.WriteString(b.Persona(s) + " asked " + orUnknown(line(s.Call.Model(), maxName)))
	if duration, timed := latency(s); timed {
		text.WriteString(", " + strconv.FormatInt(duration.Milliseconds(), 10) + " ms")
	}
	if in, out := s.Call.Usage.Input, s.Call.Usage.Output; in.Set && out.Set {
		text.WriteString(", " + strconv.FormatInt(in.Value, 10) + " → " + strconv.FormatInt(out.Value, 10) + " tokens")
	}
	return text.String()
}

// strength of a token source, the weakest first.
var strength = []string{semconv.SourcePartial, semconv.SourceEstimated, semconv.SourceCounted, semconv.SourceReported}

// tokenSource is the weaker source of the two token counts; empty where neither is known.
func tokenSource(s *Span) string {
	weakest := len(strength)
	side := func(n genai.Optional[int64], attribute string) {
		if !n.Set {
			return
		}
		source := semconv.SourceReported
		if v, ok := s.Attributes().Get(attribute); ok {
			source = v.AsString()
		}
		weakest = min(weakest, max(0, slices.Index(strength, source)))
	}
	side(s.Call.Usage.Input, semconv.TokenInputSource)
	side(s.Call.Usage.Output, semconv.TokenOutputSource)
	if weakest == len(strength) {
		return ""
	}
	return strength[weakest]
}

func toolNames(messages genai.Messages) []string {
	var names []string
	for _, call := range toolCalls(messages) {
		names = append(names, call.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// pairs are the params or tags that are known, in the order they are added.
type pairs []Pair

func (p *pairs) add(key, value string) {
	if value != "" {
		*p = append(*p, Pair{key, value})
	}
}

func (p *pairs) int(key string, n genai.Optional[int64]) {
	if n.Set {
		p.add(key, strconv.FormatInt(n.Value, 10))
	}
}

func (p *pairs) float(key string, n genai.Optional[float64]) {
	if n.Set {
		p.add(key, strconv.FormatFloat(n.Value, 'g', -1, 64))
	}
}

func orUnknown(text string) string {
	if text == "" {
		return unknown
	}
	return text
}

func finite(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }
