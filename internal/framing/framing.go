// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"cmp"
	"slices"
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

// The reasons why nothing can be said, in the order in which they are looked for.
const (
	ReasonOperation    Reason = "operation"     // no rule for operations of this kind
	ReasonUnknownModel Reason = "unknown_model" // the rule of the model is not known
	ReasonTruncated    Reason = "truncated"     // the content was cut on its way, or choices are missing
	ReasonFailed       Reason = "failed"        // the call failed without an answer: what was billed, if anything, is unknown
	ReasonNoContent    Reason = "no_content"    // messages, or the content of one, are not on the span
)

// The reasons why what the span shows is not all that is billed, so that it can be a lower bound.
const (
	ReasonPreviousResponse Reason = "previous_response" // the call continues one that is stored at the provider
	ReasonReasoning        Reason = "reasoning"         // hidden reasoning, most of what reasoning models are paid for
	ReasonJSONSchema       Reason = "json_schema"       // the schema of a JSON answer is part of the prompt and not on the span
	ReasonServerTool       Reason = "server_tool"       // tools that the provider runs itself, such as web search
	ReasonTools            Reason = "tools"             // tools whose definitions are not on the span
	ReasonImage            Reason = "image"             // an image of unknown size, or for a model whose rule is not known
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
	// reasoning model, or where content was cut. An answer that was cut off has a partial count also without it.
	LowerBounds bool
}

// bounded reports whether what there is of content that was cut may be counted. Text that was JSON has more tokens than what
// it meant.
func (c *Call) bounded() bool { return c.LowerBounds && !c.Messages.Broken }

// operations that have a rule: those whose content is a conversation, and those whose content is texts without framing.
var operations = map[string]struct{ conversation, answer bool }{
	semconv.OperationChat:            {conversation: true, answer: true},
	semconv.OperationGenerateContent: {conversation: true, answer: true},
	semconv.OperationTextCompletion:  {answer: true},
	semconv.OperationEmbeddings:      {},
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
	t, reason := input(call, counter)
	if reason != "" {
		return Count{Reason: reason}
	}
	return t.count()
}

func input(call Call, counter Counter) (*tally, Reason) {
	m := call.Messages
	operation, known := operations[call.Span.Operation]
	if reason := cmp.Or(
		when(!known, ReasonOperation),
		when(!call.Model.counts(operation.conversation), ReasonUnknownModel),
		when(m.TruncatedInput && (len(m.Input) == 0 || !call.bounded()), ReasonTruncated),
		when(call.Span.Failed && len(m.Output) == 0, ReasonFailed),
		when(len(m.Input) == 0, ReasonNoContent),
	); reason != "" {
		return nil, reason
	}
	t := newTally(call, counter)
	answer := answerOf(call)
	t.miss(cmp.Or(
		call.Model.lacks,
		when(m.TruncatedInput, ReasonTruncated),
		when(call.Span.Request.PreviousResponse != "", ReasonPreviousResponse),
		when(hasSchema(&call.Span.Request), ReasonJSONSchema),
		when(otherMedia(call.Span.Request.OutputType), ReasonMedia),
		when(answer.serverTool, ReasonServerTool),
		when(len(m.Tools) == 0 && answer.tool, ReasonTools),
	))
	if operation.conversation {
		t.conversation(m)
		t.forced(answer)
	} else {
		t.estimated = operation.answer // of completions there is hardly any recording
		for i := range m.Input {
			t.parts(m.Input[i].Parts, "")
		}
	}
	return t, ""
}

// Output counts the completion tokens of a call. Those of text are an estimate: OpenAI bills between none and two more
// than the text has, for tokens around it, and not always the same number for the same model.
func Output(call Call, counter Counter) Count {
	t, reason := output(call, counter)
	if reason != "" {
		return Count{Reason: reason}
	}
	return t.count()
}

func output(call Call, counter Counter) (*tally, Reason) {
	m := call.Messages
	truncated := m.TruncatedOutput || len(m.Output) > 0 && int64(len(m.Output)) < call.Span.Request.Choices.Value
	operation, known := operations[call.Span.Operation]
	if reason := cmp.Or(
		when(!known || !operation.answer, ReasonOperation),
		when(!call.Model.counts(operation.conversation), ReasonUnknownModel),
		when(truncated && (len(m.Output) == 0 || !call.bounded()), ReasonTruncated),
		when(call.Span.Failed && len(m.Output) == 0, ReasonFailed),
		when(len(m.Output) == 0, ReasonNoContent),
	); reason != "" {
		return nil, reason
	}
	t := newTally(call, counter)
	answer := answerOf(call)
	t.estimated, t.cutOff = true, answer.cutOff
	t.miss(cmp.Or(
		call.Model.lacks,
		when(truncated, ReasonTruncated),
		when(call.Model.kind.reasons() || call.Span.Usage.Reasoning.Value > 0, ReasonReasoning),
		when(otherMedia(call.Span.Request.OutputType), ReasonMedia),
		when(answer.tool && !answer.call, ReasonTools),
	))
	for i := range m.Output {
		t.choice(&m.Output[i])
	}
	return t, ""
}

// hasSchema reports whether the answer is JSON by a schema, or may be. That it is JSON alone adds nothing to the prompt.
func hasSchema(r *genai.Request) bool {
	return strings.HasPrefix(r.OutputType, semconv.OutputTypeJSON) && r.ResponseFormat != "json_object"
}

// otherMedia reports whether an output type is neither text nor JSON.
func otherMedia(outputType string) bool {
	return outputType != "" && outputType != semconv.OutputTypeText && !strings.HasPrefix(outputType, semconv.OutputTypeJSON)
}

// answer is what can be seen of the answer beside its text.
type answer struct {
	cutOff     bool   // there was more of it
	call       bool   // it has a tool call
	tool       bool   // it has one, or ended for one
	serverTool bool   // the provider ran a tool
	forced     string // the name of the only tool that it could call; empty if nothing says so
}

func answerOf(call Call) answer {
	a := answer{cutOff: call.Span.Failed}
	finished := call.Span.FinishReasons()
	for _, choice := range call.Messages.Output {
		finished = append(finished, choice.FinishReason)
		for i := range choice.Parts {
			a.call = a.call || choice.Parts[i].Kind == genai.PartToolCall
			a.serverTool = a.serverTool || choice.Parts[i].Kind == genai.PartServerToolCall
		}
	}
	a.tool = a.call
	a.forced = forcedCall(call.Messages.Output, finished)
	for _, reason := range finished {
		a.cutOff = a.cutOff || cutShort[reason]
		a.tool = a.tool || calledTool[reason]
	}
	return a
}

// forcedCall is the name of the tool that tool_choice named, which a chat shows: an answer that calls only one tool, and ends
// with "stop" rather than "tool_calls".
func forcedCall(output []genai.Message, finished []string) string {
	if len(output) != 1 || len(output[0].Parts) != 1 || output[0].Parts[0].Kind != genai.PartToolCall || !slices.Contains(finished, "stop") {
		return ""
	}
	return output[0].Parts[0].Name
}

func when(condition bool, reason Reason) Reason {
	if condition {
		return reason
	}
	return ""
}
