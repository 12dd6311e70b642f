// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import "github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"

// openLLMetry is Traceloop's OpenLLMetry. Since 0.53 it writes the current conventions with a few names of its own;
// before, and in its Go SDK, it wrote indexed attributes.
var openLLMetry = dialect{
	name: "openllmetry",
	attributes: []attribute{
		{key: "llm.request.type", field: operation, values: &values{of: map[string]string{
			"chat":       semconv.OperationChat,
			"completion": semconv.OperationTextCompletion,
			"embedding":  semconv.OperationEmbeddings,
			"rerank":     operationRerank,
		}}},
		// The decorators @workflow, @task, @agent and @tool: spans around calls.
		{key: "traceloop.span.kind", field: operation, values: &values{of: map[string]string{
			"workflow": semconv.OperationInvokeWorkflow,
			"task":     semconv.OperationInvokeWorkflow,
			"agent":    semconv.OperationInvokeAgent,
			"tool":     semconv.OperationExecuteTool,
		}}},
		{key: "llm.vendor", field: provider, values: providerNames},
		{key: "llm.request.model", field: requestModel},
		{key: "llm.response.model", field: responseModel},
		{key: "gen_ai.usage.cache_read_input_tokens", field: cacheReadTokens},
		{key: "gen_ai.usage.cache_creation_input_tokens", field: cacheWriteTokens},
		{key: "gen_ai.usage.reasoning_tokens", field: reasoningTokens},
		{key: "llm.usage.reasoning_tokens", field: reasoningTokens},
		{key: "llm.usage.prompt_tokens", field: inputTokens},
		{key: "llm.usage.completion_tokens", field: outputTokens},
		{key: "gen_ai.is_streaming", field: stream},
		{key: "llm.is_streaming", field: stream},
		{key: "gen_ai.request.reasoning_effort", field: reasoningLevel},
		{key: "llm.request.reasoning_effort", field: reasoningLevel},
		{key: "gen_ai.request.structured_output_schema", field: outputType, constant: semconv.OutputTypeJSON},
		{key: "gen_ai.user", field: user},
		{key: "llm.user", field: user},
		{key: "traceloop.association.properties.user_id", field: user},
		{key: "traceloop.association.properties.session_id", field: conversation},
		{key: "traceloop.prompt.key", field: promptName},
		{key: "traceloop.prompt.version", field: promptVersion},
		{key: "gen_ai.completion.0.finish_reason", field: finishReasons},
		{key: "llm.completions.0.finish_reason", field: finishReasons},
	},
	content: []source{
		{side: inputSide, indexed: &indexed{prefix: "gen_ai.prompt.", names: openLLMetryNames}},
		{side: outputSide, indexed: &indexed{prefix: "gen_ai.completion.", names: openLLMetryNames}},
		{side: toolsSide, indexed: &indexed{prefix: "llm.request.functions.", names: map[name]piece{
			{last: "name"}: toolName, {last: "description"}: toolDescription, {last: "parameters"}: toolParameters,
		}}},
		{side: inputSide, indexed: &indexed{prefix: "llm.prompts.", names: openLLMetryNames}},
		{side: outputSide, indexed: &indexed{prefix: "llm.completions.", names: openLLMetryNames}},
		{side: inputSide, key: "traceloop.entity.input"},
		{side: outputSide, key: "traceloop.entity.output"},
	},
}

var openLLMetryNames = map[name]piece{
	{last: "role"}:                    messageRole,
	{last: "content"}:                 messageContent,
	{last: "user"}:                    messageContent, // the Go SDK's text completions
	{last: "name"}:                    messageName,
	{last: "reasoning"}:               messageReasoning,
	{last: "refusal"}:                 messageRefusal,
	{last: "finish_reason"}:           messageFinishReason,
	{last: "tool_call_id"}:            messageToolCallID,
	{last: "function_call.name"}:      callName,
	{last: "function_call.arguments"}: callArguments,
	{"tool_calls", "id"}:              callID,
	{"tool_calls", "name"}:            callName,
	{"tool_calls", "arguments"}:       callArguments,
}
