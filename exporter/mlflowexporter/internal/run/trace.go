// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"crypto/sha256"
	"encoding/json"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Span attributes that MLflow 3.17 reads (mlflow/tracing/constant.py). Lists and objects are JSON.
const (
	attributeInputs   = "mlflow.spanInputs"
	attributeOutputs  = "mlflow.spanOutputs"
	attributeType     = "mlflow.spanType"
	attributeFormat   = "mlflow.message.format"
	attributeTools    = "mlflow.chat.tools"
	attributeUsage    = "mlflow.chat.tokenUsage"
	attributeModel    = "mlflow.llm.model"
	attributeProvider = "mlflow.llm.provider"
	attributeCost     = "mlflow.llm.cost"
	attributeTag      = "mlflow.traceTag." // + name of a trace's tag
)

// spanTypes are MLflow's names for operations.
var spanTypes = map[string]string{
	semconv.OperationChat:            "CHAT_MODEL",
	semconv.OperationTextCompletion:  "LLM",
	semconv.OperationGenerateContent: "LLM",
	semconv.OperationEmbeddings:      "EMBEDDING",
	semconv.OperationExecuteTool:     "TOOL",
	semconv.OperationRetrieval:       "RETRIEVER",
	semconv.OperationInvokeAgent:     "AGENT",
	semconv.OperationInvokeWorkflow:  "WORKFLOW",
}

// TraceIDOf is the id of the trace that stands for one call: always the same for the same span, and none that an
// application has, because MLflow keeps a trace in the experiment that saw it first.
func TraceIDOf(trace pcommon.TraceID, span pcommon.SpanID) pcommon.TraceID {
	sum := sha256.Sum256(append(trace[:], span[:]...))
	return pcommon.TraceID(sum[:16])
}

// Trace fills in the only span of the call's own trace. It carries what MLflow's pages show and nothing else of the span,
// so that content goes nowhere but into inputs and outputs; there it is whole, where a param is cut.
func (b *Builder) Trace(s *Span, to ptrace.Span) {
	call := &s.Call
	to.SetTraceID(TraceIDOf(s.TraceID(), s.SpanID()))
	to.SetSpanID(s.SpanID())
	name := line(call.Operation, maxName)
	if subject := subject(s); subject != "" {
		name = line(name+" "+subject, maxName)
	}
	to.SetName(name)
	to.SetKind(s.Kind())
	to.SetStartTimestamp(s.StartTimestamp())
	to.SetEndTimestamp(max(s.StartTimestamp(), s.EndTimestamp()))
	b.traceStatus(s, to)

	a := attributes{to.Attributes()}
	a.text(attributeType, spanTypes[call.Operation])
	b.conversation(s, a)
	if usage := tokenUsage(call); len(usage) > 0 { // MLflow reads an empty one as zeros
		a.json(attributeUsage, usage)
	}
	a.text(attributeModel, call.Model())
	a.text(attributeProvider, call.Provider)
	if cost, ok := costOf(s); ok {
		a.json(attributeCost, map[string]float64{"total_cost": cost})
	}
	a.text(semconv.GenAIConversationID, call.Conversation)
	a.text(semconv.UserID, call.User)
	requested(s, a)

	a.tag("mlflow.traceName", name)
	a.tag("persona_id", b.Persona(s))
	a.tag("date", b.Date(s))
	a.tag("model", call.Model())
	a.tag("prompt_version", call.PromptVersion)
	a.tag(TagTraceID, s.TraceID().String())
	a.tag(TagSpanID, s.SpanID().String())
	a.tag(tagLinkedPrompts, linkedPrompts(s))
}

// subject is what the operation was done with: the model, or the tool or agent.
func subject(s *Span) string {
	switch s.Call.Operation {
	case semconv.OperationExecuteTool:
		return s.attribute(semconv.GenAIToolName)
	case semconv.OperationInvokeAgent:
		return s.attribute(semconv.GenAIAgentName)
	default:
		return s.Call.Model()
	}
}

// traceStatus takes over the status and the exceptions. Their texts may quote the prompt.
func (b *Builder) traceStatus(s *Span, to ptrace.Span) {
	to.Status().SetCode(s.Status().Code())
	full := b.Content == ContentFull
	if full {
		to.Status().SetMessage(clean(s.Status().Message()))
	}
	for _, event := range s.Events().All() {
		if event.Name() != "exception" {
			continue
		}
		copied := to.Events().AppendEmpty()
		copied.SetName(event.Name())
		copied.SetTimestamp(event.Timestamp())
		for key, value := range event.Attributes().All() {
			if full || key == "exception.type" {
				copied.Attributes().PutStr(clean(key), clean(value.AsString()))
			}
		}
	}
}

