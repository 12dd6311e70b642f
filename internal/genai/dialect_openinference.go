// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import "github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"

// embeddingPrefix begins the names of the texts that were embedded.
const embeddingPrefix = "embedding.embeddings."

// openInference is Arize's OpenInference.
var openInference = dialect{
	name: "openinference",
	attributes: []attribute{
		// Legacy completions have the kind LLM, too.
		{key: "llm.prompts.0.prompt.text", field: operation, constant: semconv.OperationTextCompletion},
		{key: "openinference.span.kind", field: operation, values: &values{of: map[string]string{
			"LLM":       semconv.OperationChat,
			"EMBEDDING": semconv.OperationEmbeddings,
			"CHAIN":     semconv.OperationInvokeWorkflow,
			"AGENT":     semconv.OperationInvokeAgent,
			"TOOL":      semconv.OperationExecuteTool,
			"RETRIEVER": semconv.OperationRetrieval,
			"RERANKER":  operationRerank,
			"GUARDRAIL": operationGuardrail,
			"EVALUATOR": operationEvaluator,
			"PROMPT":    operationPrompt,
			"UNKNOWN":   operationUnknown,
		}}},
		{key: "llm.provider", field: provider, values: providerNames},
		{key: "llm.system", field: provider, values: providerNames},
		{key: "llm.request.model_name", field: requestModel},
		{key: "llm.input_model_name", field: requestModel},
		{key: "llm.invocation_parameters", path: "model", field: requestModel},
		{key: "embedding.invocation_parameters", path: "model", field: requestModel},
		{key: "llm.response.model_name", field: responseModel},
		{key: "llm.output_model_name", field: responseModel},
		// The model that was asked for, until the answer names another.
		{key: "llm.model_name", field: requestModel},
		{key: "llm.model_name", field: responseModel},
		{key: "embedding.model_name", field: requestModel},
		{key: "embedding.model_name", field: responseModel},
		{key: "llm.token_count.prompt", field: inputTokens},
		{key: "llm.token_count.completion", field: outputTokens},
		{key: "llm.token_count.prompt_details.cache_read", field: cacheReadTokens},
		{key: "llm.token_count.prompt_details.cache_write", field: cacheWriteTokens},
		{key: "llm.token_count.prompt_details.audio", field: audioInputTokens},
		{key: "llm.token_count.completion_details.reasoning", field: reasoningTokens},
		{key: "llm.token_count.completion_details.audio", field: audioOutputTokens},
		{key: "llm.finish_reason", field: finishReasons},
		{key: "llm.invocation_parameters", path: "temperature", field: temperature},
		{key: "llm.invocation_parameters", path: "top_p", field: topP},
		{key: "llm.invocation_parameters", path: "top_k", field: topK},
		{key: "llm.invocation_parameters", path: "frequency_penalty", field: frequencyPenalty},
		{key: "llm.invocation_parameters", path: "presence_penalty", field: presencePenalty},
		{key: "llm.invocation_parameters", path: "max_completion_tokens", field: maxTokens},
		{key: "llm.invocation_parameters", path: "max_output_tokens", field: maxTokens},
		{key: "llm.invocation_parameters", path: "max_tokens", field: maxTokens},
		{key: "llm.invocation_parameters", path: "seed", field: seed},
		{key: "llm.invocation_parameters", path: "n", field: choices},
		{key: "llm.invocation_parameters", path: "stream", field: stream},
		{key: "llm.invocation_parameters", path: "response_format.type", field: outputType, values: outputTypes},
		{key: "llm.invocation_parameters", path: "text.format.type", field: outputType, values: outputTypes},
		{key: "llm.invocation_parameters", path: "response_format.type", field: responseFormat},
		{key: "llm.invocation_parameters", path: "text.format.type", field: responseFormat},
		{key: "llm.invocation_parameters", path: "reasoning_effort", field: reasoningLevel},
		{key: "llm.invocation_parameters", path: "reasoning.effort", field: reasoningLevel},
		{key: "llm.invocation_parameters", path: "previous_response_id", field: previousResponse},
		{key: "llm.prompt_template.name", field: promptName},
		{key: "llm.prompt_template.version", field: promptVersion},
	},
	content: []source{
		{side: inputSide, indexed: &indexed{prefix: "llm.input_messages.", names: openInferenceNames}},
		{side: outputSide, indexed: &indexed{prefix: "llm.output_messages.", names: openInferenceNames}},
		{side: toolsSide, indexed: &indexed{prefix: "llm.tools.", names: map[name]piece{{last: "tool.json_schema"}: toolSchema}}},
		{side: inputSide, indexed: &indexed{
			prefix: embeddingPrefix, role: "user", names: map[name]piece{{last: "embedding.text"}: messageContent},
		}},
		{side: inputSide, indexed: &indexed{
			prefix: "llm.prompts.", role: "user", names: map[name]piece{{last: "prompt.text"}: messageContent},
		}},
		{side: outputSide, indexed: &indexed{
			prefix: "llm.choices.", role: "assistant", names: map[name]piece{{last: "completion.text"}: messageContent},
		}},
		{side: inputSide, key: "input.value"},
		{side: outputSide, key: "output.value"},
	},
}

var openInferenceNames = map[name]piece{
	{last: "message.role"}:                                      messageRole,
	{last: "message.content"}:                                   messageContent,
	{last: "message.name"}:                                      messageName,
	{last: "message.finish_reason"}:                             messageFinishReason,
	{last: "message.tool_call_id"}:                              messageToolCallID,
	{last: "message.function_call_name"}:                        callName,
	{last: "message.function_call_arguments_json"}:              callArguments,
	{"message.tool_calls", "tool_call.id"}:                      callID,
	{"message.tool_calls", "tool_call.function.name"}:           callName,
	{"message.tool_calls", "tool_call.function.arguments"}:      callArguments,
	{"message.contents", "message_content.type"}:                partType,
	{"message.contents", "message_content.text"}:                partText,
	{"message.contents", "message_content.image.image.url"}:     partURL,
	{"message.contents", "message_content.audio.audio.url"}:     partURL,
	{"message.contents", "message_content.image.url"}:           partURL,
	{"message.contents", "message_content.audio.url"}:           partURL,
	{"message.contents", "message_content.file.file.url"}:       partURL,
	{"message.contents", "message_content.video.video.url"}:     partURL,
	{"message.contents", "message_content.audio.mime_type"}:     partMIMEType,
	{"message.contents", "message_content.image.image.id"}:      partFileID,
	{"message.contents", "message_content.file.file.id"}:        partFileID,
	{"message.contents", "message_content.reasoning.reasoning"}: partText,
}
