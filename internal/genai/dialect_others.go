// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import "github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"

// langSmith is LangSmith's OTel export. Its content is in the attributes of the conventions up to 1.27.
var langSmith = dialect{
	name: "langsmith",
	attributes: []attribute{
		{key: "langsmith.span.kind", field: operation, values: &values{of: map[string]string{
			"llm":       semconv.OperationChat,
			"chain":     semconv.OperationInvokeWorkflow,
			"tool":      semconv.OperationExecuteTool,
			"retriever": semconv.OperationRetrieval,
			"embedding": semconv.OperationEmbeddings,
			"prompt":    operationPrompt,
			"parser":    operationParser,
		}}},
		{key: "gen_ai.usage.input_token_details", path: "cache_read", field: cacheReadTokens},
		{key: "gen_ai.usage.input_token_details", path: "cache_creation", field: cacheWriteTokens},
		{key: "gen_ai.usage.input_token_details", path: "audio", field: audioInputTokens},
		{key: "gen_ai.usage.output_token_details", path: "reasoning", field: reasoningTokens},
		{key: "gen_ai.usage.output_token_details", path: "audio", field: audioOutputTokens},
		{key: "langsmith.metadata.thread_id", field: conversation},
		{key: "langsmith.metadata.session_id", field: conversation},
		{key: "langsmith.metadata.conversation_id", field: conversation},
		{key: "langsmith.metadata.user_id", field: user},
	},
}

// pydanticAI is Pydantic AI and Logfire where they go beyond the conventions. The span of an agent's run repeats the usage
// of its model calls.
var pydanticAI = dialect{
	name: "pydantic-ai",
	attributes: []attribute{
		{key: "gen_ai.aggregated_usage.input_tokens", field: aggregate, constant: yes},
		{key: "gen_ai.aggregated_usage.output_tokens", field: aggregate, constant: yes},
		{key: "pydantic_ai.all_messages", field: aggregate, constant: yes},
		{key: "all_messages_events", field: aggregate, constant: yes},
		{key: "gen_ai.usage.details.cache_read_tokens", field: cacheReadTokens},
		{key: "gen_ai.usage.details.cached_tokens", field: cacheReadTokens},
		{key: "gen_ai.usage.details.cache_write_tokens", field: cacheWriteTokens},
		{key: "gen_ai.usage.details.reasoning_tokens", field: reasoningTokens},
		{key: "gen_ai.usage.details.input_audio_tokens", field: audioInputTokens},
		{key: "gen_ai.usage.details.output_audio_tokens", field: audioOutputTokens},
		{key: "request_data", path: "model", field: requestModel},
	},
	content: []source{
		{side: inputSide, key: "pydantic_ai.all_messages"},
		{side: inputSide, key: "all_messages_events", as: eventList},
		{side: outputSide, key: "final_result", as: plainText},
		{side: inputSide, key: "events", as: eventList},
		{side: outputSide, key: "events", as: eventList},
		{side: inputSide, key: "request_data"},
		{side: outputSide, key: "response_data"},
	},
}

// mlflowTracing is MLflow's own tracing, exported by OTLP. Its attributes are JSON, strings included.
var mlflowTracing = dialect{
	name: "mlflow",
	attributes: []attribute{
		{key: "mlflow.spanType", field: operation, values: &values{of: map[string]string{
			"CHAT_MODEL": semconv.OperationChat,
			"LLM":        semconv.OperationChat,
			"EMBEDDING":  semconv.OperationEmbeddings,
			"TOOL":       semconv.OperationExecuteTool,
			"AGENT":      semconv.OperationInvokeAgent,
			"CHAIN":      semconv.OperationInvokeWorkflow,
			"WORKFLOW":   semconv.OperationInvokeWorkflow,
			"TASK":       semconv.OperationInvokeWorkflow,
			"RETRIEVER":  semconv.OperationRetrieval,
			"RERANKER":   operationRerank,
			"PARSER":     operationParser,
			"MEMORY":     operationMemory,
			"GUARDRAIL":  operationGuardrail,
			"EVALUATOR":  operationEvaluator,
		}}},
		{key: "mlflow.llm.model", field: requestModel},
		{key: "mlflow.llm.provider", field: provider, values: providerNames},
		{key: "mlflow.chat.tokenUsage", path: "input_tokens", field: inputTokens},
		{key: "mlflow.chat.tokenUsage", path: "output_tokens", field: outputTokens},
		{key: "mlflow.chat.tokenUsage", path: "cache_read_input_tokens", field: cacheReadTokens},
		{key: "mlflow.chat.tokenUsage", path: "cache_creation_input_tokens", field: cacheWriteTokens},
		{key: "mlflow.spanInputs", path: "model", field: modelInInput},
		{key: "mlflow.trace.session", field: conversation},
		{key: "mlflow.trace.user", field: user},
	},
	content: []source{
		{side: inputSide, key: "mlflow.spanInputs"},
		{side: outputSide, key: "mlflow.spanOutputs"},
		{side: toolsSide, key: "mlflow.chat.tools", as: toolDefinitions},
	},
}

