// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"cmp"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// readResponsesAnswer reads a response of the Responses API, or one event of its stream. A response has one choice. Its last
// event repeats all of it, so the deltas before count only when that event never comes.
func readResponsesAnswer(answer gjson.Result, to *response) bool {
	switch kind := answer.Get("type"); kind.Str {
	case "":
		readResponse(answer, to)
		return false
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
		readResponse(answer.Get("response"), to)
		return true
	case "response.output_text.delta", "response.refusal.delta":
		if to.content.enabled() {
			to.item(answer).text.append(answer.Get("delta"), &to.content)
		}
		return false
	case "response.output_item.done":
		if to.content.enabled() {
			item := answer.Get("item")
			if to.content.spend(len(item.Raw)) {
				*to.item(answer) = itemDraft{index: readCount(answer.Get("output_index")).n, parts: appendItem(nil, item)}
			}
		}
		return false
	case "error":
		apiError := answer
		if nested := answer.Get("error"); nested.IsObject() {
			apiError = nested
		}
		to.errorType = cmp.Or(apiErrorCode(apiError), semconv.ErrorTypeOther)
		return false
	default:
		// The first events have the response so far: its id and its model.
		if response := answer.Get("response"); response.IsObject() {
			readResponse(response, to)
		}
		return false
	}
}

func readResponse(response gjson.Result, to *response) {
	var status, reason, failure string
	var output gjson.Result
	response.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "id":
			set(&to.id, value)
		case "model":
			set(&to.model, value)
		case "service_tier":
			set(&to.serviceTier, value)
		case "conversation":
			to.conversation = id(value)
		case "status":
			status = name(value)
		case "incomplete_details":
			reason = name(value.Get("reason"))
		case "output":
			output = value
		case "usage":
			if value.IsObject() {
				to.usage = readUsage(value)
			}
		case "error":
			if value.Type != gjson.Null {
				failure = cmp.Or(apiErrorType(value), semconv.ErrorTypeOther)
			}
		}
		return true
	})
	if failure != "" {
		to.errorType = failure
	}
	var finishReason string
	switch status {
	case "completed":
		finishReason = "stop"
		if callsTool(output) {
			finishReason = "tool_calls"
		}
	case "incomplete":
		finishReason = reason
		if reason == "max_output_tokens" {
			finishReason = "length"
		}
	case "failed", "cancelled":
		finishReason = semconv.FinishReasonError
		if status == "failed" {
			to.errorType = cmp.Or(to.errorType, semconv.ErrorTypeOther)
		}
	default:
		// It is queued or in progress: there is nothing more to say yet.
		return
	}
	c := to.choice(0)
	c.finishReason = finishReason
	if to.content.enabled() && to.content.spend(len(output.Raw)) {
		c.message.items = nil
		c.message.parts = appendItems(nil, output)
	}
}

// callsTool reports whether an output asks the application to call a tool.
func callsTool(output gjson.Result) bool {
	called := false
	output.ForEach(func(_, item gjson.Result) bool {
		called = isFunctionCall(item.Get("type").Str)
		return !called
	})
	return called
}

func isFunctionCall(itemType string) bool {
	return itemType == "function_call" || itemType == "custom_tool_call"
}

// apiErrorCode is [apiErrorType] for an error event, whose type is "error" and says nothing.
func apiErrorCode(apiError gjson.Result) string {
	return strings.TrimPrefix(apiErrorType(apiError), "error")
}

// itemDraft is an output item of a streamed response: its text so far, or its parts once it is done.
type itemDraft struct {
	index int64
	text  literal
	parts []part
}

// item returns the draft that an event belongs to.
func (r *response) item(event gjson.Result) *itemDraft {
	index := readCount(event.Get("output_index")).n
	c := r.choice(0)
	for i := range c.message.items {
		if c.message.items[i].index == index {
			return &c.message.items[i]
		}
	}
	c.message.items = append(c.message.items, itemDraft{index: index})
	return &c.message.items[len(c.message.items)-1]
}
