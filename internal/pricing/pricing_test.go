// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package pricing_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/pricing"
)

// Each invoice is written out as one would check it by hand: tokens times dollars per million of them, from the providers'
// price pages of the date.
func TestInvoices(t *testing.T) {
	const mtok = 1e-6
	table := embedded(t)
	for name, test := range map[string]struct {
		provider, model, tier, day string
		usage                      genai.Usage
		want                       float64
		source                     string
	}{
		"input and output": {
			provider: "openai", model: "gpt-4o-2024-08-06", day: "2026-11-20",
			usage:  usage(1000, 500),
			want:   (1000*2.50 + 500*10) * mtok,
			source: "openai/gpt-4o",
		},
		"cached input is a part of the input": {
			provider: "openai", model: "gpt-4o", day: "2026-11-20",
			usage:  with(usage(10_000, 300), func(u *genai.Usage) { u.CacheRead = genai.Some[int64](8_192) }),
			want:   ((10_000-8_192)*2.50 + 8_192*1.25 + 300*10) * mtok,
			source: "openai/gpt-4o",
		},
		"reasoning is a part of the output": {
			provider: "openai", model: "o3", day: "2026-11-20",
			usage:  with(usage(75, 1186), func(u *genai.Usage) { u.Reasoning = genai.Some[int64](1024) }),
			want:   (75*2 + 1186*8) * mtok,
			source: "openai/o3 since 2025-06-10",
		},
		"before the price was cut": {
			provider: "openai", model: "o3", day: "2025-06-09",
			usage:  usage(75, 1186),
			want:   (75*10 + 1186*40) * mtok,
			source: "openai/o3",
		},
		"reasoning with a price of its own": {
			provider: "perplexity", model: "sonar-deep-research", day: "2026-11-20",
			usage:  with(usage(100, 50_000), func(u *genai.Usage) { u.Reasoning = genai.Some[int64](40_000) }),
			want:   (100*2 + 10_000*8 + 40_000*3) * mtok,
			source: "perplexity/sonar-deep-research",
		},
		"cached, written to the cache and neither": {
			provider: "openai", model: "gpt-5.6-luna", day: "2026-11-20",
			usage: with(usage(20_000, 700), func(u *genai.Usage) {
				u.CacheRead, u.CacheWrite = genai.Some[int64](12_000), genai.Some[int64](5_000)
			}),
			want:   (3_000*0.20 + 12_000*0.02 + 5_000*0.25 + 700*1.20) * mtok,
			source: "openai/gpt-5.6-luna since 2026-07-30",
		},
		"the largest prompt at the lower price": {
			provider: "openai", model: "gpt-5.4", day: "2026-11-20",
			usage:  usage(272_000, 1000),
			want:   (272_000*2.50 + 1000*15) * mtok,
			source: "openai/gpt-5.4",
		},
		"a longer prompt makes every token of the call dearer": {
			provider: "openai", model: "gpt-5.4", day: "2026-11-20",
			usage:  with(usage(272_001, 1000), func(u *genai.Usage) { u.CacheRead = genai.Some[int64](200_000) }),
			want:   (72_001*5 + 200_000*0.50 + 1000*22.50) * mtok,
			source: "openai/gpt-5.4",
		},
		"batch, long prompt, cached": {
			provider: "openai", model: "gpt-5.4", tier: "batch", day: "2026-10-14",
			usage:  with(usage(300_000, 2000), func(u *genai.Usage) { u.CacheRead = genai.Some[int64](100_000) }),
			want:   (200_000*2.50 + 100_000*0.25 + 2000*11.25) * mtok,
			source: "openai/gpt-5.4 batch since 2026-10-14",
		},
		"batch without a price for cached input": {
			provider: "openai", model: "gpt-4.1-mini", tier: "batch", day: "2026-11-20",
			usage:  with(usage(5_000, 100), func(u *genai.Usage) { u.CacheRead = genai.Some[int64](1_024) }),
			want:   (3_976*0.20 + 1_024*0.10 + 100*0.80) * mtok, // cached input at the standard price
			source: "openai/gpt-4.1-mini batch since 2026-10-14",
		},
		"flex": {
			provider: "openai", model: "o3-2025-04-16", tier: "flex", day: "2026-11-20",
			usage:  with(usage(9_000, 400), func(u *genai.Usage) { u.CacheRead = genai.Some[int64](4_000) }),
			want:   (5_000*1 + 4_000*0.25 + 400*4) * mtok,
			source: "openai/o3 flex since 2026-10-12",
		},
		"priority": {
			provider: "openai", model: "gpt-4o", tier: "priority", day: "2026-11-20",
			usage:  usage(1000, 500),
			want:   (1000*4.25 + 500*17) * mtok,
			source: "openai/gpt-4o priority since 2026-10-12",
		},
		"asked for another tier and served in the standard one": {
			provider: "openai", model: "gpt-4o", tier: "default", day: "2026-11-20",
			usage:  usage(1000, 500),
			want:   (1000*2.50 + 500*10) * mtok,
			source: "openai/gpt-4o",
		},
		"audio in and out": {
			provider: "openai", model: "gpt-audio", day: "2026-11-20",
			usage: with(usage(600, 900), func(u *genai.Usage) {
				u.AudioInput, u.AudioOutput = genai.Some[int64](450), genai.Some[int64](800)
			}),
			want:   (150*2.50 + 450*32 + 100*10 + 800*64) * mtok,
			source: "openai/gpt-audio",
		},
		"cached tokens are text as far as there is text": {
			provider: "openai", model: "gpt-realtime", day: "2026-11-20",
			usage: with(usage(1000, 100), func(u *genai.Usage) {
				u.AudioInput, u.CacheRead = genai.Some[int64](700), genai.Some[int64](400)
			}),
			want:   (300*0.40 + 100*0.40 + 600*32 + 100*16) * mtok,
			source: "openai/gpt-realtime",
		},
		"embeddings have no output": {
			provider: "openai", model: "text-embedding-3-small", day: "2026-11-20",
			usage:  genai.Usage{Input: genai.Some[int64](8_000)},
			want:   8_000 * 0.02 * mtok,
			source: "openai/text-embedding-3-small",
		},
		"Azure at its own price": {
			provider: "azure.ai.openai", model: "o4-mini", day: "2026-11-20",
			usage:  usage(1000, 500),
			want:   (1000*1.10 + 500*4.40) * mtok,
			source: "azure/o4-mini",
		},
		"Azure at OpenAI's price": {
			provider: "azure.ai.openai", model: "gpt-4o-2024-11-20", day: "2026-11-20",
			usage:  usage(1000, 500),
			want:   (1000*2.50 + 500*10) * mtok,
			source: "openai/gpt-4o",
		},
		"Claude, written to the cache, long": {
			provider: "anthropic", model: "claude-sonnet-4-5-20250929", day: "2026-11-20",
			usage: with(usage(210_000, 1000), func(u *genai.Usage) {
				u.CacheRead, u.CacheWrite = genai.Some[int64](100_000), genai.Some[int64](60_000)
			}),
			want:   (50_000*6 + 100_000*0.60 + 60_000*7.50 + 1000*22.50) * mtok,
			source: "anthropic/claude-sonnet-4-5",
		},
		"Gemini": {
			provider: "gcp.gemini", model: "gemini-2.5-pro", day: "2026-11-20",
			usage:  usage(200_001, 10),
			want:   (200_001*2.50 + 10*15) * mtok,
			source: "google/gemini-2.5-pro",
		},
		"a fee per request": {
			provider: "perplexity", model: "sonar", day: "2026-11-20",
			usage:  usage(100, 200),
			want:   (100*1+200*1)*mtok + 12.0/1000,
			source: "perplexity/sonar",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cost, reason := table.Cost(&pricing.Call{
				Provider: test.provider, Model: test.model, ServiceTier: test.tier, Time: noon(t, test.day), Usage: test.usage,
			})
			require.Empty(t, reason)
			require.InEpsilon(t, test.want, cost.USD, 1e-12)
			require.Equal(t, test.source+" (genai-prices 0.2.3, 2026-11-10)", cost.Source)
		})
	}
}

