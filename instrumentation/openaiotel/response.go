// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"slices"
	"time"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel/attribute"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

const (
	// maxChoices bounds the choices that are told apart; OpenAI gives at most 128.
	maxChoices = 128
	// maxAnswer is how much of an answer is kept, in bytes: of the body of an answer that is not streamed, and of the
	// content of one that is. Of a larger body nothing is recorded, of a larger stream no content is.
	maxAnswer = 4 << 20
)

// response is what the answer says about a call. A whole answer fills it at once, a stream chunk by chunk, to the same end.
type response struct {
	id                string
	model             string
	serviceTier       string
	systemFingerprint string
	conversation      string
	batch             []attribute.KeyValue
	errorType         string // of an error that arrived in place of an answer
	errorText         string // what the span's status says about it, if it is not the type
	timeToFirstChunk  time.Duration
	usage             usage
	choices           []choice // by index
	content           contentBudget
}

type usage struct {
	input, output count
	// Subsets of the two above.
	cacheRead, cacheWrite, audioInput, reasoning, audioOutput count
}

type choice struct {
	index        int64
	finishReason string
	message      messageDraft
}

// set keeps the newest value that is one. Chunks repeat these values, so the same one is not copied again.
func set(field *string, v gjson.Result) {
	if v.Type == gjson.String && v.Str != "" && v.Str != *field {
		if s := name(v); s != "" {
			*field = s
		}
	}
}

// choice returns the choice with the index, which it adds when it is new, and nil when there are too many.
func (r *response) choice(index int64) *choice {
	i, found := slices.BinarySearchFunc(r.choices, index, func(c choice, index int64) int { return int(c.index - index) })
	if !found {
		if len(r.choices) == maxChoices || index < 0 || index >= maxChoices {
			return nil
		}
		r.choices = slices.Insert(r.choices, i, choice{index: index})
	}
	return &r.choices[i]
}

// cutOff gives the finish reason "error" to every choice whose own has not arrived. wanted is how many choices the request
// asked for; none is not known, and then it is one.
func (r *response) cutOff(wanted count) {
	if !wanted.known || wanted.n < 1 {
		wanted.n = 1
	}
	for i := range min(wanted.n, maxChoices) {
		r.choice(i)
	}
	for i := range r.choices {
		if r.choices[i].finishReason == "" {
			r.choices[i].finishReason = semconv.FinishReasonError
		}
	}
}

// appendTo appends what the answer says to attrs.
func (r *response) appendTo(attrs []attribute.KeyValue) []attribute.KeyValue {
	attrs = appendName(attrs, semconv.GenAIResponseID, r.id)
	attrs = appendName(attrs, semconv.GenAIResponseModel, r.model)
	attrs = appendName(attrs, semconv.OpenAIResponseServiceTier, r.serviceTier)
	attrs = appendName(attrs, semconv.OpenAIResponseSystemFingerprint, r.systemFingerprint)
	attrs = appendName(attrs, semconv.GenAIConversationID, r.conversation)
	attrs = append(attrs, r.batch...)
	if reasons := r.finishReasons(); reasons != nil {
		attrs = append(attrs, attribute.StringSlice(semconv.GenAIResponseFinishReasons, reasons))
	}
	if r.timeToFirstChunk > 0 {
		attrs = append(attrs, attribute.Float64(semconv.GenAIResponseTimeToFirstChunk, r.timeToFirstChunk.Seconds()))
	}
	attrs = r.usage.input.appendTo(attrs, semconv.GenAIUsageInputTokens)
	attrs = r.usage.output.appendTo(attrs, semconv.GenAIUsageOutputTokens)
	attrs = r.usage.cacheRead.appendTo(attrs, semconv.GenAIUsageCacheReadInputTokens)
	attrs = r.usage.cacheWrite.appendTo(attrs, semconv.GenAIUsageCacheCreationInputTokens)
	attrs = r.usage.audioInput.appendTo(attrs, semconv.GenAIUsageAudioInputTokens)
	attrs = r.usage.reasoning.appendTo(attrs, semconv.GenAIUsageReasoningOutputTokens)
	return r.usage.audioOutput.appendTo(attrs, semconv.GenAIUsageAudioOutputTokens)
}

// finishReasons has one reason per choice, and is nil when no reason arrived at all.
func (r *response) finishReasons() []string {
	if !slices.ContainsFunc(r.choices, func(c choice) bool { return c.finishReason != "" }) {
		return nil
	}
	reasons := make([]string, len(r.choices))
	for i, c := range r.choices {
		reasons[i] = c.finishReason
		if reasons[i] == "" {
			reasons[i] = semconv.FinishReasonError
		}
	}
	return reasons
}