// langfuse is the Langfuse SDK. Its usage is a set of buckets that are added up: "input" is what is in no other bucket
// whose name begins with input_, while input_tokens and prompt_tokens are OpenAI's and Anthropic's own totals.
var langfuse = dialect{
	name: "langfuse",
	attributes: []attribute{
		{key: "langfuse.observation.type", field: operation, values: &values{of: map[string]string{
			"generation": semconv.OperationChat,
			"embedding":  semconv.OperationEmbeddings,
			"tool":       semconv.OperationExecuteTool,
			"agent":      semconv.OperationInvokeAgent,
			"chain":      semconv.OperationInvokeWorkflow,
			"retriever":  semconv.OperationRetrieval,
			"guardrail":  operationGuardrail,
			"evaluator":  operationEvaluator,
		}}},
		{key: "langfuse.observation.model.name", field: requestModel},
		{key: "langfuse.observation.usage_details", path: "input", field: inputTokens},
		{key: "langfuse.observation.usage_details", path: "input_cached_tokens", field: inputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "input_cache_read", field: inputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "input_cache_creation", field: inputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "input_audio_tokens", field: inputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "input_audio", field: inputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "cache_read_input_tokens", field: inputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "cache_creation_input_tokens", field: inputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "output", field: outputTokens},
		{key: "langfuse.observation.usage_details", path: "output_reasoning_tokens", field: outputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "output_reasoning", field: outputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "output_audio_tokens", field: outputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "output_audio", field: outputTokens, plus: true},
		{key: "langfuse.observation.usage_details", path: "input_tokens", field: inputTokens},
		{key: "langfuse.observation.usage_details", path: "prompt_tokens", field: inputTokens},
		{key: "langfuse.observation.usage_details", path: "output_tokens", field: outputTokens},
		{key: "langfuse.observation.usage_details", path: "completion_tokens", field: outputTokens},
		{key: "langfuse.observation.usage_details", path: "input_cached_tokens", field: cacheReadTokens},
		{key: "langfuse.observation.usage_details", path: "input_cache_read", field: cacheReadTokens},
		{key: "langfuse.observation.usage_details", path: "cache_read_input_tokens", field: cacheReadTokens},
		{key: "langfuse.observation.usage_details", path: "prompt_tokens_details.cached_tokens", field: cacheReadTokens},
		{key: "langfuse.observation.usage_details", path: "input_tokens_details.cached_tokens", field: cacheReadTokens},
		{key: "langfuse.observation.usage_details", path: "input_cache_creation", field: cacheWriteTokens},
		{key: "langfuse.observation.usage_details", path: "cache_creation_input_tokens", field: cacheWriteTokens},
		{key: "langfuse.observation.usage_details", path: "output_reasoning_tokens", field: reasoningTokens},
		{key: "langfuse.observation.usage_details", path: "output_reasoning", field: reasoningTokens},
		{key: "langfuse.observation.usage_details", path: "completion_tokens_details.reasoning_tokens", field: reasoningTokens},
		{key: "langfuse.observation.usage_details", path: "output_tokens_details.reasoning_tokens", field: reasoningTokens},
		{key: "langfuse.observation.model_parameters", path: "temperature", field: temperature},
		{key: "langfuse.observation.model_parameters", path: "top_p", field: topP},
		{key: "langfuse.observation.model_parameters", path: "max_completion_tokens", field: maxTokens},
		{key: "langfuse.observation.model_parameters", path: "max_tokens", field: maxTokens},
		{key: "langfuse.observation.model_parameters", path: "seed", field: seed},
		{key: "langfuse.observation.prompt.name", field: promptName},
		{key: "langfuse.observation.prompt.version", field: promptVersion},
		{key: "langfuse.prompt.name", field: promptName},
		{key: "langfuse.prompt.version", field: promptVersion},
		{key: "langfuse.session.id", field: conversation},
		{key: "langfuse.user.id", field: user},
	},
	content: []source{
		{side: inputSide, key: "langfuse.observation.input"},
		{side: outputSide, key: "langfuse.observation.output"},
	},
}

