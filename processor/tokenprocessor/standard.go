// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// standardize writes what metrics are made of under the names of the current GenAI conventions, where the span says it only
// under others. What it writes is read back as the same call: the reader prefers these names to all others.
func standardize(attributes pcommon.Map, call *genai.Call) {
	a := absent{attributes}
	a.text(semconv.GenAIOperationName, call.Operation)
	a.text(semconv.GenAIProviderName, call.Provider)
	a.text(semconv.GenAIRequestModel, call.RequestModel)
	a.text(semconv.GenAIResponseModel, call.ResponseModel)
	a.text(semconv.GenAIPromptName, call.PromptName)
	a.text(semconv.GenAIPromptVersion, call.PromptVersion)
	a.count(semconv.GenAIUsageInputTokens, call.Usage.Input)
	a.count(semconv.GenAIUsageOutputTokens, call.Usage.Output)
	a.count(semconv.GenAIUsageCacheReadInputTokens, call.Usage.CacheRead)
	a.count(semconv.GenAIUsageReasoningOutputTokens, call.Usage.Reasoning)
	if first := call.TimeToFirstChunk; first.Set && a.lacks(semconv.GenAIResponseTimeToFirstChunk) {
		a.PutDouble(semconv.GenAIResponseTimeToFirstChunk, first.Value)
	}
}

// absent writes attributes that are not there.
type absent struct{ pcommon.Map }

// lacks reports whether an attribute is not there or, as the reader sees it, says nothing.
func (a absent) lacks(key string) bool {
	v, ok := a.Get(key)
	return !ok || v.Type() == pcommon.ValueTypeEmpty || v.Type() == pcommon.ValueTypeStr && v.Str() == ""
}

func (a absent) text(key, value string) {
	if value != "" && a.lacks(key) {
		a.PutStr(key, value)
	}
}

func (a absent) count(key string, n genai.Optional[int64]) {
	if n.Set && a.lacks(key) {
		a.PutInt(key, n.Value)
	}
}
