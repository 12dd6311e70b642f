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
	GenAIAgentName          = "gen_ai.agent.name"
	GenAIToolName           = "gen_ai.tool.name"
	GenAIToolCallID         = "gen_ai.tool.call.id"
	GenAIToolCallArguments  = "gen_ai.tool.call.arguments"
	GenAIToolCallResult     = "gen_ai.tool.call.result"
	GenAIDataSourceID       = "gen_ai.data_source.id"
	GenAIRetrievalQueryText = "gen_ai.retrieval.query.text"
	GenAIRetrievalDocuments = "gen_ai.retrieval.documents"

	GenAIPromptVariablePrefix     = "gen_ai.prompt.variable." // + name; newer than 1.41
	GenAIToolType                 = "gen_ai.tool.type"        // function, extension or datastore
	GenAIToolDescription          = "gen_ai.tool.description"
	GenAIEmbeddingsDimensionCount = "gen_ai.embeddings.dimension.count"
	GenAIRequestEncodingFormats   = "gen_ai.request.encoding_formats"
	GenAIRequestPreviousResponse  = "gen_ai.request.previous_response.id" // newer than 1.41
	GenAITokenType                = "gen_ai.token.type"                   // input or output; of metrics only

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
	GenAIUsageAudioInputTokens         = "gen_ai.usage.audio.input_tokens"  // newer than 1.41
	GenAIUsageAudioOutputTokens        = "gen_ai.usage.audio.output_tokens" // newer than 1.41
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

// APITypeResponses is the value of OpenAIAPIType for the Responses API.
const APITypeResponses = "responses"

// The OpenAI Batch API, which the conventions do not have yet. Its operations call no model: what a batch cost is on the
// spans of its lines, so the usage of the whole is not under gen_ai.usage.
const (
	OperationCreateBatch   = "create_batch"
	OperationRetrieveBatch = "retrieve_batch"

	OpenAIBatchEndpoint          = "openai.batch.endpoint"
	OpenAIBatchStatus            = "openai.batch.status"
	OpenAIBatchInputFileID       = "openai.batch.input_file.id"
	OpenAIBatchOutputFileID      = "openai.batch.output_file.id"
	OpenAIBatchErrorFileID       = "openai.batch.error_file.id"
	OpenAIBatchRequestsTotal     = "openai.batch.requests.total"
	OpenAIBatchRequestsCompleted = "openai.batch.requests.completed"
	OpenAIBatchRequestsFailed    = "openai.batch.requests.failed"

	OpenAIBatchUsageInputTokens     = "openai.batch.usage.input_tokens"
	OpenAIBatchUsageOutputTokens    = "openai.batch.usage.output_tokens"
	OpenAIBatchUsageCacheReadTokens = "openai.batch.usage.cache_read.input_tokens"
	OpenAIBatchUsageReasoningTokens = "openai.batch.usage.reasoning.output_tokens"

	// ServiceTierBatch is the value of OpenAIResponseServiceTier for a line of a batch.
	ServiceTierBatch = "batch"
)

// Metrics of the GenAI conventions 1.41.
const (
	MetricClientOperationDuration  = "gen_ai.client.operation.duration"              // seconds
	MetricClientTokenUsage         = "gen_ai.client.token.usage"                     // tokens
	MetricClientTimeToFirstChunk   = "gen_ai.client.operation.time_to_first_chunk"   // seconds
	MetricClientTimePerOutputChunk = "gen_ai.client.operation.time_per_output_chunk" // seconds

	// Values of GenAITokenType.
	TokenTypeInput  = "input"
	TokenTypeOutput = "output"
)

// EventEvaluationResult is the name of the event that says how good an answer is.
const EventEvaluationResult = "gen_ai.evaluation.result"

// Attributes of EventEvaluationResult.
const (
	GenAIEvaluationName        = "gen_ai.evaluation.name"
	GenAIEvaluationScoreValue  = "gen_ai.evaluation.score.value"
	GenAIEvaluationScoreLabel  = "gen_ai.evaluation.score.label"
	GenAIEvaluationExplanation = "gen_ai.evaluation.explanation"
)

// EventInferenceDetails is the name of the log event that carries the content of a call.
const EventInferenceDetails = "gen_ai.client.inference.operation.details"

// General attributes of the core conventions.
const (
	ErrorType              = "error.type"
	HTTPRequestResendCount = "http.request.resend_count"
	HTTPResponseStatusCode = "http.response.status_code"
	HTTPResponseRetryAfter = "http.response.header.retry-after"
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
	// TokenAggregate is true on a span that passes for a call of a model and sums or repeats others.
	TokenAggregate = "token.aggregate"
)

// Values of TokenInputSource and TokenOutputSource, from the strongest to the weakest.
const (
	SourceReported  = "reported"  // by the provider; implied by the absence of a source, never written on a span
	SourceCounted   = "counted"   // by a rule known to be exact for this shape of call
	SourceEstimated = "estimated" // by a rule that is close for this shape of call
	SourcePartial   = "partial"   // a lower bound
)
