// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import "github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"

// Operations of dialects that have more kinds of spans than the conventions have operations. None of them calls a model.
const (
	operationRerank    = "rerank"
	operationGuardrail = "guardrail"
	operationEvaluator = "evaluator"
	operationPrompt    = "prompt"
	operationParser    = "parser"
	operationMemory    = "memory"
	operationUnknown   = "unknown"
)

// aggregates are the operations whose spans sum the model calls below them.
var aggregates = map[string]bool{
	semconv.OperationInvokeAgent:    true, // GenAI conventions, agent spans
	semconv.OperationInvokeWorkflow: true, // GenAI conventions, agent spans
	semconv.OperationPlan:           true, // GenAI conventions, agent spans
	"framework":                     true, // Spring AI's ChatClient and advisors, around the chat span of the model
}

// yes is the value of the field aggregate.
const yes = "yes"

// sums reports whether the call sums calls of other spans, or repeats one, so that it must not be counted.
//
// The Google ADK's call_llm span has the content and no operation name. In newer versions (1.34 has it) a
// generate_content span inside it says the same usage again, from the ADK or from the google-genai instrumentation, in both
// cases with the ADK's event id. The outer one is in every version, so it is the call.
func (f *fields) sums(name string) bool {
	return aggregates[name] || f[aggregate].set() ||
		name == semconv.OperationGenerateContent && f[adkEvent].set() && !f[adkRequest].set()
}

// operationNames are older spellings of gen_ai.operation.name.
var operationNames = &values{open: true, of: map[string]string{
	"embedding":        semconv.OperationEmbeddings, // Spring AI
	"completion":       semconv.OperationTextCompletion,
	"chat.completions": semconv.OperationChat,
	"responses":        semconv.OperationChat,
}}

// providerNames are the values of gen_ai.system before 1.37 and those of other dialects, as values of
// gen_ai.provider.name.
var providerNames = &values{open: true, of: map[string]string{
	"az.ai.openai": semconv.ProviderAzureOpenAI, "az.ai.inference": "azure.ai.inference", "vertex_ai": "gcp.vertex_ai",
	"gemini": "gcp.gemini", "xai": "x_ai",
	// OpenLLMetry
	"OpenAI": semconv.ProviderOpenAI, "Azure": semconv.ProviderAzureOpenAI, "Anthropic": "anthropic", "AWS": "aws.bedrock",
	"Cohere": "cohere", "MistralAI": "mistral_ai", "Groq": "groq", "VertexAI": "gcp.vertex_ai", "Google": "gcp.gen_ai",
	"Watsonx": "ibm.watsonx.ai", "DeepSeek": "deepseek", "Perplexity": "perplexity",
	// OpenInference
	"azure": semconv.ProviderAzureOpenAI, "aws": "aws.bedrock", "google": "gcp.gen_ai", "mistralai": "mistral_ai",
	"mistral": "mistral_ai", "vertexai": "gcp.vertex_ai", "bedrock": "aws.bedrock", "amazon_bedrock": "aws.bedrock",
	// Vercel AI SDK: the provider and its API
	"openai.chat": semconv.ProviderOpenAI, "openai.responses": semconv.ProviderOpenAI,
	"openai.completion": semconv.ProviderOpenAI, "openai.embedding": semconv.ProviderOpenAI,
	"azure-openai.chat": semconv.ProviderAzureOpenAI, "azure.chat": semconv.ProviderAzureOpenAI,
	"azure-openai.responses": semconv.ProviderAzureOpenAI, "azure.responses": semconv.ProviderAzureOpenAI,
	"anthropic.messages": "anthropic", "google.generative-ai": "gcp.gemini", "google.vertex.chat": "gcp.vertex_ai",
	"amazon-bedrock": "aws.bedrock", "mistral.chat": "mistral_ai", "cohere.chat": "cohere", "groq.chat": "groq",
	"xai.chat": "x_ai", "deepseek.chat": "deepseek", "perplexity.chat": "perplexity",
}}

// outputTypes are the response formats of OpenAI's API as values of gen_ai.output.type.
var outputTypes = &values{open: true, of: map[string]string{
	"json_object": semconv.OutputTypeJSON, "json_schema": semconv.OutputTypeJSON,
}}

// finishReasonNames are the reasons of emitters that pass on the words of another API than OpenAI's.
var finishReasonNames = map[string]string{
	"tool-calls": "tool_calls", "content-filter": "content_filter", // Vercel AI SDK
	"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls", "max_tokens": "length", // Anthropic
	"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", // Gemini
	"tool_call": "tool_calls",                          // GenAI conventions, OpenLLMetry
	"completed": "stop", "max_output_tokens": "length", // OpenAI's Responses API
}

// implied holds what a span without any kind or operation must be, by what it carries: the least certain of all.
var implied = dialect{
	name: "implied",
	attributes: []attribute{
		{key: semconv.GenAIToolName, field: operation, constant: semconv.OperationExecuteTool},
		{key: semconv.GenAIToolCallID, field: operation, constant: semconv.OperationExecuteTool},
		{key: semconv.GenAIToolCallArguments, field: operation, constant: semconv.OperationExecuteTool},
		// Pydantic AI up to version 3: the span of an agent's run sums the usage of its model calls.
		{key: "pydantic_ai.all_messages", field: operation, constant: semconv.OperationInvokeAgent},
		{key: "all_messages_events", field: operation, constant: semconv.OperationInvokeAgent},
		{key: "agent_name", field: operation, constant: semconv.OperationInvokeAgent},
		{key: semconv.GenAIAgentName, field: operation, constant: semconv.OperationInvokeAgent},
		{key: "embedding.model_name", field: operation, constant: semconv.OperationEmbeddings},
		{key: semconv.GenAIRequestModel, field: operation, constant: semconv.OperationChat},
		{key: semconv.GenAIResponseModel, field: operation, constant: semconv.OperationChat},
		{key: "llm.model_name", field: operation, constant: semconv.OperationChat},
		{key: "llm.request.model", field: operation, constant: semconv.OperationChat},
		{key: "ai.model.id", field: operation, constant: semconv.OperationChat},
		{key: "langfuse.observation.model.name", field: operation, constant: semconv.OperationChat},
		{key: "mlflow.llm.model", field: operation, constant: semconv.OperationChat},
		{key: semconv.GenAIUsageInputTokens, field: operation, constant: semconv.OperationChat},
		{key: semconv.GenAIUsageOutputTokens, field: operation, constant: semconv.OperationChat},
		{key: "gen_ai.usage.prompt_tokens", field: operation, constant: semconv.OperationChat},
		{key: "gen_ai.usage.completion_tokens", field: operation, constant: semconv.OperationChat},
		{key: "llm.token_count.prompt", field: operation, constant: semconv.OperationChat},
		{key: "llm.token_count.completion", field: operation, constant: semconv.OperationChat},
		{key: "mlflow.chat.tokenUsage", field: operation, constant: semconv.OperationChat},
		{key: "langfuse.observation.usage_details", field: operation, constant: semconv.OperationChat},
		{key: semconv.GenAIInputMessages, field: operation, constant: semconv.OperationChat},
		{key: semconv.GenAIOutputMessages, field: operation, constant: semconv.OperationChat},
		{key: "gen_ai.prompt", field: operation, constant: semconv.OperationChat},
		{key: "gen_ai.completion", field: operation, constant: semconv.OperationChat},
	},
}
