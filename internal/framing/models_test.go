// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

func TestModelsOf(t *testing.T) {
	names := map[string]string{"prod-chat": "gpt-4o-mini", "old-chat": "cl100k_base", "gpt-4": "gpt-4o", "typo": "gpt-4oo"}
	for name, test := range map[string]struct {
		options           framing.ModelOptions
		request, response string
		want              tiktoken.Encoding // none if unknown
	}{
		"a model":                                {response: "gpt-4-0613", want: tiktoken.Cl100kBase},
		"the one that answered goes first":       {request: "gpt-4", response: "gpt-4o-2024-08-06", want: tiktoken.O200kBase},
		"only the one asked for":                 {request: "gpt-4", want: tiktoken.Cl100kBase},
		"an answer of another model":             {request: "gpt-4", response: "kimi-k2"},
		"a deployment":                           {options: framing.ModelOptions{Names: names}, request: "prod-chat", want: tiktoken.O200kBase},
		"a deployment that names what answered":  {options: framing.ModelOptions{Names: names}, request: "prod-chat", response: "gpt-4-0613", want: tiktoken.Cl100kBase},
		"a deployment, an answer without a name": {options: framing.ModelOptions{Names: names}, request: "prod-chat", response: "model", want: tiktoken.O200kBase},
		"a deployment by its encoding":           {options: framing.ModelOptions{Names: names}, request: "old-chat", want: tiktoken.Cl100kBase},
		"the map goes before the name":           {options: framing.ModelOptions{Names: names}, request: "gpt-4", want: tiktoken.O200kBase},
		"a name that means nothing":              {options: framing.ModelOptions{Names: names}, request: "typo"},
		"unknown":                                {request: "my-model"},
		"fallback":                               {options: framing.ModelOptions{Fallback: tiktoken.P50kBase}, request: "my-model", want: tiktoken.P50kBase},
		"another vendor":                         {request: "claude-opus-4-8"},
		"another vendor, wanted":                 {options: framing.ModelOptions{Vendors: []string{"anthropic"}}, request: "anthropic/claude-opus-4.8", want: tiktoken.O200kBase},
		"another vendor than the wanted":         {options: framing.ModelOptions{Vendors: []string{"google"}}, request: "claude-opus-4-8"},
		"a vendor's model that nobody measured":  {options: framing.ModelOptions{Vendors: []string{"anthropic"}}, request: "claude-opus-9"},
	} {
		t.Run(name, func(t *testing.T) {
			call := chat(t)
			call.RequestModel, call.ResponseModel = test.request, test.response
			got, ok := framing.NewModels(test.options).Of(call)
			require.Equal(t, test.want, got.Encoding)
			require.Equal(t, test.want != "", ok)
		})
	}
}

func TestCountsOfOtherVendors(t *testing.T) {
	models := framing.NewModels(framing.ModelOptions{Vendors: framing.Vendors()})
	c := framing.Call{Span: chat(t), Messages: &genai.Messages{
		Input: []genai.Message{message("user", "hello world")}, Output: []genai.Message{message("assistant", "a b c d e f g h i j")},
	}}
	c.Span.ResponseModel = "claude-opus-4-8"
	var ok bool
	c.Model, ok = models.Of(c.Span)
	require.True(t, ok)
	require.Equal(t, framing.Count{Tokens: 13, Source: semconv.SourceEstimated}, framing.Input(c, counter(t, "gpt-4o")), "9 × 1.42")
	require.Equal(t, framing.Count{Tokens: 14, Source: semconv.SourceEstimated}, framing.Output(c, counter(t, "gpt-4o")), "10 × 1.42")

	c.Span.ResponseModel = "gemini-2.5-pro"
	c.Model, ok = models.Of(c.Span)
	require.True(t, ok)
	require.Equal(t, framing.Count{Reason: framing.ReasonReasoning}, framing.Output(c, counter(t, "gpt-4o")))
}

func TestFactors(t *testing.T) {
	require.Equal(t, []string{"anthropic", "deepseek", "google", "meta", "mistral"}, framing.Vendors())
	for model, want := range map[string]struct {
		vendor string
		mean   float64
	}{
		"claude-3-5-sonnet-20241022":                 {"anthropic", 1.14},
		"claude-sonnet-4-20250514":                   {"anthropic", 1.14},
		"anthropic/claude-4.5-haiku-20251001":        {"anthropic", 1.14},
		"claude-opus-4-6":                            {"anthropic", 1.14},
		"us.anthropic.claude-sonnet-4-20250514-v1:0": {"anthropic", 1.14},
		"meta.llama3-3-70b-instruct-v1:0":            {"meta", 1.05},
		"claude-opus-4-8":                            {"anthropic", 1.42},
		"claude-sonnet-5":                            {"anthropic", 1.53},
		"google/gemini-2.5-flash":                    {"google", 1.05},
		"deepseek-chat":                              {"deepseek", 1.025},
		"mistral-small-latest":                       {"mistral", 1.065},
		"meta-llama/Llama-3.3-70B-Instruct":          {"meta", 1.05},
		"llama3.3:70b":                               {"meta", 1.05},
	} {
		got, ok := framing.FactorOf(want.vendor, model)
		require.True(t, ok, model)
		require.InDelta(t, want.mean, got.Mean, 0, model)
		require.LessOrEqual(t, got.Low, got.Mean, model)
		require.GreaterOrEqual(t, got.High, got.Mean, model)
	}
	_, ok := framing.FactorOf("openai", "gpt-4o")
	require.False(t, ok)
}
