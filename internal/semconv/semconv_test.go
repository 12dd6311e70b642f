// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	upstream "go.opentelemetry.io/otel/semconv/v1.41.0"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

func TestNamesAreThoseOfTheConventions(t *testing.T) {
	for ours, theirs := range map[string]attribute.Key{
		semconv.GenAIOperationName:                 upstream.GenAIOperationNameKey,
		semconv.GenAIProviderName:                  upstream.GenAIProviderNameKey,
		semconv.GenAIConversationID:                upstream.GenAIConversationIDKey,
		semconv.GenAIOutputType:                    upstream.GenAIOutputTypeKey,
		semconv.GenAIInputMessages:                 upstream.GenAIInputMessagesKey,
		semconv.GenAIOutputMessages:                upstream.GenAIOutputMessagesKey,
		semconv.GenAISystemInstructions:            upstream.GenAISystemInstructionsKey,
		semconv.GenAIToolDefinitions:               upstream.GenAIToolDefinitionsKey,
		semconv.GenAIPromptName:                    upstream.GenAIPromptNameKey,
		semconv.GenAIAgentName:                     upstream.GenAIAgentNameKey,
		semconv.GenAIToolName:                      upstream.GenAIToolNameKey,
		semconv.GenAIToolCallID:                    upstream.GenAIToolCallIDKey,
		semconv.GenAIToolCallArguments:             upstream.GenAIToolCallArgumentsKey,
		semconv.GenAIToolCallResult:                upstream.GenAIToolCallResultKey,
		semconv.GenAIRequestModel:                  upstream.GenAIRequestModelKey,
		semconv.GenAIRequestChoiceCount:            upstream.GenAIRequestChoiceCountKey,
		semconv.GenAIRequestFrequencyPenalty:       upstream.GenAIRequestFrequencyPenaltyKey,
		semconv.GenAIRequestMaxTokens:              upstream.GenAIRequestMaxTokensKey,
		semconv.GenAIRequestPresencePenalty:        upstream.GenAIRequestPresencePenaltyKey,
		semconv.GenAIRequestSeed:                   upstream.GenAIRequestSeedKey,
		semconv.GenAIRequestStopSequences:          upstream.GenAIRequestStopSequencesKey,
		semconv.GenAIRequestStream:                 upstream.GenAIRequestStreamKey,
		semconv.GenAIRequestTemperature:            upstream.GenAIRequestTemperatureKey,
		semconv.GenAIRequestTopK:                   upstream.GenAIRequestTopKKey,
		semconv.GenAIRequestTopP:                   upstream.GenAIRequestTopPKey,
		semconv.GenAIResponseFinishReasons:         upstream.GenAIResponseFinishReasonsKey,
		semconv.GenAIResponseID:                    upstream.GenAIResponseIDKey,
		semconv.GenAIResponseModel:                 upstream.GenAIResponseModelKey,
		semconv.GenAIResponseTimeToFirstChunk:      upstream.GenAIResponseTimeToFirstChunkKey,
		semconv.GenAIUsageInputTokens:              upstream.GenAIUsageInputTokensKey,
		semconv.GenAIUsageOutputTokens:             upstream.GenAIUsageOutputTokensKey,
		semconv.GenAIUsageCacheReadInputTokens:     upstream.GenAIUsageCacheReadInputTokensKey,
		semconv.GenAIUsageCacheCreationInputTokens: upstream.GenAIUsageCacheCreationInputTokensKey,
		semconv.GenAIUsageReasoningOutputTokens:    upstream.GenAIUsageReasoningOutputTokensKey,
		semconv.GenAIEmbeddingsDimensionCount:      upstream.GenAIEmbeddingsDimensionCountKey,
		semconv.GenAIRequestEncodingFormats:        upstream.GenAIRequestEncodingFormatsKey,
		semconv.GenAIToolType:                      upstream.GenAIToolTypeKey,
		semconv.GenAIToolDescription:               upstream.GenAIToolDescriptionKey,
		semconv.GenAITokenType:                     upstream.GenAITokenTypeKey,
		semconv.HTTPResponseStatusCode:             upstream.HTTPResponseStatusCodeKey,
		semconv.OpenAIAPIType:                      upstream.OpenAIAPITypeKey,
		semconv.OpenAIRequestServiceTier:           upstream.OpenAIRequestServiceTierKey,
		semconv.OpenAIResponseServiceTier:          upstream.OpenAIResponseServiceTierKey,
		semconv.OpenAIResponseSystemFingerprint:    upstream.OpenAIResponseSystemFingerprintKey,
		semconv.ErrorType:                          upstream.ErrorTypeKey,
		semconv.HTTPRequestResendCount:             upstream.HTTPRequestResendCountKey,
		semconv.ServerAddress:                      upstream.ServerAddressKey,
		semconv.ServerPort:                         upstream.ServerPortKey,
		semconv.ServiceName:                        upstream.ServiceNameKey,
		semconv.UserID:                             upstream.UserIDKey,
	} {
		assert.Equal(t, string(theirs), ours)
	}
}

func TestOperationsAreThoseOfTheConventions(t *testing.T) {
	for ours, theirs := range map[string]attribute.KeyValue{
		semconv.OperationChat:            upstream.GenAIOperationNameChat,
		semconv.OperationTextCompletion:  upstream.GenAIOperationNameTextCompletion,
		semconv.OperationGenerateContent: upstream.GenAIOperationNameGenerateContent,
		semconv.OperationEmbeddings:      upstream.GenAIOperationNameEmbeddings,
		semconv.OperationExecuteTool:     upstream.GenAIOperationNameExecuteTool,
		semconv.OperationInvokeAgent:     upstream.GenAIOperationNameInvokeAgent,
		semconv.OperationCreateAgent:     upstream.GenAIOperationNameCreateAgent,
		semconv.OperationInvokeWorkflow:  upstream.GenAIOperationNameInvokeWorkflow,
		semconv.OperationRetrieval:       upstream.GenAIOperationNameRetrieval,
	} {
		assert.Equal(t, theirs.Value.AsString(), ours)
	}
}
