// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// A field is a fact about a call that an attribute can carry.
type field uint8

const (
	operation field = iota
	provider
	requestModel
	responseModel
	conversation
	user
	promptName
	promptVersion
	errorType
	serviceTier
	temperature
	topP
	frequencyPenalty
	presencePenalty
	topK
	maxTokens
	seed
	choices
	stream
	outputType
	reasoningLevel
	finishReasons
	inputTokens
	outputTokens
	cacheReadTokens
	cacheWriteTokens
	reasoningTokens
	timeToFirstChunk
	outputContent // only whether there is any: content is parsed on request
	numFields
)

// A dialect is the set of names that one family of emitters uses.
type dialect struct {
	name string
	// attributes in order of preference: where two name the same field, the first that is set wins.
	attributes []attribute
	// messages fills those parts of m that are still nil from the span's attributes or events.
	messages func(span ptrace.Span, m *Messages)
}

type attribute struct {
	key   string
	field field
}

// dialects in order of precedence. To add one, append its table; nothing else changes.
var dialects = []dialect{otelCurrent}

// otelCurrent is the OpenTelemetry GenAI semantic conventions since 1.37, including the renames that follow 1.41.
var otelCurrent = dialect{
	name: "otel-1.37",
	attributes: []attribute{
		{semconv.GenAIOperationName, operation},
		{semconv.GenAIProviderName, provider},
		{semconv.GenAIRequestModel, requestModel},
		{semconv.GenAIResponseModel, responseModel},
		{semconv.GenAIConversationID, conversation},
		{semconv.UserID, user},
		{semconv.GenAIPromptName, promptName},
		{semconv.GenAIPromptVersion, promptVersion},
		{semconv.ErrorType, errorType},
		{semconv.OpenAIResponseServiceTier, serviceTier},
		{semconv.GenAIRequestTemperature, temperature},
		{semconv.GenAIRequestTopP, topP},
		{semconv.GenAIRequestFrequencyPenalty, frequencyPenalty},
		{semconv.GenAIRequestPresencePenalty, presencePenalty},
		{semconv.GenAIRequestTopK, topK},
		{semconv.GenAIRequestMaxTokens, maxTokens},
		{semconv.GenAIRequestSeed, seed},
		{semconv.GenAIRequestChoiceCount, choices},
		{semconv.GenAIRequestStream, stream},
		{semconv.GenAIOutputType, outputType},
		{semconv.GenAIRequestReasoningLevel, reasoningLevel},
		{semconv.GenAIResponseFinishReasons, finishReasons},
		{semconv.GenAIUsageInputTokens, inputTokens},
		{semconv.GenAIUsageOutputTokens, outputTokens},
		{semconv.GenAIUsageCacheReadInputTokens, cacheReadTokens},
		{semconv.GenAIUsageCacheWriteInputTokens, cacheWriteTokens},
		{semconv.GenAIUsageCacheCreationInputTokens, cacheWriteTokens},
		{semconv.GenAIUsageReasoningOutputTokens, reasoningTokens},
		{semconv.GenAIResponseTimeToFirstChunk, timeToFirstChunk},
		{semconv.GenAIOutputMessages, outputContent},
	},
	messages: otelMessages,
}

// aggregates are the operations whose spans sum the model calls below them (GenAI conventions, agent spans).
var aggregates = map[string]bool{
	semconv.OperationInvokeAgent:    true,
	semconv.OperationInvokeWorkflow: true,
	semconv.OperationPlan:           true,
}
