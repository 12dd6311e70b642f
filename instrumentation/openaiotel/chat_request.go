// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel/attribute"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// maxStopSequences bounds a list that OpenAI limits to four.
const maxStopSequences = 16

// chatParameters are the parameters of a chat completion that are recorded as they are.
var chatParameters = map[string]parameter{
	"temperature":       {semconv.GenAIRequestTemperature, floatParameter},
	"top_p":             {semconv.GenAIRequestTopP, floatParameter},
	"frequency_penalty": {semconv.GenAIRequestFrequencyPenalty, floatParameter},
	"presence_penalty":  {semconv.GenAIRequestPresencePenalty, floatParameter},
	"seed":              {semconv.GenAIRequestSeed, intParameter},
	"reasoning_effort":  {semconv.GenAIRequestReasoningLevel, stringParameter},
}

// outputTypes are the output types of the conventions by the type of a response_format.
var outputTypes = map[string]string{
	"text":        semconv.OutputTypeText,
	"json_object": semconv.OutputTypeJSON,
	"json_schema": semconv.OutputTypeJSON,
}

func readChatRequest(body gjson.Result) request {
	r := request{attributes: make([]attribute.KeyValue, 0, 16)}
	var maxTokens, maxCompletionTokens count
	body.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "model":
			r.model = name(value)
		case "messages":
			r.messages = value
		case "tools", "functions":
			r.tools = append(r.tools, value)
		case "stream":
			r.stream = value.Type == gjson.True
		case "n":
			r.choices = readCount(value)
		case "max_tokens":
			maxTokens = readCount(value)
		case "max_completion_tokens":
			maxCompletionTokens = readCount(value)
		case "stop":
			r.attributes = appendStopSequences(r.attributes, value)
		case "response_format":
			if t, ok := outputTypes[value.Get("type").Str]; ok {
				r.attributes = append(r.attributes, attribute.String(semconv.GenAIOutputType, t))
			}
		case "service_tier":
			if value.Str != "auto" {
				r.attributes = appendName(r.attributes, semconv.OpenAIRequestServiceTier, name(value))
			}
		default:
			if p, ok := chatParameters[key.Str]; ok {
				r.attributes = p.appendTo(r.attributes, value)
			}
		}
		return true
	})
	if maxCompletionTokens.known {
		maxTokens = maxCompletionTokens // OpenAI deprecated max_tokens in favour of it
	}
	r.attributes = maxTokens.appendTo(r.attributes, semconv.GenAIRequestMaxTokens)
	if r.choices.known && r.choices.n != 1 {
		r.attributes = r.choices.appendTo(r.attributes, semconv.GenAIRequestChoiceCount)
	}
	if r.stream {
		r.attributes = append(r.attributes, attribute.Bool(semconv.GenAIRequestStream, true))
	}
	return r
}

// appendStopSequences takes one string or a list of strings, as the API does.
func appendStopSequences(attrs []attribute.KeyValue, stop gjson.Result) []attribute.KeyValue {
	var sequences []string
	stop.ForEach(func(_, v gjson.Result) bool {
		if s := name(v); s != "" {
			sequences = append(sequences, s)
		}
		return len(sequences) < maxStopSequences
	})
	if len(sequences) == 0 {
		return attrs
	}
	return append(attrs, attribute.StringSlice(semconv.GenAIRequestStopSequences, sequences))
}