// googleADK is Google's Agent Development Kit. The model's answer counts thoughts apart from what is shown.
var googleADK = dialect{
	name: "google-adk",
	attributes: []attribute{
		{key: "gcp.vertex.agent.event_id", field: adkEvent, constant: yes},
		{key: "gcp.vertex.agent.llm_request", field: adkRequest, constant: yes},
		{key: "gcp.vertex.agent.tool_call_args", field: operation, constant: semconv.OperationExecuteTool},
		{key: "gcp.vertex.agent.session_id", field: conversation},
		{key: "gcp.vertex.agent.llm_response", path: "model_version", field: responseModel},
		{key: "gcp.vertex.agent.llm_response", path: "usage_metadata.prompt_token_count", field: inputTokens},
		{key: "gcp.vertex.agent.llm_response", path: "usage_metadata.candidates_token_count", field: outputTokens},
		{key: "gcp.vertex.agent.llm_response", path: "usage_metadata.thoughts_token_count", field: outputTokens, plus: true},
		{key: "gcp.vertex.agent.llm_response", path: "usage_metadata.cached_content_token_count", field: cacheReadTokens},
		{key: "gcp.vertex.agent.llm_response", path: "usage_metadata.thoughts_token_count", field: reasoningTokens},
		{key: "gen_ai.usage.experimental.reasoning_tokens", field: reasoningTokens},
	},
	content: []source{
		{side: inputSide, key: "gcp.vertex.agent.tool_call_args", as: toolArguments},
		{side: outputSide, key: "gcp.vertex.agent.tool_response", as: toolResult},
		{side: inputSide, key: "gcp.vertex.agent.llm_request"},
		{side: outputSide, key: "gcp.vertex.agent.llm_response"},
	},
}

// genkit is Firebase Genkit. Only the actions of the subtype model call one; flows and prompts are around them.
var genkit = dialect{
	name: "genkit",
	attributes: []attribute{
		{key: "genkit:metadata:subtype", field: operation, values: &values{of: map[string]string{
			"model":    semconv.OperationChat,
			"embedder": semconv.OperationEmbeddings,
			"tool":     semconv.OperationExecuteTool,
			"flow":     semconv.OperationInvokeWorkflow,
			"prompt":   operationPrompt,
		}}},
		{key: "genkit:name", field: requestModel},
		{key: "genkit:output", path: "usage.inputTokens", field: inputTokens},
		{key: "genkit:output", path: "usage.outputTokens", field: outputTokens},
		{key: "genkit:output", path: "usage.cachedContentTokens", field: cacheReadTokens},
		{key: "genkit:output", path: "usage.thoughtsTokens", field: reasoningTokens},
		{key: "genkit:output", path: "finishReason", field: finishReasons},
		{key: "genkit:input", path: "config.temperature", field: temperature},
		{key: "genkit:input", path: "config.maxOutputTokens", field: maxTokens},
	},
	content: []source{
		{side: inputSide, key: "genkit:input"},
		{side: outputSide, key: "genkit:output"},
	},
}

// spanTypes are the values of span.type, which Claude Code and VoltAgent use.
var spanTypes = &values{of: map[string]string{
	"claude_code.llm_request": semconv.OperationChat, "llm_request": semconv.OperationChat,
	"claude_code.interaction": semconv.OperationInvokeAgent, "interaction": semconv.OperationInvokeAgent,
	"claude_code.tool": semconv.OperationExecuteTool,
	"llm":              semconv.OperationChat,
	"agent":            semconv.OperationInvokeAgent,
	"tool":             semconv.OperationExecuteTool,
	"memory":           operationMemory,
}}