func TestPriceOfTheHour(t *testing.T) {
	table := embedded(t)
	for clock, want := range map[string]float64{ // DeepSeek was cheaper in the night of Beijing, 16:30 to 00:30 UTC
		"00:29:59": 0.135, "00:30:00": 0.27, "16:29:59": 0.27, "16:30:00": 0.135,
	} {
		at, err := time.Parse(time.DateTime, "2025-03-01 "+clock)
		require.NoError(t, err)
		cost, reason := table.Cost(&pricing.Call{Provider: "deepseek", Model: "deepseek-chat", Time: at, Usage: usage(1e6, 0)})
		require.Empty(t, reason)
		require.InEpsilon(t, want, cost.USD, 1e-12, clock)
	}
}

func TestNoCostForWhatIsNotKnown(t *testing.T) {
	table := embedded(t)
	for name, test := range map[string]struct {
		change func(*pricing.Call)
		want   pricing.Reason
	}{
		"model":                        {func(c *pricing.Call) { c.Model = "gpt-9" }, pricing.ReasonUnknownModel},
		"no model":                     {func(c *pricing.Call) { c.Model = "" }, pricing.ReasonUnknownModel},
		"provider":                     {func(c *pricing.Call) { c.Provider = "ollama" }, pricing.ReasonUnknownModel},
		"model of another provider":    {func(c *pricing.Call) { c.Model = "claude-sonnet-4-5" }, pricing.ReasonUnknownModel},
		"tier":                         {func(c *pricing.Call) { c.ServiceTier = "scale" }, pricing.ReasonUnknownTier},
		"tier of another model":        {func(c *pricing.Call) { c.ServiceTier = "flex" }, pricing.ReasonUnknownTier},
		"tier before its price":        {func(c *pricing.Call) { c.ServiceTier, c.Time = "batch", noon(t, "2026-10-13") }, pricing.ReasonUnknownTier},
		"tier of a reseller":           {func(c *pricing.Call) { c.ServiceTier, c.Provider = "batch", "azure" }, pricing.ReasonUnknownTier},
		"audio of a model without":     {func(c *pricing.Call) { c.Usage.AudioInput = genai.Some[int64](1) }, pricing.ReasonNoPrice},
		"no input":                     {func(c *pricing.Call) { c.Usage.Input = genai.Optional[int64]{} }, pricing.ReasonNoUsage},
		"no output":                    {func(c *pricing.Call) { c.Usage.Output = genai.Optional[int64]{} }, pricing.ReasonNoUsage},
		"more cached than there is":    {func(c *pricing.Call) { c.Usage.CacheRead = genai.Some[int64](1001) }, pricing.ReasonBadUsage},
		"more reasoning than there is": {func(c *pricing.Call) { c.Usage.Reasoning = genai.Some[int64](501) }, pricing.ReasonBadUsage},
	} {
		t.Run(name, func(t *testing.T) {
			call := pricing.Call{Provider: "openai", Model: "gpt-4o", Time: noon(t, "2026-11-20"), Usage: usage(1000, 500)}
			_, reason := table.Cost(&call)
			require.Empty(t, reason)
			test.change(&call)
			cost, reason := table.Cost(&call)
			require.Equal(t, test.want, reason)
			require.Zero(t, cost)
		})
	}
}

