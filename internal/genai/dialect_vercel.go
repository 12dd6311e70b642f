// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import "github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"

// vercel is the Vercel AI SDK 4 to 6, and LegacyOpenTelemetry in 7; 7 itself writes the current conventions.
var vercel = dialect{
	name: "vercel",
	attributes: []attribute{
		{key: "ai.operationId", field: operation, values: vercelOperations},
		{key: "operation.name", field: operation, values: vercelOperations},
		{key: "ai.operationId", field: aggregate, values: vercelOuter},
		{key: "operation.name", field: aggregate, values: vercelOuter},
		{key: "ai.model.provider", field: provider, values: providerNames},
		{key: "ai.model.id", field: requestModel},
		{key: "ai.response.model", field: responseModel},
		{key: "ai.usage.inputTokens", field: inputTokens},
		{key: "ai.usage.promptTokens", field: inputTokens},
		{key: "ai.usage.tokens", field: inputTokens}, // embeddings
		{key: "ai.usage.outputTokens", field: outputTokens},
		{key: "ai.usage.completionTokens", field: outputTokens},
		{key: "ai.usage.inputTokenDetails.cacheReadTokens", field: cacheReadTokens},
		{key: "ai.usage.cachedInputTokens", field: cacheReadTokens},
		{key: "ai.usage.inputTokenDetails.cacheWriteTokens", field: cacheWriteTokens},
		{key: "ai.usage.outputTokenDetails.reasoningTokens", field: reasoningTokens},
		{key: "ai.usage.reasoningTokens", field: reasoningTokens},
		// What the provider said, where the SDK has no name for it.
		{key: "ai.response.providerMetadata", path: "openai.cachedPromptTokens", field: cacheReadTokens},
		{key: "ai.response.providerMetadata", path: "openai.reasoningTokens", field: reasoningTokens},
		{key: "ai.response.providerMetadata", path: "anthropic.usage.cache_read_input_tokens", field: cacheReadTokens},
		{key: "ai.response.providerMetadata", path: "anthropic.usage.cache_creation_input_tokens", field: cacheWriteTokens},
		{key: "ai.response.providerMetadata", path: "anthropic.cacheReadInputTokens", field: cacheReadTokens},
		{key: "ai.response.providerMetadata", path: "anthropic.cacheCreationInputTokens", field: cacheWriteTokens},
		{key: "ai.response.providerMetadata", path: "bedrock.usage.cacheReadInputTokens", field: cacheReadTokens},
		{key: "ai.response.providerMetadata", path: "bedrock.usage.cacheWriteInputTokens", field: cacheWriteTokens},
		{key: "ai.response.finishReason", field: finishReasons},
		{key: "ai.response.msToFirstChunk", field: timeToFirstChunk, scale: 1e-3},
		{key: "ai.telemetry.metadata.userId", field: user},
		{key: "ai.telemetry.metadata.sessionId", field: conversation},
		{key: "ai.settings.temperature", field: temperature},
		{key: "ai.settings.topP", field: topP},
		{key: "ai.settings.topK", field: topK},
		{key: "ai.settings.frequencyPenalty", field: frequencyPenalty},
		{key: "ai.settings.presencePenalty", field: presencePenalty},
		{key: "ai.settings.maxOutputTokens", field: maxTokens},
		{key: "ai.settings.maxTokens", field: maxTokens},
		{key: "ai.settings.seed", field: seed},
	},
	content: []source{
		{side: inputSide, key: "ai.prompt.messages"},
		{side: inputSide, key: "ai.prompt"},
		{side: inputSide, key: "ai.values", as: quotedTexts},
		{side: inputSide, key: "ai.value", as: quotedTexts},
		{side: inputSide, key: "ai.toolCall.args", as: toolArguments},
		{side: outputSide, key: "ai.response.reasoning", as: reasoningText},
		{side: outputSide, key: "ai.response.text", as: plainText, more: true},
		{side: outputSide, key: "ai.response.object", as: plainText, more: true},
		{side: outputSide, key: "ai.response.toolCalls", as: toolCalls, more: true},
		{side: outputSide, key: "ai.toolCall.result", as: toolResult},
		{side: toolsSide, key: "ai.prompt.tools", as: toolDefinitions},
	},
}

var vercelOperations = &values{of: map[string]string{
	"ai.generateText":              semconv.OperationChat,
	"ai.streamText":                semconv.OperationChat,
	"ai.generateObject":            semconv.OperationChat,
	"ai.streamObject":              semconv.OperationChat,
	"ai.generateText.doGenerate":   semconv.OperationChat,
	"ai.streamText.doStream":       semconv.OperationChat,
	"ai.generateObject.doGenerate": semconv.OperationChat,
	"ai.streamObject.doStream":     semconv.OperationChat,
	"ai.embed":                     semconv.OperationEmbeddings,
	"ai.embedMany":                 semconv.OperationEmbeddings,
	"ai.embed.doEmbed":             semconv.OperationEmbeddings,
	"ai.embedMany.doEmbed":         semconv.OperationEmbeddings,
	"ai.toolCall":                  semconv.OperationExecuteTool,
}}

// vercelOuter are the spans around the steps of a call to the SDK. They repeat the usage of the steps, summed.
var vercelOuter = &values{of: map[string]string{
	"ai.generateText": yes, "ai.streamText": yes, "ai.generateObject": yes, "ai.streamObject": yes,
	"ai.embed": yes, "ai.embedMany": yes,
}}
