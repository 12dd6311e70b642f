// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Optional is a value, or nothing where the span does not say. The zero Optional is nothing; a zero that was reported is
// a value.
type Optional[T any] struct {
	Value T
	Set   bool
}

// Some is the Optional that holds v.
func Some[T any](v T) Optional[T] { return Optional[T]{Value: v, Set: true} }

// Call is what a span says about one GenAI operation. It refers to the span that it was read from and is valid as long
// as that span is neither changed nor released.
type Call struct {
	// Operation is the gen_ai.operation.name, such as "chat" or "execute_tool". Never empty.
	Operation string
	// Aggregate is true for a span that sums the calls below it, such as invoke_agent: its numbers are already counted
	// elsewhere.
	Aggregate bool

	Provider      string // such as "openai", empty if unknown
	RequestModel  string // the model that was asked for
	ResponseModel string // the model that answered, such as a dated version of the one asked for
	Persona       string // empty if no persona attribute is set on span, scope or resource
	Conversation  string
	User          string
	PromptName    string
	PromptVersion string
	ErrorType     string // low-cardinality class of the error, empty for a call that succeeded
	ServiceTier   string // the tier that served the call
	API           string // which of OpenAI's APIs, as semconv.APITypeResponses; empty if the span does not say
	ResponseID    string // the provider's id of the answer
	Failed        bool   // the span's status is an error, or it has an error type

	Request Request
	Usage   Usage
	// TimeToFirstChunk is the time from the request to the first chunk of a streamed answer, in seconds.
	TimeToFirstChunk Optional[float64]

	reader     *Reader
	span       ptrace.Span
	finish     pcommon.Value
	finishText string // where the reason does not stand in an attribute of its own
}

// Request is what the caller asked for beside the model and the messages.
type Request struct {
	Temperature      Optional[float64]
	TopP             Optional[float64]
	FrequencyPenalty Optional[float64]
	PresencePenalty  Optional[float64]
	TopK             Optional[int64]
	MaxTokens        Optional[int64]
	Seed             Optional[int64]
	Choices          Optional[int64] // absent means one
	Stream           bool
	OutputType       string // "text", "json", …; empty if not asked for
	ResponseFormat   string // the same in the words of OpenAI's API, such as "json_object" or "json_schema"
	ReasoningLevel   string // the provider's own word, such as "low"
	PreviousResponse string // id of the stored response that the call continues, empty if it continues none
}

// Usage is the token counts of a call. CacheRead, CacheWrite and AudioInput are part of Input, Reasoning and AudioOutput
// are part of Output.
type Usage struct {
	Input       Optional[int64]
	Output      Optional[int64]
	CacheRead   Optional[int64]
	CacheWrite  Optional[int64]
	Reasoning   Optional[int64]
	AudioInput  Optional[int64]
	AudioOutput Optional[int64]
}

// Total is input plus output where both are known, and input alone for embeddings, which have no output.
func (c *Call) Total() Optional[int64] {
	switch {
	case c.Usage.Input.Set && c.Usage.Output.Set:
		return Some(c.Usage.Input.Value + c.Usage.Output.Value)
	case c.Operation == semconv.OperationEmbeddings:
		return c.Usage.Input
	}
	return Optional[int64]{}
}

// Model is the model that was asked for, or the one that answered where the span names no other.
func (c *Call) Model() string {
	if c.RequestModel != "" {
		return c.RequestModel
	}
	return c.ResponseModel
}

// FinishReasons has one reason per choice, in the order of the choices and in the words of OpenAI's API and the
// conventions; nil where the span carries none.
func (c *Call) FinishReasons() []string {
	if c.finishText != "" {
		return []string{finishReason(c.finishText)}
	}
	switch c.finish.Type() {
	case pcommon.ValueTypeSlice:
		values := c.finish.Slice()
		reasons := make([]string, values.Len())
		for i := range reasons {
			text, _ := textOf(values.At(i))
			reasons[i] = finishReason(text)
		}
		return reasons
	case pcommon.ValueTypeStr:
		return finishReasonList(c.finish.Str())
	default:
		return nil
	}
}

// finishReasonList reads a single reason, or a list of them as JSON.
func finishReasonList(text string) []string {
	list, ok := parse(text)
	if !ok || !list.isArray() {
		return []string{finishReason(unquote(text))}
	}
	var reasons []string
	list.each(func(_ string, reason value) {
		reasons = append(reasons, finishReason(reason.text()))
	})
	return reasons
}

func finishReason(word string) string {
	if name, ok := finishReasonNames[word]; ok {
		return name
	}
	return word
}

// CutOff says whether the answer ended before the model was done, so that what the span shows of it is only a part: a
// choice has the finish reason "error".
func (c *Call) CutOff() bool {
	if c.finish.Type() != pcommon.ValueTypeSlice {
		return c.finishText == semconv.FinishReasonError ||
			c.finish.Type() == pcommon.ValueTypeStr && c.finish.Str() == semconv.FinishReasonError
	}
	values := c.finish.Slice()
	for i := range values.Len() {
		if v := values.At(i); v.Type() == pcommon.ValueTypeStr && v.Str() == semconv.FinishReasonError {
			return true
		}
	}
	return false
}
