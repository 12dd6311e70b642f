// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"cmp"

	"github.com/tidwall/gjson"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// readChatAnswer reads a chat.completion or a chat.completion.chunk. They differ in one key: the message of a choice is its
// message or its delta. A text_completion has its text in that place; embeddings have the same usage and no choices. Their
// stream ends with [DONE].
func readChatAnswer(answer gjson.Result, to *response) bool {
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
				to.usage = readUsage(value)
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
	return false
}

func readChatChoices(choices gjson.Result, to *response) {
	if !choices.IsArray() {
		return
	}
	choices.ForEach(func(position, value gjson.Result) bool {
		index := readCount(position)
		var finishReason, message, legacyText gjson.Result
		value.ForEach(func(key, value gjson.Result) bool {
			switch key.Str {
			case "index":
				index = readCount(value)
			case "finish_reason":
				finishReason = value
			case "message", "delta":
				message = value
			case "text":
				legacyText = value
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
			c.message.text.append(legacyText, &to.content)
		}
		return true
	})
}

// readUsage reads a usage object. The Chat, Completions and Embeddings APIs call them prompt_tokens and
// completion_tokens, the Responses and Batch APIs input_tokens and output_tokens.
func readUsage(value gjson.Result) usage {
	var u usage
	value.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "prompt_tokens", "input_tokens":
			u.input = readCount(value)
		case "completion_tokens", "output_tokens":
			u.output = readCount(value)
		case "prompt_tokens_details", "input_tokens_details":
			value.ForEach(func(key, value gjson.Result) bool {
				switch key.Str {
				case "cached_tokens":
					u.cacheRead = readCount(value)
				case "cache_write_tokens":
					u.cacheWrite = readCount(value)
				case "audio_tokens":
					u.audioInput = readCount(value)
				}
				return true
			})
		case "completion_tokens_details", "output_tokens_details":
			value.ForEach(func(key, value gjson.Result) bool {
				switch key.Str {
				case "reasoning_tokens":
					u.reasoning = readCount(value)
				case "audio_tokens":
					u.audioOutput = readCount(value)
				}
				return true
			})
		}
		return true
	})
	return u
}
