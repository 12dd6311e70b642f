// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"cmp"
	"strings"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Counter counts the tokens of a text in the encoding of the call's model.
type Counter interface {
	Count(text string) int
}

// Reason says why a number of tokens is not known, or why it is only a lower bound.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	ReasonOperation        Reason = "operation"         // no rule for operations of this kind
	ReasonUnknownModel     Reason = "unknown_model"     // the rule of the model is not known
	ReasonTruncated        Reason = "truncated"         // the content was cut on its way, or choices are missing
	ReasonFailed           Reason = "failed"            // the call failed without an answer: what was billed, if anything, is unknown
	ReasonNoContent        Reason = "no_content"        // the messages are not on the span
	ReasonPreviousResponse Reason = "previous_response" // the call continues one that is stored at the provider
	ReasonReasoning        Reason = "reasoning"         // hidden reasoning, most of what reasoning models are paid for
	ReasonJSONSchema       Reason = "json_schema"       // the schema of a JSON answer is part of the prompt and not on the span
	ReasonServerTool       Reason = "server_tool"       // tools that the provider runs itself, such as web search
	ReasonTools            Reason = "tools"             // tools whose definitions are not on the span
	ReasonImage            Reason = "image"             // an image of unknown size
	ReasonMedia            Reason = "media"             // audio, video, generated images
	ReasonFile             Reason = "file"              // documents
	ReasonUnsupported      Reason = "unsupported"       // a shape whose rule is not known, such as a role never measured
	ReasonCutOff           Reason = "cut_off"           // the answer ended before the model was done, or was filtered
)

// Count is the number of tokens of one side of a call, or the reason why it is not known.
type Count struct {
	Tokens int64
	Source string // of Tokens: one of semconv.SourceCounted, SourceEstimated, SourcePartial; empty if they are not known
	Reason Reason // why Tokens are not known, or partial; empty if they are counted or estimated
}

// Known reports whether there is a number.
func (c Count) Known() bool { return c.Source != "" }

// Call is what there is to know about a call.
type Call struct {
	Model Model
	// Span is the call as its span has it, Messages its content: what Span.Messages returned.
	Span     *genai.Call
	Messages *genai.Messages
	// LowerBounds gives a partial count of what is visible where the whole cannot be known, such as for the answer of a
	// reasoning model. Without it only an answer that was cut off has a partial count.
	LowerBounds bool
}

// The chat rule of OpenAI's cookbook, "How to count tokens with tiktoken". That reasoning models count one less is not in
// the cookbook; recorded usage shows it for o3-mini, o4-mini and GPT-5 to GPT-5.6.
const (
	perMessage = 3 // <|start|>, the separator, <|end|>; role and content come on top
	perName    = 1
)

var priming = map[kind]int64{plain: 3, reasoning: 2} // of the answer: <|start|>assistant<|message|>

// roles of messages that have text only. A message of another role belongs to a tool or is of a kind never measured.
var roles = map[string]Reason{
	"system":    "",
	"developer": "",
	"user":      "",
	"assistant": "",
	"tool":      ReasonTools,
	"function":  ReasonTools,
}

// parts that have a reason not to be counted.
var parts = map[genai.PartKind]Reason{
	genai.PartText:             "",
	genai.PartReasoning:        ReasonReasoning,
	genai.PartToolCall:         ReasonTools,
	genai.PartToolCallResponse: ReasonTools,
	genai.PartBlob:             ReasonMedia,
	genai.PartURI:              ReasonMedia,
	genai.PartFile:             ReasonFile,
	genai.PartServerToolCall:   ReasonServerTool,
}

// Finish reasons that say something about the number of tokens.
var (
	cutShort = map[string]bool{
		semconv.FinishReasonError: true,
		"content_filter":          true, // what was filtered is billed and not shown
	}
	calledTool = map[string]bool{"tool_call": true, "tool_calls": true, "function_call": true}
)

// Input counts the prompt tokens of a call.
func Input(call Call, counter Counter) Count {
	m := call.Messages
	answer := answerOf(call)
	reason := cmp.Or(
		when(call.Span.Operation != semconv.OperationChat, ReasonOperation),
		when(call.Model.kind == unknown, ReasonUnknownModel),
		when(m.TruncatedInput, ReasonTruncated),
		when(len(m.Input) == 0, ReasonNoContent),
		when(call.Span.Failed && len(m.Output) == 0, ReasonFailed),
		outputType(call),
		when(len(m.Tools) > 0 || answer.tools, ReasonTools),
	)
	if reason != "" {
		return Count{Reason: reason}
	}
	messages := m.Input
	if m.System != nil {
		messages = append([]genai.Message{{Role: "system", Parts: m.System}}, messages...)
	}
	total := tally{counter: counter, tokens: priming[call.Model.kind]}
	for i := range messages {
		total.message(&messages[i])
	}
	return total.count(call.Model)
}

