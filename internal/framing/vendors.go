// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"maps"
	"slices"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// Factor says how many tokens a vendor's models have for the text that o200k_base has one token for, and of how few
// measurements that is known.
type Factor struct {
	Mean      float64
	Low, High float64 // the lowest and the highest mean of a model that was measured
	Texts     int     // measured, English answers of more than 200 characters; zero if that was not written down
}

// vendors has the factors of each vendor by model family. They are what providers billed for recorded answers, divided by
// the o200k_base tokens of the answers' text; a family that nobody measured is not here, and stays unknown.
var vendors = map[string]tiktoken.ByFamily[Factor]{
	"anthropic": {
		"claude-3":         {Mean: 1.14, Low: 1.09, High: 1.18, Texts: 37},
		"claude-3.":        {Mean: 1.14, Low: 1.09, High: 1.18, Texts: 37},
		"claude-4.":        {Mean: 1.14, Low: 1.09, High: 1.18, Texts: 37}, // a router's spelling, claude-4.5-haiku
		"claude-haiku-4":   {Mean: 1.14, Low: 1.09, High: 1.18, Texts: 37},
		"claude-haiku-4.":  {Mean: 1.14, Low: 1.09, High: 1.18, Texts: 37},
		"claude-sonnet-4":  {Mean: 1.14, Low: 1.09, High: 1.18, Texts: 37},
		"claude-sonnet-4.": {Mean: 1.14, Low: 1.09, High: 1.18, Texts: 37},
		"claude-opus-4":    {Mean: 1.14, Low: 1.09, High: 1.18, Texts: 37},
		"claude-opus-4.":   {Mean: 1.14, Low: 1.09, High: 1.18, Texts: 37},
		// Another tokenizer since Opus 4.7. Anthropic says up to 1.35 times the one before.
		"claude-opus-4-7": {Mean: 1.42, Low: 1.42, High: 1.42, Texts: 8},
		"claude-opus-4.7": {Mean: 1.42, Low: 1.42, High: 1.42, Texts: 8},
		"claude-opus-4-8": {Mean: 1.42, Low: 1.42, High: 1.42, Texts: 8},
		"claude-opus-4.8": {Mean: 1.42, Low: 1.42, High: 1.42, Texts: 8},
		"claude-sonnet-5": {Mean: 1.53, Low: 1.53, High: 1.53, Texts: 5},
	},
	"google": {
		"gemini-2.": {Mean: 1.05, Low: 1.04, High: 1.06, Texts: 47},
	},
	"deepseek": {
		"deepseek": {Mean: 1.025, Low: 1.02, High: 1.03},
	},
	"mistral": {
		"mistral":   {Mean: 1.065, Low: 1.04, High: 1.09},
		"ministral": {Mean: 1.065, Low: 1.04, High: 1.09},
	},
	"meta": {
		"llama-3.3": {Mean: 1.05, Low: 1.05, High: 1.05},
		"llama3.3":  {Mean: 1.05, Low: 1.05, High: 1.05}, // Ollama's spelling
	},
}

// Vendors are the names that [ModelOptions.Vendors] can have, in alphabetical order.
func Vendors() []string { return slices.Sorted(maps.Keys(vendors)) }

// FactorOf returns the factor of a model, by any name that tiktoken.ByFamily understands; false if none is known.
func FactorOf(vendor, model string) (Factor, bool) { return vendors[vendor].Lookup(model) }
