// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"math"
	"sync"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel/attribute"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// maxStopSequences bounds a list that OpenAI limits to four.
const maxStopSequences = 16

// request is what the body of a request says about a call. Its zero value is a request that could not be read.
type request struct {
	model          string
	stream         bool
	choices        count
	conversation   string
	streamOptions  streamOptionsOf
	prompt         prompt                 // a stored one
	attributes     []attribute.KeyValue   // parameters other than the model
	attributeSpace [24]attribute.KeyValue // what attributes points to, for most requests

	// What the call is about, not yet in the form of the conventions. It aliases the body: it must be read before the
	// request is sent.
	content requestContent
}

// requestContent is the content of a request as the API has it.
type requestContent struct {
	messages     gjson.Result // or the input, or the prompt
	instructions gjson.Result
	tools        []gjson.Result
}

// requestPool lends requests. The OpenTelemetry API copies the attributes that a span starts with.
type requestPool struct{ pool sync.Pool }

func (p *requestPool) get() *request {
	if r, ok := p.pool.Get().(*request); ok {
		return r
	}
	return new(request)
}

func (p *requestPool) put(r *request) {
	*r = request{}
	p.pool.Put(r)
}

// parameterKind is the JSON type that a request parameter must have to be recorded.
type parameterKind uint8

const (
	intParameter parameterKind = iota
	floatParameter
	stringParameter
)

// parameter says under which attribute a request parameter is recorded as it is.
type parameter struct {
	attribute attribute.Key
	kind      parameterKind
}

// parameters are the parameters of every endpoint that are recorded as they are. No two endpoints give one name two meanings.
var parameters = map[string]parameter{
	"temperature":          {semconv.GenAIRequestTemperature, floatParameter},
	"top_p":                {semconv.GenAIRequestTopP, floatParameter},
	"frequency_penalty":    {semconv.GenAIRequestFrequencyPenalty, floatParameter},
	"presence_penalty":     {semconv.GenAIRequestPresencePenalty, floatParameter},
	"seed":                 {semconv.GenAIRequestSeed, intParameter},
	"reasoning_effort":     {semconv.GenAIRequestReasoningLevel, stringParameter},
	"previous_response_id": {semconv.GenAIRequestPreviousResponse, stringParameter},
	"dimensions":           {semconv.GenAIEmbeddingsDimensionCount, intParameter},
}

// outputTypes are the output types of the conventions by the type of a response format.
var outputTypes = map[string]string{
	"text":        semconv.OutputTypeText,
	"json_object": semconv.OutputTypeJSON,
	"json_schema": semconv.OutputTypeJSON,
}

// readRequest reads the body of a request to any endpoint that calls a model.
func (r *request) read(e *endpoint, body gjson.Result) {
	r.attributes = r.attributeSpace[:0]
	var limits [3]count
	body.ForEach(func(key, value gjson.Result) bool {
		if key.Str == e.content {
			r.content.messages = value
			return true
		}
		switch key.Str {
		case "model":
			r.model = name(value)
		case "instructions":
			r.content.instructions = value
		case "tools", "functions":
			r.content.tools = append(r.content.tools, value)
		case "stream":
			r.stream = value.Type == gjson.True
		case "stream_options":
			r.streamOptions = readStreamOptions(value)
		case "n":
			r.choices = readCount(value)
		case "max_tokens":
			limits[0] = readCount(value)
		case "max_completion_tokens": // OpenAI deprecated max_tokens in favour of it
			limits[1] = readCount(value)
		case "max_output_tokens":
			limits[2] = readCount(value)
		case "conversation":
			r.conversation = id(value)
		case "prompt":
			r.prompt = readPrompt(value)
		case "stop":
			r.attributes = appendStopSequences(r.attributes, value)
		case "encoding_format":
			if format := name(value); format != "" {
				r.attributes = append(r.attributes, attribute.StringSlice(semconv.GenAIRequestEncodingFormats, []string{format}))
			}
		case "response_format":
			r.readFormat(value)
		case "text":
			r.readFormat(value.Get("format"))
		case "reasoning":
			r.attributes = appendName(r.attributes, semconv.GenAIRequestReasoningLevel, name(value.Get("effort")))
		case "service_tier":
			if value.Str != "auto" {
				r.attributes = appendName(r.attributes, semconv.OpenAIRequestServiceTier, name(value))
			}
		default:
			if p, ok := parameters[key.Str]; ok {
				r.attributes = p.appendTo(r.attributes, value)
			}
		}
		return true
	})
	for i := len(limits) - 1; i >= 0; i-- {
		if limits[i].known {
			r.attributes = limits[i].appendTo(r.attributes, semconv.GenAIRequestMaxTokens)
			break
		}
	}
	if r.choices.known && r.choices.n != 1 {
		r.attributes = r.choices.appendTo(r.attributes, semconv.GenAIRequestChoiceCount)
	}
	if r.stream {
		r.attributes = append(r.attributes, attribute.Bool(semconv.GenAIRequestStream, true))
	}
}

// input gives the content of a request in the form of the conventions.
func (r *request) input(e *endpoint, variables map[string]string) input {
	return input{
		messages:     e.messages(r.content.messages),
		instructions: instructions(r.content.instructions),
		tools:        toolDefinitions(r.content.tools),
		variables:    variables,
	}
}

func (r *request) readFormat(format gjson.Result) {
	if t, ok := outputTypes[format.Get("type").Str]; ok {
		r.attributes = append(r.attributes, attribute.String(semconv.GenAIOutputType, t))
	}
}

// id is the id that a value is, or that is in the object.
func id(value gjson.Result) string {
	if value.IsObject() {
		value = value.Get("id")
	}
	return name(value)
}

// readPrompt reads the prompt template that OpenAI stores for the Responses API.
func readPrompt(value gjson.Result) prompt {
	p := prompt{name: id(value), version: name(value.Get("version"))}
	value.Get("variables").ForEach(func(key, value gjson.Result) bool {
		// Other variables are images and files.
		if value.Type == gjson.String && len(p.variables) < maxPromptVariables {
			if p.variables == nil {
				p.variables = make(map[string]string)
			}
			p.variables[text(key)] = text(value)
		}
		return true
	})
	return p
}

func (p parameter) appendTo(attrs []attribute.KeyValue, v gjson.Result) []attribute.KeyValue {
	switch {
	case p.kind == stringParameter:
		return appendName(attrs, p.attribute, name(v))
	case v.Type != gjson.Number:
		return attrs
	case p.kind == floatParameter:
		return append(attrs, p.attribute.Float64(v.Num))
	case v.Num != math.Trunc(v.Num):
		return attrs
	default:
		return append(attrs, p.attribute.Int64(v.Int()))
	}
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