// Output counts the completion tokens of a call: those of the visible text. The provider may bill one more per choice, for
// the token that ends it.
func Output(call Call, counter Counter) Count {
	m := call.Messages
	answer := answerOf(call)
	reason := cmp.Or(
		when(call.Span.Operation != semconv.OperationChat, ReasonOperation),
		when(call.Model.kind == unknown, ReasonUnknownModel),
		when(m.TruncatedOutput, ReasonTruncated),
		when(len(m.Output) == 0 && call.Span.Failed, ReasonFailed),
		when(len(m.Output) == 0, ReasonNoContent),
		when(int64(len(m.Output)) < call.Span.Request.Choices.Value, ReasonTruncated),
		when(call.Model.kind == reasoning || call.Span.Usage.Reasoning.Value > 0, ReasonReasoning),
		outputType(call),
		when(answer.tools, ReasonTools),
	)
	if reason != "" {
		return Count{Reason: reason}
	}
	total := tally{counter: counter}
	for i := range m.Output {
		total.parts(m.Output[i].Parts)
	}
	count := total.count(call.Model)
	if count.Known() && (answer.partial || call.Span.Failed) {
		count.Source, count.Reason = semconv.SourcePartial, ReasonCutOff
	}
	return count
}

// answer is what can be seen of the answer beside its text.
type answer struct {
	partial bool // there was more of it
	tools   bool // it calls a tool, so tools were defined
}

func answerOf(call Call) answer {
	var a answer
	finished := call.Span.FinishReasons()
	for _, choice := range call.Messages.Output {
		finished = append(finished, choice.FinishReason)
		for i := range choice.Parts {
			a.tools = a.tools || choice.Parts[i].Kind == genai.PartToolCall
		}
	}
	for _, reason := range finished {
		a.partial = a.partial || cutShort[reason]
		a.tools = a.tools || calledTool[reason]
	}
	return a
}

// outputType is the reason why a call for another kind of answer than text is not counted.
func outputType(call Call) Reason {
	asked := call.Span.Request.OutputType
	return cmp.Or(
		when(strings.HasPrefix(asked, semconv.OutputTypeJSON), ReasonJSONSchema),
		when(asked != "" && asked != semconv.OutputTypeText, ReasonMedia),
	)
}

// reasonOf is the reason why the parts of a message are not plain text.
func reasonOf(list []genai.Part) Reason {
	for i := range list {
		reason, known := parts[list[i].Kind]
		if !known {
			reason = ReasonUnsupported
		}
		if reason != "" {
			return reason
		}
	}
	return cmp.Or(
		when(len(list) == 0, ReasonNoContent),
		when(len(list) > 1, ReasonUnsupported),
	)
}

// tally adds up tokens until there is a reason not to.
type tally struct {
	counter Counter
	tokens  int64
	reason  Reason
}

func (t *tally) message(m *genai.Message) {
	reason, known := roles[m.Role]
	// Where a name repeats the role, recorded usage shows one token less than the rule has.
	if !known || m.Name != "" && m.Name == m.Role {
		reason = ReasonUnsupported
	}
	t.reason = cmp.Or(t.reason, reason)
	t.tokens += perMessage
	t.text(m.Role)
	if m.Name != "" {
		t.tokens += perName
		t.text(m.Name)
	}
	t.parts(m.Parts)
}

func (t *tally) parts(list []genai.Part) {
	t.reason = cmp.Or(t.reason, reasonOf(list))
	for i := range list {
		t.text(list[i].Text)
	}
}

func (t *tally) text(s string) {
	if t.reason != "" {
		return
	}
	t.tokens += int64(t.counter.Count(s))
}

func (t *tally) count(model Model) Count {
	if t.reason != "" {
		return Count{Reason: t.reason}
	}
	return Count{Tokens: model.scale(t.tokens), Source: model.source()}
}

func when(condition bool, reason Reason) Reason {
	if condition {
		return reason
	}
	return ""
}
