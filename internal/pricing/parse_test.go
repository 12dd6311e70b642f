// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package pricing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/pricing"
)

// The formats in which a user can give prices.
const (
	genaiPrices = `[{"id": "azure", "models": [
		{"id": "Prod-Chat", "prices": {"input_mtok": 2, "output_mtok": 8, "web_searches_kcount": 10}},
		{"id": "dated", "prices": [{"constraint": {"start_date": "2026-11-01"}, "prices": {"input_mtok": 1, "output_mtok": 4}}]},
		{"id": "family", "match": {"and": [{"starts_with": "family-"}, {"regex": "^(?!.*(?:tts|[)]))"}, {"or": [{"ends_with": "-a"}, {"contains": "-B-"}]}]},
			"prices": {"input_mtok": {"base": 3, "tiers": [{"start": 2000, "price": 9}, {"start": 1000, "price": 6}]}, "output_mtok": 0},
			"price_variants": [
				{"when": {"service_tier": "flex", "route": "eu"}, "prices": {"input_mtok": 100}},
				{"when": {"service_tier": "flex"}, "constraint": {"start_time": "22:00:00+00:00", "end_time": "06:00:00Z"}, "prices": {"output_mtok": 1}},
				{"when": {"service_tier": "flex"}, "prices": {"input_mtok": 2, "output_mtok": 5}}]}
	]}]`
	liteLLM = `{
		"sample_spec": {"litellm_provider": "one of many", "max_tokens": "LEGACY"},
		"gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
			"cache_read_input_token_cost": 1.25e-06, "input_cost_per_token_batches": 1.25e-06, "output_cost_per_token_batches": 5e-06,
			"input_cost_per_audio_token": null, "search_context_cost_per_query": {"search_context_size_low": 0.03}},
		"azure/eu/gpt-4o": {"litellm_provider": "azure", "input_cost_per_token": 2.75e-06, "output_cost_per_token": 1.1e-05},
		"vertex_ai/pro": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
			"input_cost_per_token_above_200k_tokens": 2.5e-06, "input_cost_per_token_above_12hr": 1,
			"input_cost_per_token_flex": 6e-07, "input_cost_per_token_above_200k_tokens_flex": 1.2e-06},
		"dall-e-3": {"litellm_provider": "openai", "output_cost_per_image": 0.04}
	}`
)

func TestFormats(t *testing.T) {
	night, day := time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC), time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		table, provider, model, tier string
		at                           time.Time
		input                        int64 // the output is 1000 tokens
		want                         float64
		source                       string
		reason                       pricing.Reason
	}{
		"by the id":                   {genaiPrices, "azure", "prod-chat", "", day, 1000, 0.002 + 0.008, "azure/Prod-Chat", ""},
		"before all dates":            {genaiPrices, "azure", "dated", "", day.AddDate(0, -1, 0), 1000, 0, "", pricing.ReasonNoPrice},
		"after a date":                {genaiPrices, "azure", "dated", "", day, 1000, 0.001 + 0.004, "azure/dated since 2026-11-01", ""},
		"rules":                       {genaiPrices, "azure", "family-1-b-2", "", day, 1000, 0.003, "azure/family", ""},
		"a rule that says no":         {genaiPrices, "azure", "family-tts-a", "", day, 1000, 0, "", pricing.ReasonUnknownModel},
		"first tier":                  {genaiPrices, "azure", "family-a", "", day, 1001, 1001 * 6e-6, "azure/family", ""},
		"second tier":                 {genaiPrices, "azure", "family-a", "", day, 2001, 2001 * 9e-6, "azure/family", ""},
		"variant by day":              {genaiPrices, "azure", "family-a", "flex", day, 1000, 0.002 + 0.005, "azure/family flex", ""},
		"variant by night, and rest":  {genaiPrices, "azure", "family-a", "flex", night, 1000, 0.002 + 0.001, "azure/family flex", ""},
		"LiteLLM":                     {liteLLM, "openai", "gpt-4o", "", day, 1000, 0.0025 + 0.01, "openai/gpt-4o", ""},
		"LiteLLM, batch":              {liteLLM, "openai", "gpt-4o", "batch", day, 1000, 0.00125 + 0.005, "openai/gpt-4o batch", ""},
		"LiteLLM, no such tier":       {liteLLM, "openai", "gpt-4o", "flex", day, 1000, 0, "", pricing.ReasonUnknownTier},
		"LiteLLM, by the model alone": {liteLLM, "", "gpt-4o", "", day, 1000, 0.0025 + 0.01, "openai/gpt-4o", ""},
		"LiteLLM, deployment":         {liteLLM, "azure.ai.openai", "EU/gpt-4o", "", day, 1000, 0.00275 + 0.011, "azure/eu/gpt-4o", ""},
		"LiteLLM, the whole name":     {liteLLM, "azure", "azure/eu/gpt-4o", "", day, 1000, 0.00275 + 0.011, "azure/eu/gpt-4o", ""},
		"LiteLLM, long prompt":        {liteLLM, "gcp.vertex_ai", "pro", "", day, 200_001, 200_001*2.5e-6 + 0.01, "google/pro", ""},
		"LiteLLM, long prompt, tier":  {liteLLM, "gcp.vertex_ai", "pro", "flex", day, 200_001, 200_001*1.2e-6 + 0.01, "google/pro flex", ""},
		"LiteLLM, no price per token": {liteLLM, "openai", "dall-e-3", "", day, 1000, 0, "", pricing.ReasonUnknownModel},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := pricing.Parse("prices.json", day, []byte(test.table))
			require.NoError(t, err)
			cost, reason := table.Cost(&pricing.Call{
				Provider: test.provider, Model: test.model, ServiceTier: test.tier, Time: test.at, Usage: usage(test.input, 1000),
			})
			require.Equal(t, test.reason, reason)
			require.InDelta(t, test.want, cost.USD, 1e-15)
			if test.source != "" {
				require.Equal(t, test.source+" (prices.json, 2026-11-20)", cost.Source)
			}
		})
	}
}

