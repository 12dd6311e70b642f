// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package pricing

import (
	"time"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
)

// Call is what the cost of a call depends on.
type Call struct {
	// Provider is the gen_ai.provider.name. If empty, the name of the model has to say whose it is.
	Provider string
	// Model is the name of the model that answered.
	Model string
	// ServiceTier is the tier that served the call, as the provider reported it; "batch" for a line of a batch. Empty and
	// "default" are the standard tier.
	ServiceTier string
	// Time is when the call was made: prices have dates.
	Time time.Time
	// Usage is the token counts. A breakdown that is absent counts as none: without CacheRead, all input is at full price.
	Usage genai.Usage
}

// Cost is what a call costs.
type Cost struct {
	// USD is US dollars at list price, without taxes, discounts and what is not billed by the token, such as web searches.
	USD float64
	// Source names the entry that gave the prices, since when they are valid where the table says so, and the table with
	// its date: "openai/gpt-4o batch since 2026-10-14 (genai-prices 0.2.3, 2026-11-10)".
	Source string
}

// Reason says why a cost is not known.
type Reason string

// The reasons.
const (
	ReasonNoUsage      Reason = "no_usage"      // a token count that is billed is absent
	ReasonBadUsage     Reason = "bad_usage"     // the parts of a count are more than the whole
	ReasonUnknownModel Reason = "unknown_model" // not in the table, or the provider is not
	ReasonUnknownTier  Reason = "unknown_tier"  // no price in this service tier at that time
	ReasonNoPrice      Reason = "no_price"      // no price for a kind of token that was used
)

// standardTiers are the words of providers for the tier that has no price of its own. "auto" is what a request asks for;
// an emitter that repeats it as the answer's tier knows of no other.
var standardTiers = map[string]bool{"": true, "default": true, "standard": true, "auto": true, "on_demand": true}

// tierBatch is a way to submit requests and not a tier for some providers. Spans say it as a tier all the same.
const tierBatch = "batch"

// Cost returns what the call costs, or the reason why that is not known.
func (t *Table) Cost(call *Call) (Cost, Reason) {
	counts, reason := split(&call.Usage)
	if reason != "" {
		return Cost{}, reason
	}
	entry := t.find(call.Provider, call.Model)
	if entry == nil {
		return Cost{}, ReasonUnknownModel
	}
	tier := call.ServiceTier
	if standardTiers[tier] {
		tier = ""
	}
	moment := momentOf(call.Time)
	rates := entry.rates(tier, moment)
	switch {
	case rates.standard == nil:
		return Cost{}, ReasonNoPrice
	case tier != "" && rates.tier == nil:
		return Cost{}, ReasonUnknownTier
	}
	dollars, reason := rates.sum(&counts, call.Usage.Input.Value)
	if reason == "" && !call.Usage.Output.Set && rates.of(output).base != 0 {
		reason = ReasonNoUsage
	}
	if reason != "" {
		return Cost{}, reason
	}
	return Cost{USD: dollars, Source: entry.source(tier, rates)}, ""
}

// unit is a kind of token that can have a price of its own.
type unit uint8

const (
	input unit = iota // text that is neither read from nor written to the cache
	cacheRead
	cacheWrite
	audioInput
	cachedAudio
	output // text that is no reasoning
	reasoning
	audioOutput
	request // the call itself
	numUnits
)

// instead is whose price is used for a kind of token that has none. That audio costs what text does is not assumed: it
// usually costs a multiple.
var instead = [numUnits]unit{
	input: input, cacheRead: input, cacheWrite: input,
	audioInput: audioInput, cachedAudio: audioInput,
	output: output, reasoning: output, audioOutput: audioOutput,
	request: request,
}

// split divides the usage into kinds that do not overlap. Whether cached tokens are text or audio no provider's usage on a
// span says; they are taken for text as far as there is so much of it.
func split(u *genai.Usage) (counts [numUnits]int64, reason Reason) {
	if !u.Input.Set {
		return counts, ReasonNoUsage
	}
	text := u.Input.Value - u.AudioInput.Value
	counts[cacheRead] = min(u.CacheRead.Value, text)
	counts[cachedAudio] = u.CacheRead.Value - counts[cacheRead]
	counts[cacheWrite] = u.CacheWrite.Value
	counts[audioInput] = u.AudioInput.Value - counts[cachedAudio]
	counts[input] = text - counts[cacheRead] - counts[cacheWrite]
	counts[reasoning] = u.Reasoning.Value
	counts[audioOutput] = u.AudioOutput.Value
	counts[output] = u.Output.Value - counts[reasoning] - counts[audioOutput]
	for _, n := range counts {
		if n < 0 {
			return counts, ReasonBadUsage
		}
	}
	counts[request] = 1
	return counts, ""
}

// rates is what an entry costs in one tier at one time.
type rates struct {
	standard *conditional
	tier     *variant // nil in the standard tier
	variants []variant
	moment   moment
}

// rates looks for the prices of a tier, "" being the standard one, that are valid at a time.
func (m *model) rates(tier string, at moment) rates {
	r := rates{moment: at}
	for i := len(m.prices) - 1; i >= 0; i-- {
		if m.prices[i].valid.at(at) {
			r.standard = &m.prices[i]
			break
		}
	}
	if tier == "" {
		return r
	}
	for i := range m.variants {
		if v := &m.variants[i]; v.tier == tier && v.valid.at(at) {
			r.tier, r.variants = v, m.variants[i:]
			break
		}
	}
	return r
}

// of returns the price of a unit: that of the first valid variant of the tier which has one, else the standard one.
func (r *rates) of(u unit) *price {
	for i := range r.variants {
		if v := &r.variants[i]; v.prices[u].set && v.tier == r.tier.tier && v.valid.at(r.moment) {
			return &v.prices[u]
		}
	}
	return &r.standard.prices[u]
}

// sum adds up what the counts cost. Prices are in picodollars per token, usually whole numbers: their sums are exact up to
// thousands of dollars.
func (r *rates) sum(counts *[numUnits]int64, prompt int64) (float64, Reason) {
	if !r.of(input).set {
		return 0, ReasonNoPrice
	}
	picodollars := 0.0
	for u, n := range counts {
		if n == 0 {
			continue
		}
		p := r.of(unit(u))
		if !p.set {
			p = r.of(instead[u])
		}
		if !p.set && unit(u) != request {
			return 0, ReasonNoPrice
		}
		picodollars += float64(n) * p.above(prompt)
	}
	return picodollars / 1e12, ""
}

func (m *model) source(tier string, r rates) string {
	if r.tier == nil {
		return m.name + r.standard.since + m.table
	}
	return m.name + " " + tier + r.tier.since + m.table
}