// conversation puts in what was said, in the shape of OpenAI's API, which MLflow shows as a chat.
func (b *Builder) conversation(s *Span, a attributes) {
	messages := b.messages(s)
	if b.Content == ContentHash {
		messages = exchange(hash(promptText(messages)), hash(responseText(messages)))
	}
	if in := asInput(messages); len(in.Messages) > 0 {
		a.json(attributeInputs, in)
		a.text(attributeFormat, "openai")
	}
	if out := asOutput(messages); len(out.Choices) > 0 {
		if text := clean(responseText(messages)); text != "" && out.Choices[0].Message.Content == "" {
			out.Output = []chatMessage{{Role: "assistant", Content: text}}
		}
		a.json(attributeOutputs, out)
	}
	if len(messages.Tools) > 0 {
		a.json(attributeTools, asTools(messages.Tools))
	}
}

// tokenUsage has the counts that are known, under MLflow's names.
func tokenUsage(call *genai.Call) map[string]int64 {
	usage := make(map[string]int64)
	add := func(key string, n genai.Optional[int64]) {
		if n.Set {
			usage[key] = n.Value
		}
	}
	add("input_tokens", call.Usage.Input)
	add("output_tokens", call.Usage.Output)
	add("total_tokens", call.Total())
	add("cache_read_input_tokens", call.Usage.CacheRead)
	add("cache_creation_input_tokens", call.Usage.CacheWrite)
	return usage
}

// requested keeps the settings of the request under the names of the conventions.
func requested(s *Span, a attributes) {
	call, r := &s.Call, &s.Call.Request
	a.text(semconv.GenAIOperationName, call.Operation)
	a.text(semconv.GenAIRequestModel, call.RequestModel)
	a.text(semconv.GenAIResponseModel, call.ResponseModel)
	a.float(semconv.GenAIRequestTemperature, r.Temperature)
	a.float(semconv.GenAIRequestTopP, r.TopP)
	a.float(semconv.GenAIRequestFrequencyPenalty, r.FrequencyPenalty)
	a.float(semconv.GenAIRequestPresencePenalty, r.PresencePenalty)
	a.int(semconv.GenAIRequestTopK, r.TopK)
	a.int(semconv.GenAIRequestMaxTokens, r.MaxTokens)
	a.int(semconv.GenAIRequestSeed, r.Seed)
	a.int(semconv.GenAIRequestChoiceCount, r.Choices)
	if r.Stream {
		a.PutBool(semconv.GenAIRequestStream, true)
	}
	a.text(semconv.GenAIOutputType, r.OutputType)
	a.text(semconv.GenAIRequestReasoningLevel, r.ReasoningLevel)
	a.float(semconv.GenAIResponseTimeToFirstChunk, call.TimeToFirstChunk)
	if reasons := call.FinishReasons(); len(reasons) > 0 {
		list := a.PutEmptySlice(semconv.GenAIResponseFinishReasons)
		for _, reason := range reasons {
			list.AppendEmpty().SetStr(clean(reason))
		}
	}
	a.int(semconv.GenAIUsageReasoningOutputTokens, call.Usage.Reasoning)
	a.text(semconv.ErrorType, call.ErrorType)
	a.text(semconv.ServiceName, s.attribute(semconv.ServiceName))
}

// attributes puts in what is known.
type attributes struct{ pcommon.Map }

func (a attributes) text(key, value string) {
	if value != "" {
		a.PutStr(key, clean(value))
	}
}

func (a attributes) tag(key, value string) { a.text(attributeTag+key, line(value, maxTag)) }

func (a attributes) int(key string, n genai.Optional[int64]) {
	if n.Set {
		a.PutInt(key, n.Value)
	}
}

func (a attributes) float(key string, n genai.Optional[float64]) {
	if n.Set {
		a.PutDouble(key, n.Value)
	}
}

func (a attributes) json(key string, value any) {
	a.text(key, jsonText(value))
}

// jsonText is a value as JSON, or nothing for one that has none, such as NaN.
func jsonText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