func TestTableSaysWhatItIs(t *testing.T) {
	table, err := pricing.Parse("prices.json", time.Time{}, []byte(`{"source": "ours", "date": "2026-11-02", "providers": `+genaiPrices+`}`))
	require.NoError(t, err)
	require.Equal(t, "ours", table.Name())
	require.Equal(t, time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), table.Date())
}

func TestErrorsNameTheEntry(t *testing.T) {
	for document, want := range map[string]string{
		``:                                   "neither a price table of genai-prices nor one of LiteLLM: unexpected end of JSON input",
		`[]`:                                 "no model has a price in it",
		`{}`:                                 "no model has a price in it",
		`[{"id": "a"}]`:                      "no model has a price in it",
		`[1]`:                                "a price table of genai-prices: json: cannot unmarshal number",
		`{"providers": 1}`:                   "a price table of genai-prices: json: cannot unmarshal number",
		`{"gpt-4o": 1}`:                      `a price table of LiteLLM: model "gpt-4o": json: cannot unmarshal number`,
		`{"date": "1 May", "providers": []}`: "date: parsing time",
		`{"gpt-4o": {"input_cost_per_token": 1}}`:                            "a price table of LiteLLM: model \"gpt-4o\": `litellm_provider` is missing",
		`{"gpt-4o": {"litellm_provider": "a", "input_cost_per_token": "1"}}`: `model "gpt-4o": input_cost_per_token: json: cannot unmarshal string`,
		`{"gpt-4o": {"litellm_provider": "a", "output_cost_per_token": -1}}`: `model "gpt-4o": output_cost_per_token: a price of -1 dollars`,
		model(`"id": "m"`): `provider "p": model "m": prices: missing`,
		model(`"id": "m", "prices": {"input_mtok": "1"}`):                                               `provider "p": model "m": input_mtok: json: cannot unmarshal string`,
		model(`"id": "m", "prices": {"input_mtok": -0.5}`):                                              `input_mtok: a price of -0.5 dollars`,
		model(`"id": "m", "prices": {"input_mtok": {"base": 1, "tiers": [{"start": 1, "price": -1}]}}`): `input_mtok: a price of -1 dollars`,
		model(`"id": "m", "prices": [{"constraint": {"start_date": "soon"}, "prices": {}}]`):            `start_date: parsing time "soon"`,
		model(`"id": "m", "prices": [{"constraint": {"start_time": "9"}, "prices": {}}]`):               `start_time: parsing time "9"`,
		model(`"id": "m", "match": {"like": "m"}, "prices": {}`):                                        `match: a rule must be one of equals, starts_with,`,
		model(`"id": "m", "match": {"regex": "("}, "prices": {}`):                                       `match: regex: error parsing regexp: missing closing )`,
		model(`"id": "m", "match": {"regex": "^(?!a"}, "prices": {}`):                                   "match: regex: missing closing ): `^(?!a`",
		model(`"id": "m", "match": {"or": [{}]}, "prices": {}`):                                         `match: a rule must be one of`,
		`[{"id": "p", "provider_match": {}, "models": []}]`:                                             `provider "p": provider_match: a rule must be one of`,
		`[{"id": "p", "model_match": {}, "models": []}]`:                                                `provider "p": model_match: a rule must be one of`,
	} {
		_, err := pricing.Parse("prices.json", time.Time{}, []byte(document))
		require.ErrorContains(t, err, want, document)
	}
}

func model(fields string) string { return `[{"id": "p", "models": [{` + fields + `}]}]` }

func FuzzParse(f *testing.F) {
	f.Add([]byte(genaiPrices), "azure", "family-a", "flex", int64(1500), int64(10))
	f.Add([]byte(liteLLM), "", "gpt-4o", "batch", int64(1500), int64(-1))
	f.Add([]byte(model(`"id": "m", "match": {"regex": "^(?![^/]+/)(?:m|n)"}, "prices": {"input_mtok": 1e308}`)), "p", "m-20261120", "", int64(1)<<62, int64(0))
	f.Fuzz(func(t *testing.T, document []byte, provider, name, tier string, in, cached int64) {
		table, err := pricing.Parse("fuzz", time.Time{}, document)
		if err != nil {
			return
		}
		call := pricing.Call{Provider: provider, Model: name, ServiceTier: tier, Usage: genai.Usage{
			Input: genai.Some(in), Output: genai.Some[int64](1), CacheRead: genai.Some(cached), AudioInput: genai.Some(cached / 2),
		}}
		cost, reason := table.Cost(&call)
		again, reasonAgain := table.Cost(&call)
		require.Equal(t, cost, again)
		require.Equal(t, reason, reasonAgain)
		if reason != "" {
			require.Zero(t, cost)
			return
		}
		require.GreaterOrEqual(t, cost.USD, 0.0)
		require.NotEmpty(t, cost.Source)
	})
}