func TestNamesOfModelsAndProviders(t *testing.T) {
	table := embedded(t)
	for _, test := range []struct{ provider, model, want string }{
		{"openai", "GPT-4o-mini", "openai/gpt-4o-mini"},
		{"openai", "gpt-4o-mini-20240718", "openai/gpt-4o-mini"}, // as OpenRouter and LiteLLM write dates
		{"openai", "openai/gpt-4o-mini", "openai/gpt-4o-mini"},
		{"openai", "ft:gpt-4o-mini-2024-07-18:org::id", "openai/ft:gpt-4o-mini"},
		{"", "gpt-4o", "openai/gpt-4o"},
		{"", "azure/o4-mini", "azure/o4-mini"},
		{"litellm", "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"},
		{"", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"},
		{"", "mistral-large-latest", "mistral/mistral-large"},
		{"aws.bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "aws/regional.anthropic.claude-3-haiku-20240307-v1:0"},
		{"gcp.vertex_ai", "gemini-2.5-pro", "google/gemini-2.5-pro"},
		{"gcp.gen_ai", "gemini-2.5-pro", "google/gemini-2.5-pro"},
		{"google", "gemini-2.5-pro-preview-tts", "google/gemini-2.5-pro-tts"},
		{"mistral_ai", "mistral-large-latest", "mistral/mistral-large"},
		{"x_ai", "grok-4-0709", "x-ai/grok-4-0709"},
		{"moonshot_ai", "kimi-k2-0905-preview", "moonshotai/kimi-k2-0905-preview"},
		{"groq", "openai/gpt-oss-20b", "groq/openai/gpt-oss-20b"},
		{"openrouter", "openai/gpt-4o", "openrouter/openai/gpt-4o"},
		{"openai", "llama3.1:8b", ""},
		{"", "qwen3:8b", ""},
		{"vllm", "openai/gpt-4o", ""},
	} {
		cost, reason := table.Cost(&pricing.Call{Provider: test.provider, Model: test.model, Time: noon(t, "2026-11-20"), Usage: usage(1e6, 1)})
		if test.want == "" {
			require.Equal(t, pricing.ReasonUnknownModel, reason, test)
			continue
		}
		require.Empty(t, reason, test)
		require.Contains(t, cost.Source, test.want+" ", test)
	}
}

func embedded(t testing.TB) *pricing.Table {
	t.Helper()
	table, err := pricing.Embedded()
	require.NoError(t, err)
	return table
}

func usage(input, output int64) genai.Usage {
	return genai.Usage{Input: genai.Some(input), Output: genai.Some(output)}
}

func with(u genai.Usage, change func(*genai.Usage)) genai.Usage {
	change(&u)
	return u
}

func noon(t testing.TB, day string) time.Time {
	t.Helper()
	date, err := time.Parse(time.DateOnly, day)
	require.NoError(t, err)
	return date.Add(12 * time.Hour)
}

func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile("prices.json")
	require.NoError(b, err)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pricing.Parse("", time.Time{}, data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCost(b *testing.B) {
	table := embedded(b)
	call := pricing.Call{Provider: "openai", Model: "gpt-4o-mini-2024-07-18", Time: noon(b, "2026-11-20"), Usage: usage(1000, 500)}
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, reason := table.Cost(&call); reason != "" {
				b.Fatal(reason)
			}
		}
	})
	b.Run("tier", func(b *testing.B) {
		call := call
		call.ServiceTier = "batch"
		b.ReportAllocs()
		for b.Loop() {
			if _, reason := table.Cost(&call); reason != "" {
				b.Fatal(reason)
			}
		}
	})
}