// claudeCode is Claude Code and the Claude Agent SDK. Its input count leaves out what came from or went to the cache.
var claudeCode = dialect{
	name: "claude-code",
	attributes: []attribute{
		{key: "span.type", field: operation, values: spanTypes},
		{key: "span.type", field: provider, values: &values{of: map[string]string{
			"claude_code.llm_request": "anthropic", "llm_request": "anthropic",
		}}},
		{key: "input_tokens", field: inputTokens, withoutCache: true},
		{key: "output_tokens", field: outputTokens},
		{key: "cache_read_tokens", field: cacheReadTokens},
		{key: "cache_creation_tokens", field: cacheWriteTokens},
		{key: "model", field: requestModel},
		{key: "ttft_ms", field: timeToFirstChunk, scale: 1e-3},
	},
	content: []source{
		{side: inputSide, key: "new_context"},
		{side: outputSide, key: "response.model_output"},
		{side: inputSide, key: "user_prompt", as: plainText},
		{side: inputSide, key: "tool_input", as: toolArguments},
	},
}

// voltAgent is VoltAgent. entity.type is inherited from the agent, so it counts only where span.type is absent.
var voltAgent = dialect{
	name: "voltagent",
	attributes: []attribute{
		{key: "entity.type", field: operation, values: &values{of: map[string]string{
			"agent": semconv.OperationInvokeAgent, "workflow": semconv.OperationInvokeWorkflow,
		}}},
		{key: "llm.model", field: requestModel},
		{key: "usage.prompt_tokens", field: inputTokens},
		{key: "usage.completion_tokens", field: outputTokens},
		{key: "usage.cached_tokens", field: cacheReadTokens},
		{key: "usage.reasoning_tokens", field: reasoningTokens},
		{key: "voltagent.conversation_id", field: conversation},
	},
	content: []source{
		{side: inputSide, key: "llm.messages"},
		{side: inputSide, key: "agent.messages"},
		{side: inputSide, key: "input"},
		{side: outputSide, key: "output"},
	},
}

// liveKit is LiveKit Agents. The span of a request to a model has the conventions' attributes and events.
var liveKit = dialect{
	name: "livekit",
	attributes: []attribute{
		{key: "lk.function_tool.output", field: operation, constant: semconv.OperationExecuteTool},
		{key: "lk.function_tool.name", field: operation, constant: semconv.OperationExecuteTool},
		{key: "lk.response.ttft", field: timeToFirstChunk},
	},
	content: []source{
		{side: inputSide, key: "lk.function_tool.arguments", as: toolArguments},
		{side: outputSide, key: "lk.function_tool.output", as: toolResult},
		{side: inputSide, key: "lk.chat_ctx"},
		{side: inputSide, key: "lk.user_input", as: plainText},
		{side: outputSide, key: "lk.response.text", as: plainText},
		{side: outputSide, key: "lk.response.function_calls", as: toolCalls, more: true},
	},
}

// braintrust is Braintrust's SDKs.
var braintrust = dialect{
	name: "braintrust",
	attributes: []attribute{
		{key: "braintrust.span_attributes", path: "type", field: operation, values: &values{of: map[string]string{
			"llm":      semconv.OperationChat,
			"tool":     semconv.OperationExecuteTool,
			"task":     semconv.OperationInvokeWorkflow,
			"eval":     operationEvaluator,
			"score":    operationEvaluator,
			"function": semconv.OperationInvokeWorkflow,
		}}},
		{key: "braintrust.metadata", path: "model", field: requestModel},
		{key: "braintrust.metadata", path: "provider", field: provider, values: providerNames},
		{key: "braintrust.metadata", path: "temperature", field: temperature},
		{key: "braintrust.metrics", path: "prompt_tokens", field: inputTokens},
		{key: "braintrust.metrics", path: "completion_tokens", field: outputTokens},
		{key: "braintrust.metrics", path: "prompt_cached_tokens", field: cacheReadTokens},
		{key: "braintrust.metrics", path: "prompt_cache_creation_tokens", field: cacheWriteTokens},
		{key: "braintrust.metrics", path: "completion_reasoning_tokens", field: reasoningTokens},
		{key: "braintrust.metrics", path: "time_to_first_token", field: timeToFirstChunk},
	},
	content: []source{
		{side: inputSide, key: "braintrust.input_json"},
		{side: outputSide, key: "braintrust.output_json"},
		{side: inputSide, key: "braintrust.input"},
		{side: outputSide, key: "braintrust.output"},
	},
}

// goCompileTime is OpenTelemetry's compile-time instrumentation of openai-go, where it leaves the conventions. It writes a
// usage of zero for a stream that carried none.
var goCompileTime = dialect{
	name:       "go-compile-time",
	attributes: []attribute{{key: "gen_ai.request.is_stream", field: stream}},
}
