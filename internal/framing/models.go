// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"math"
	"slices"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// Model is what counting needs to know of a model. The zero Model is unknown.
type Model struct {
	// Encoding that its texts are counted in.
	Encoding tiktoken.Encoding

	family
	image  imageRule
	factor float64 // of its tokens to those of the encoding; zero means one
}

// assumed is what models are taken for of which nothing is known but how to count their texts.
var assumed = family{kind: plain, assumed: true}

// counts reports whether texts can be counted for the model, and how it frames a conversation if that is asked.
func (m Model) counts(conversation bool) bool {
	return m.Encoding != "" && (!conversation || m.kind != unknown)
}

// source is the best that a number for the model can be.
func (m Model) source() string {
	if m.assumed {
		return semconv.SourceEstimated
	}
	return semconv.SourceCounted
}

// scale turns tokens of the encoding into those of the model.
func (m Model) scale(tokens int64) int64 {
	if m.factor == 0 {
		return tokens
	}
	return int64(math.Round(float64(tokens) * m.factor))
}

// ModelNamed returns the OpenAI model of a name, in any spelling that tiktoken.ForModel understands, or for the name of an
// encoding a model of which nothing else is known, so that its counts are estimates; false for any other name.
func ModelNamed(name string) (Model, bool) {
	if encoding, ok := tiktoken.ForModel(name); ok {
		return openAI(name, encoding), true
	}
	if encoding := tiktoken.Encoding(name); slices.Contains(tiktoken.Encodings(), encoding) {
		return Model{Encoding: encoding, family: assumed}, true
	}
	return Model{}, false
}

// ModelOptions say what models are whose names do not say it.
type ModelOptions struct {
	// Names has what [ModelNamed] understands, by the name of the model or deployment that spans have. Names that it does
	// not understand are left out.
	Names map[string]string
	// Fallback is the encoding of all other models; if empty, they are unknown.
	Fallback tiktoken.Encoding
	// Vendors other than OpenAI whose models are estimated: of [Vendors].
	Vendors []string
}

// Models knows the models of calls. It is safe for concurrent use.
type Models struct {
	named    map[string]Model
	vendors  []string
	fallback Model
}

// NewModels returns the Models of o.
func NewModels(o ModelOptions) *Models {
	m := &Models{named: make(map[string]Model, len(o.Names)), vendors: o.Vendors}
	for name, meant := range o.Names {
		if model, ok := ModelNamed(meant); ok {
			m.named[name] = model
		}
	}
	m.fallback, _ = ModelNamed(string(o.Fallback))
	return m
}

// Of returns the model that answered a call; false if it is unknown. The model that was asked for counts only if the other
// is not on the span, or if [ModelOptions.Names] has it: a router can answer with a model of another vendor.
func (m *Models) Of(call *genai.Call) (Model, bool) {
	if model, ok := m.find(call.ResponseModel); ok {
		return model, true
	}
	if model, ok := m.named[call.RequestModel]; ok {
		return model, true
	}
	if call.ResponseModel == "" {
		if model, ok := m.find(call.RequestModel); ok {
			return model, true
		}
	}
	return m.fallback, m.fallback.Encoding != ""
}

func (m *Models) find(name string) (Model, bool) {
	if model, ok := m.named[name]; ok {
		return model, true
	}
	if encoding, ok := tiktoken.ForModel(name); ok {
		return openAI(name, encoding), true
	}
	for _, vendor := range m.vendors {
		if factor, ok := FactorOf(vendor, name); ok {
			model := Model{Encoding: tiktoken.O200kBase, family: assumed, factor: factor.Mean}
			if factor.Thinks {
				model.kind = laterGPT
			}
			return model, true
		}
	}
	return Model{}, false
}

func openAI(name string, encoding tiktoken.Encoding) Model {
	known, _ := families.Lookup(name)
	image, _ := images.Lookup(name)
	return Model{Encoding: encoding, family: known, image: image}
}
