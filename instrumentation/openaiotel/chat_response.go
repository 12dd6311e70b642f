// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"cmp"

	"github.com/tidwall/gjson"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// readChatAnswer reads a chat.completion or a chat.completion.chunk. They differ in one key: the message of a choice is its
// message or its delta.
func readChatAnswer(answer gjson.Result, to *response) {
	answer.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "id":
			set(&to.id, value)
		case "model":
			set(&to.model, value)
		case "service_tier":
			set(&to.serviceTier, value)
		case "system_fingerprint":
			set(&to.systemFingerprint, value)
		case "usage":
			if value.IsObject() {
				to.usage = readChatUsage(value)
			}
		case "choices":
			readChatChoices(value, to)
		case "error":
			if value.Type != gjson.Null {
				to.errorType = cmp.Or(apiErrorType(value), semconv.ErrorTypeOther)
			}
		}
		return true
	})
}

func readChatChoices(choices gjson.Result, to *response) {
	if !choices.IsArray() {
		return
	}
	choices.ForEach(func(position, value gjson.Result) bool {
		index := readCount(position)
		var finishReason, message gjson.Result
		value.ForEach(func(key, value gjson.Result) bool {
			switch key.Str {
			case "index":
				index = readCount(value)
			case "finish_reason":
				finishReason = value
			case "message", "delta":
				message = value
			}
			return true
		})
		c := to.choice(index.n)
		if c == nil {
			return true
		}
		set(&c.finishReason, finishReason)
		if to.content.enabled() {
			c.message.read(message, &to.content)
		}
		return true
	})
}

func readChatUsage(value gjson.Result) usage {
	var u usage
	value.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "prompt_tokens":
			u.input = readCount(value)
		case "completion_tokens":
			u.output = readCount(value)
		case "prompt_tokens_details":
			u.cacheRead = readCount(value.Get("cached_tokens"))
			u.cacheWrite = readCount(value.Get("cache_write_tokens"))
		case "completion_tokens_details":
			u.reasoning = readCount(value.Get("reasoning_tokens"))
		}
		return true
	})
	return u
}
