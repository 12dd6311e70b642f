// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package semconv names every span attribute and enum value that the parts of otelcol-mlflow exchange, once.
//
// The names under gen_ai and openai are those of the OpenTelemetry GenAI semantic conventions 1.41, the last release of
// the core registry that carries them (https://opentelemetry.io/schemas/1.41.0); a test holds them to the Go package of
// that release. Names newer than that release are marked so. The constants are untyped strings because both sides of
// the wire use them: the OpenTelemetry API takes a string or an attribute.Key, pdata takes a string.
package semconv

// GenAI call attributes.
const (
	GenAIOperationName      = "gen_ai.operation.name"
	GenAIProviderName       = "gen_ai.provider.name"
	GenAIConversationID     = "gen_ai.conversation.id"
	GenAIOutputType         = "gen_ai.output.type"
	GenAIInputMessages      = "gen_ai.input.messages"
	GenAIOutputMessages     = "gen_ai.output.messages"
	GenAISystemInstructions = "gen_ai.system_instructions"
	GenAIToolDefinitions    = "gen_ai.tool.definitions"
	GenAIPromptName         = "gen_ai.prompt.name"
	GenAIPromptVersion      = "gen_ai.prompt.version" // newer than 1.41

	GenAIRequestModel            = "gen_ai.request.model"
	GenAIRequestChoiceCount      = "gen_ai.request.choice.count"
	GenAIRequestFrequencyPenalty = "gen_ai.request.frequency_penalty"
	GenAIRequestMaxTokens        = "gen_ai.request.max_tokens"
	GenAIRequestPresencePenalty  = "gen_ai.request.presence_penalty"
	GenAIRequestReasoningLevel   = "gen_ai.request.reasoning.level" // newer than 1.41
	GenAIRequestSeed             = "gen_ai.request.seed"
	GenAIRequestStopSequences    = "gen_ai.request.stop_sequences"
	GenAIRequestStream           = "gen_ai.request.stream"
	GenAIRequestTemperature      = "gen_ai.request.temperature"
	GenAIRequestTopK             = "gen_ai.request.top_k"
	GenAIRequestTopP             = "gen_ai.request.top_p"

	GenAIResponseFinishReasons    = "gen_ai.response.finish_reasons"
	GenAIResponseID               = "gen_ai.response.id"
	GenAIResponseModel            = "gen_ai.response.model"
	GenAIResponseTimeToFirstChunk = "gen_ai.response.time_to_first_chunk" // seconds

	GenAIUsageInputTokens              = "gen_ai.usage.input_tokens"
	GenAIUsageOutputTokens             = "gen_ai.usage.output_tokens"
	GenAIUsageCacheReadInputTokens     = "gen_ai.usage.cache_read.input_tokens"
	GenAIUsageCacheCreationInputTokens = "gen_ai.usage.cache_creation.input_tokens"
	GenAIUsageCacheWriteInputTokens    = "gen_ai.usage.cache_write.input_tokens" // newer than 1.41, was cache_creation
	GenAIUsageReasoningOutputTokens    = "gen_ai.usage.reasoning.output_tokens"
)

// Values of GenAIOperationName.
const (
	OperationChat            = "chat"
	OperationTextCompletion  = "text_completion"
	OperationGenerateContent = "generate_content"
	OperationEmbeddings      = "embeddings"
	OperationFetchResponse   = "fetch_response" // newer than 1.41
	OperationExecuteTool     = "execute_tool"
	OperationInvokeAgent     = "invoke_agent"
	OperationCreateAgent     = "create_agent"
	OperationInvokeWorkflow  = "invoke_workflow"
	OperationPlan            = "plan" // newer than 1.41
	OperationRetrieval       = "retrieval"
)

// Values of GenAIProviderName that this project writes.
const (
	ProviderOpenAI      = "openai"
	ProviderAzureOpenAI = "azure.ai.openai"
)

// Values of GenAIOutputType.
const (
	OutputTypeText = "text"
	OutputTypeJSON = "json"
)

// FinishReasonError is the finish reason of a choice whose own reason never arrived, such as a stream that was cut off.
const FinishReasonError = "error"

// OpenAI attributes.
const (
	OpenAIAPIType                   = "openai.api.type"
	OpenAIRequestServiceTier        = "openai.request.service_tier"
	OpenAIResponseServiceTier       = "openai.response.service_tier"
	OpenAIResponseSystemFingerprint = "openai.response.system_fingerprint"
	OpenAIBatchID                   = "openai.batch.id"        // ours, not in the conventions
	OpenAIBatchCustomID             = "openai.batch.custom_id" // ours, not in the conventions
)

// APITypeChatCompletions is the value of OpenAIAPIType for POST /chat/completions.
const APITypeChatCompletions = "chat_completions"

// General attributes of the core conventions.
const (
	ErrorType              = "error.type"
	HTTPRequestResendCount = "http.request.resend_count"
	ServerAddress          = "server.address"
	ServerPort             = "server.port"
	ServiceName            = "service.name"
	UserID                 = "user.id"
)

// ErrorTypeOther is the value of ErrorType when no better one is known.
const ErrorTypeOther = "_OTHER"

// PersonaID is the attribute, and the W3C baggage key, that says which LLM persona made a call.
const PersonaID = "persona.id"

// Attributes that the token processor writes about the numbers that it filled in. A count without a source was reported
// by the provider.
const (
	TokenInputSource  = "token.input.source"
	TokenOutputSource = "token.output.source"
	TokenEncoding     = "token.encoding"    // for example o200k_base
	TokenCostUSD      = "token.cost.usd"    // US dollars
	TokenCostSource   = "token.cost.source" // price-table entry and its date
)

// Values of TokenInputSource and TokenOutputSource, from the strongest to the weakest.
const (
	SourceReported  = "reported"  // by the provider; implied by the absence of a source, never written on a span
	SourceCounted   = "counted"   // by a rule known to be exact for this shape of call
	SourceEstimated = "estimated" // by a rule that is close for this shape of call
	SourcePartial   = "partial"   // a lower bound
)
