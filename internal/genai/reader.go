// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// ZeroUsage says what a usage of zero input and zero output tokens means beside an answer that is not empty.
type ZeroUsage string

const (
	// ZeroUsageMissing takes it as unknown: some instrumentations write zeros when a stream carried no usage.
	ZeroUsageMissing ZeroUsage = "missing"
	// ZeroUsageReported takes it as what the provider reported.
	ZeroUsageReported ZeroUsage = "reported"
)

// DefaultPersonaAttributes are the attributes that name the persona, the first that is set wins.
var DefaultPersonaAttributes = []string{semconv.PersonaID, "persona_id", "gen_ai.persona.id"}

// Options of a Reader.
type Options struct {
	// PersonaAttributes are looked for in this order, on the span, then on its scope, then on its resource.
	// If nil, DefaultPersonaAttributes are used.
	PersonaAttributes []string
	// ZeroUsage says what 0/0 tokens beside an answer mean. If empty, ZeroUsageMissing is used.
	ZeroUsage ZeroUsage
}

// Reader reads calls from spans. It is safe for concurrent use.
type Reader struct {
	names   map[string]ranked
	persona []string
	zero    ZeroUsage
}

// ranked is a field and how much its attribute is preferred among those that carry it; zero is the most.
type ranked struct {
	field field
	rank  uint16
}

// NewReader returns a Reader for all supported dialects.
func NewReader(o Options) *Reader {
	r := &Reader{names: make(map[string]ranked), persona: o.PersonaAttributes, zero: o.ZeroUsage}
	if r.persona == nil {
		r.persona = DefaultPersonaAttributes
	}
	rank := uint16(0)
	for _, d := range dialects {
		for _, a := range d.attributes {
			if _, known := r.names[a.key]; !known {
				r.names[a.key] = ranked{field: a.field, rank: rank}
				rank++
			}
		}
	}
	return r
}

// Read returns what the span says about a GenAI operation; false if it is none.
func (r *Reader) Read(resource pcommon.Resource, scope pcommon.InstrumentationScope, span ptrace.Span) (Call, bool) {
	var found fields
	attributes := span.Attributes()
	attributes.Range(func(key string, value pcommon.Value) bool {
		if name, ok := r.names[key]; ok {
			found.offer(name, value)
		}
		return true
	})
	if found.str(operation) == "" {
		return Call{}, false
	}
	call := Call{
		Operation:     found.str(operation),
		Aggregate:     aggregates[found.str(operation)],
		Provider:      found.str(provider),
		RequestModel:  found.str(requestModel),
		ResponseModel: found.str(responseModel),
		Persona:       r.personaOf(attributes, scope.Attributes(), resource.Attributes()),
		Conversation:  found.str(conversation),
		User:          found.str(user),
		PromptName:    found.str(promptName),
		PromptVersion: found.str(promptVersion),
		ErrorType:     found.str(errorType),
		ServiceTier:   found.str(serviceTier),
		Request: Request{
			Temperature:      found.float(temperature),
			TopP:             found.float(topP),
			FrequencyPenalty: found.float(frequencyPenalty),
			PresencePenalty:  found.float(presencePenalty),
			TopK:             found.int(topK),
			MaxTokens:        found.int(maxTokens),
			Seed:             found.int(seed),
			Choices:          found.int(choices),
			Stream:           found.bool(stream),
			OutputType:       found.str(outputType),
			ReasoningLevel:   found.str(reasoningLevel),
		},
		Usage: Usage{
			Input:      found.tokens(inputTokens),
			Output:     found.tokens(outputTokens),
			CacheRead:  found.tokens(cacheReadTokens),
			CacheWrite: found.tokens(cacheWriteTokens),
			Reasoning:  found.tokens(reasoningTokens),
		},
		TimeToFirstChunk: found.float(timeToFirstChunk),
		span:             span,
		finish:           found.value(finishReasons),
	}
	if r.zero != ZeroUsageReported && call.Usage.zero() && notEmpty(found.value(outputContent)) {
		call.Usage = Usage{}
	}
	return call, true
}

// personaOf returns the first persona attribute that is set, span before scope before resource.
func (r *Reader) personaOf(places ...pcommon.Map) string {
	for _, place := range places {
		for _, key := range r.persona {
			if v, ok := place.Get(key); ok {
				if persona := v.AsString(); persona != "" {
					return persona
				}
			}
		}
	}
	return ""
}

func (u Usage) zero() bool {
	return u.Input.Set && u.Output.Set && u.Input.Value == 0 && u.Output.Value == 0
}

// notEmpty reports whether a content attribute holds anything, without parsing it.
func notEmpty(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return len(v.Str()) > len("[]")
	case pcommon.ValueTypeSlice:
		return v.Slice().Len() > 0
	case pcommon.ValueTypeMap:
		return v.Map().Len() > 0
	default:
		return false
	}
}

// fields holds for each field the value of the most preferred attribute seen so far.
type fields [numFields]struct {
	value pcommon.Value
	rank  uint16
	set   bool
}

func (f *fields) offer(name ranked, value pcommon.Value) {
	if slot := &f[name.field]; !slot.set || name.rank < slot.rank {
		slot.value, slot.rank, slot.set = value, name.rank, true
	}
}

// value is the field's value, or an empty one.
func (f *fields) value(of field) pcommon.Value {
	if !f[of].set {
		return noValue
	}
	return f[of].value
}

var noValue = pcommon.NewValueEmpty()

func (f *fields) str(of field) string {
	if v := f.value(of); v.Type() == pcommon.ValueTypeStr {
		return v.Str()
	}
	return ""
}

func (f *fields) bool(of field) bool {
	switch v := f.value(of); v.Type() {
	case pcommon.ValueTypeBool:
		return v.Bool()
	case pcommon.ValueTypeStr:
		return v.Str() == "true"
	default:
		return false
	}
}

// float reads an int, a double or a numeric string: emitters disagree. NaN and infinities are no numbers.
func (f *fields) float(of field) Optional[float64] {
	var n float64
	switch v := f.value(of); v.Type() {
	case pcommon.ValueTypeDouble:
		n = v.Double()
	case pcommon.ValueTypeInt:
		n = float64(v.Int())
	case pcommon.ValueTypeStr:
		parsed, err := strconv.ParseFloat(v.Str(), 64)
		if err != nil {
			return Optional[float64]{}
		}
		n = parsed
	default:
		return Optional[float64]{}
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return Optional[float64]{}
	}
	return Some(n)
}

// int reads a whole number from an int, a double or a numeric string.
func (f *fields) int(of field) Optional[int64] {
	switch v := f.value(of); v.Type() {
	case pcommon.ValueTypeInt:
		return Some(v.Int())
	case pcommon.ValueTypeStr:
		if n, err := strconv.ParseInt(v.Str(), 10, 64); err == nil {
			return Some(n)
		}
	}
	n := f.float(of)
	if !n.Set || n.Value != math.Trunc(n.Value) || math.Abs(n.Value) > 1<<53 {
		return Optional[int64]{}
	}
	return Some(int64(n.Value))
}

// tokens reads a token count; a negative number is no count.
func (f *fields) tokens(of field) Optional[int64] {
	if n := f.int(of); n.Value >= 0 {
		return n
	}
	return Optional[int64]{}
}
