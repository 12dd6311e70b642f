// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"maps"
	"slices"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// Factor says how many tokens a vendor's models have for the text that o200k_base has one token for, and from how few
// measurements that is known.
type Factor struct {
	Mean      float64
	Low, High float64 // the lowest and the highest mean of a model that was measured
	Texts     int     // measured, English answers of more than 200 characters; zero if that was not written down
	Thinks    bool    // the models think unless told not to, and what they think is billed and not shown
}

var (
	// Claude 3 to 4.6.
	claude = Factor{Mean: 1.14, Low: 1.09, High: 1.18, Texts: 37}
	// Opus 4.7 and 4.8, measured on 4.8. Theirs is another tokenizer; Anthropic says up to 1.35 times the tokens of the one
	// before.
	claudeOpus48 = Factor{Mean: 1.42, Low: 1.42, High: 1.42, Texts: 8}
	claudeSonnet = Factor{Mean: 1.53, Low: 1.53, High: 1.53, Texts: 5}
	gemini       = Factor{Mean: 1.05, Low: 1.04, High: 1.06, Texts: 47}
	geminiThinks = Factor{Mean: 1.05, Low: 1.04, High: 1.06, Texts: 47, Thinks: true}
	deepSeek     = Factor{Mean: 1.025, Low: 1.02, High: 1.03}
	mistral      = Factor{Mean: 1.065, Low: 1.04, High: 1.09}
	llama33      = Factor{Mean: 1.05, Low: 1.05, High: 1.05}
)

// vendors has the factors of each vendor by model family. They are what providers billed for recorded answers divided by the
// o200k_base tokens of the answers' text, in English; for Chinese and code they are other ones. A family that nobody measured
// is not here, and stays unknown.
var vendors = map[string]tiktoken.ByFamily[Factor]{
	"anthropic": {
		"claude-3": claude, "claude-3.": claude, "claude-4.": claude, // the last in a router's spelling, claude-4.5-haiku
		"claude-haiku-4": claude, "claude-haiku-4.": claude,
		"claude-sonnet-4": claude, "claude-sonnet-4.": claude,
		"claude-opus-4": claude, "claude-opus-4.": claude,
		"claude-opus-4-7": claudeOpus48, "claude-opus-4.7": claudeOpus48,
		"claude-opus-4-8": claudeOpus48, "claude-opus-4.8": claudeOpus48,
		"claude-sonnet-5": claudeSonnet,
	},
	"google":   {"gemini-2.": gemini, "gemini-2.5": geminiThinks, "gemini-2.5-flash-lite": gemini},
	"deepseek": {"deepseek-chat": deepSeek, "deepseek-v3": deepSeek, "deepseek-v3.": deepSeek, "deepseek-v4": deepSeek},
	"mistral":  {"mistral": mistral, "ministral": mistral},
	"meta":     {"llama-3.3": llama33, "llama3.3": llama33, "llama3-3": llama33}, // the last two are those of Ollama and Bedrock
}

// Vendors are the names that [ModelOptions.Vendors] can have, in alphabetical order.
func Vendors() []string { return slices.Sorted(maps.Keys(vendors)) }

// FactorOf returns the factor of a model, by any name that tiktoken.ByFamily understands; false if none is known.
func FactorOf(vendor, model string) (Factor, bool) { return vendors[vendor].Lookup(model) }
