// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import "github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"

// otelCurrent is the OpenTelemetry GenAI semantic conventions since 1.37, including the renames that follow 1.41.
var otelCurrent = dialect{
	name: "otel-1.37",
	attributes: []attribute{
		{key: semconv.GenAIOperationName, field: operation, values: operationNames},
		{key: semconv.GenAIProviderName, field: provider},
		{key: semconv.GenAIRequestModel, field: requestModel},
		{key: semconv.GenAIResponseModel, field: responseModel},
		{key: semconv.GenAIConversationID, field: conversation},
		{key: semconv.UserID, field: user},
		{key: semconv.GenAIPromptName, field: promptName},
		{key: semconv.GenAIPromptVersion, field: promptVersion},
		{key: semconv.ErrorType, field: errorType},
		{key: semconv.OpenAIResponseServiceTier, field: serviceTier},
		{key: semconv.GenAIRequestTemperature, field: temperature},
		{key: semconv.GenAIRequestTopP, field: topP},
		{key: semconv.GenAIRequestFrequencyPenalty, field: frequencyPenalty},
		{key: semconv.GenAIRequestPresencePenalty, field: presencePenalty},
		{key: semconv.GenAIRequestTopK, field: topK},
		{key: semconv.GenAIRequestMaxTokens, field: maxTokens},
		{key: semconv.GenAIRequestSeed, field: seed},
		{key: semconv.GenAIRequestChoiceCount, field: choices},
		{key: semconv.GenAIRequestStream, field: stream},
		{key: semconv.GenAIOutputType, field: outputType},
		{key: semconv.GenAIRequestReasoningLevel, field: reasoningLevel},
		{key: semconv.OpenAIAPIType, field: api},
		{key: semconv.GenAIResponseID, field: responseID},
		{key: semconv.GenAIRequestPreviousResponse, field: previousResponse},
		{key: semconv.GenAIResponseFinishReasons, field: finishReasons},
		{key: semconv.GenAIUsageInputTokens, field: inputTokens},
		{key: semconv.GenAIUsageOutputTokens, field: outputTokens},
		{key: semconv.GenAIUsageCacheReadInputTokens, field: cacheReadTokens},
		{key: semconv.GenAIUsageCacheWriteInputTokens, field: cacheWriteTokens},
		{key: semconv.GenAIUsageCacheCreationInputTokens, field: cacheWriteTokens},
		{key: semconv.GenAIUsageReasoningOutputTokens, field: reasoningTokens},
		{key: semconv.GenAIUsageAudioInputTokens, field: audioInputTokens},
		{key: semconv.GenAIUsageAudioOutputTokens, field: audioOutputTokens},
		{key: semconv.GenAIResponseTimeToFirstChunk, field: timeToFirstChunk},
	},
	content: []source{
		{side: systemSide, key: semconv.GenAISystemInstructions, as: systemParts},
		{side: inputSide, key: semconv.GenAIInputMessages},
		{side: outputSide, key: semconv.GenAIOutputMessages},
		{side: toolsSide, key: semconv.GenAIToolDefinitions, as: toolDefinitions},
		{side: inputSide, key: semconv.GenAIToolCallArguments, as: toolArguments},
		{side: outputSide, key: semconv.GenAIToolCallResult, as: toolResult},
		// The event that the conventions define as a log record; some emitters attach it to the span.
		{side: systemSide, events: detailsEvent},
		{side: inputSide, events: detailsEvent},
		{side: outputSide, events: detailsEvent},
		{side: toolsSide, events: detailsEvent},
	},
}

var detailsEvent = map[string]eventReader{"gen_ai.client.inference.operation.details": readDetails}

// otelMessageEvents is the conventions 1.28 to 1.36: gen_ai.system, and one event per message. The events are log records
// in most emitters and beyond the reach of a reader of spans; Azure AI Inference, Strands, LiveKit and others attach them
// to the span.
var otelMessageEvents = dialect{
	name: "otel-1.28",
	attributes: []attribute{
		{key: "gen_ai.system", field: provider, values: providerNames},
		{key: "gen_ai.openai.request.seed", field: seed},
		{key: "gen_ai.openai.request.response_format", field: outputType, values: outputTypes},
		{key: "gen_ai.openai.request.response_format", field: responseFormat},
		{key: "gen_ai.openai.response.service_tier", field: serviceTier},
		{key: "gen_ai.response.finish_reason", field: finishReasons}, // Semantic Kernel
		{key: "spring.ai.chat.client.conversation.id", field: conversation},
		{key: "session.id", field: conversation},
		{key: "enduser.id", field: user},
	},
	content: []source{
		{side: inputSide, events: map[string]eventReader{
			"gen_ai.system.message":    readMessageEvent,
			"gen_ai.user.message":      readMessageEvent,
			"gen_ai.assistant.message": readMessageEvent,
			"gen_ai.tool.message":      readMessageEvent,
		}},
		{side: outputSide, events: map[string]eventReader{"gen_ai.choice": readChoiceEvent}},
	},
}

// otelContentEvents is the conventions up to 1.27: the older names of the token counts, and content as two events. OpenLIT
// and Spring AI wrote it; LangSmith and OpenRouter still write the two content attributes, on the span.
var otelContentEvents = dialect{
	name: "otel-1.27",
	attributes: []attribute{
		{key: "gen_ai.usage.prompt_tokens", field: inputTokens},
		{key: "gen_ai.usage.completion_tokens", field: outputTokens},
	},
	content: []source{
		{side: inputSide, events: map[string]eventReader{"gen_ai.content.prompt": readContentEvent("gen_ai.prompt")}},
		{side: outputSide, events: map[string]eventReader{"gen_ai.content.completion": readContentEvent("gen_ai.completion")}},
		{side: inputSide, key: "gen_ai.prompt"},
		{side: outputSide, key: "gen_ai.completion"},
	},
}
