// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"slices"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// vocabulary is what the tokens of a call are counted with.
type vocabulary struct {
	encoding tiktoken.Encoding
	model    string // whose framing is used; empty if that is not known, so that counts are estimates
}

// vocabularyNamed returns the vocabulary of an OpenAI model, or the one of which only the encoding is named.
func vocabularyNamed(name string) (vocabulary, bool) {
	if encoding, ok := tiktoken.ForModel(name); ok {
		return vocabulary{encoding: encoding, model: name}, true
	}
	encoding := tiktoken.Encoding(name)
	return vocabulary{encoding: encoding}, slices.Contains(tiktoken.Encodings(), encoding)
}

// vocabularies knows the vocabulary of a call.
type vocabularies struct {
	models   map[string]vocabulary // by the name that spans have
	fallback tiktoken.Encoding     // empty if there is none
}

func newVocabularies(c *Config) vocabularies {
	v := vocabularies{models: make(map[string]vocabulary, len(c.Models)), fallback: c.FallbackEncoding}
	for name, meant := range c.Models {
		v.models[name], _ = vocabularyNamed(meant)
	}
	return v
}

// of returns the vocabulary of the model that answered. The model that was asked for says it only if the other is not on the
// span, or if the user says what it is: a router can answer with a model of another vendor.
func (v *vocabularies) of(call *genai.Call) (vocabulary, bool) {
	if known, ok := v.named(call.ResponseModel); ok {
		return known, true
	}
	if known, ok := v.models[call.RequestModel]; ok {
		return known, true
	}
	if call.ResponseModel == "" {
		if known, ok := v.named(call.RequestModel); ok {
			return known, true
		}
	}
	return vocabulary{encoding: v.fallback}, v.fallback != ""
}

func (v *vocabularies) named(model string) (vocabulary, bool) {
	if known, ok := v.models[model]; ok {
		return known, true
	}
	encoding, ok := tiktoken.ForModel(model)
	return vocabulary{encoding: encoding, model: model}, ok
}
