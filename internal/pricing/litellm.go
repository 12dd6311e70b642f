// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package pricing

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// liteUnits are the names of LiteLLM's prices, in dollars per token or call, without their endings.
var liteUnits = map[string]unit{
	"input_cost_per_token":              input,
	"cache_read_input_token_cost":       cacheRead,
	"cache_creation_input_token_cost":   cacheWrite,
	"input_cost_per_audio_token":        audioInput,
	"cache_read_input_audio_token_cost": cachedAudio,
	"output_cost_per_token":             output,
	"output_cost_per_reasoning_token":   reasoning,
	"output_cost_per_audio_token":       audioOutput,
	"input_cost_per_request":            request,
}

// liteEnding is what can follow the name of a price: the size of the prompt from which on it counts, and the service tier.
var liteEnding = regexp.MustCompile(`^(?:_above_(\d{1,12})k_tokens)?(?:_([a-z]+))?$`)

// addLiteLLM reads the format of https://github.com/BerriAI/litellm, model_prices_and_context_window.json: an object with
// one entry per model, by its name, often with its provider before it. It has no dates.
func (t *Table) addLiteLLM(entries map[string]json.RawMessage) error {
	providers := make(map[string]*liteProvider)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		m, family, err := liteEntry(entries[name])
		if err != nil {
			return fmt.Errorf("a price table of LiteLLM: model %q: %w", name, err)
		}
		if m == nil {
			continue
		}
		id := cmp.Or(aliases[family], family)
		p := providers[id]
		if p == nil {
			p = newLiteProvider(id)
			providers[id] = p
			t.providers = append(t.providers, &p.provider)
		}
		p.add(m, name, strings.TrimPrefix(name, family+"/"))
	}
	return nil
}

type liteProvider struct {
	provider
	alone map[string]bool // models that do not have the provider before their names
}

func newLiteProvider(id string) *liteProvider {
	p := &liteProvider{provider: provider{id: id}, alone: make(map[string]bool)}
	p.named = func(name string) bool { return p.alone[name] }
	return p
}

// add adds a model by its name in the table, and by that name without the provider.
func (p *liteProvider) add(m *model, name, bare string) {
	m.name = p.id + "/" + bare
	name, bare = strings.ToLower(name), strings.ToLower(bare)
	m.match = func(asked string) bool { return asked == bare || asked == name }
	p.alone[name] = p.alone[name] || name == bare
	p.models = append(p.models, m)
}

// liteEntry returns a model and the family of its provider, such as vertex_ai of vertex_ai-embedding-models; no model if it
// has no prices, as the entries that explain the others.
func liteEntry(data []byte) (*model, string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, "", err
	}
	m, err := liteModel(fields)
	if m == nil {
		return nil, "", err
	}
	var provider string
	if err := json.Unmarshal(fields["litellm_provider"], &provider); err != nil || provider == "" {
		return nil, "", errors.New("`litellm_provider` is missing")
	}
	family, _, _ := strings.Cut(provider, "-")
	if aliases[provider] != "" {
		family = provider
	}
	return m, family, nil
}

// liteModel returns the prices of a model, nil if it has none per token.
func liteModel(fields map[string]json.RawMessage) (*model, error) {
	tiers := make(map[string]*prices)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		unit, ending := liteUnit(name)
		if ending == nil || string(fields[name]) == "null" {
			continue
		}
		var dollars float64
		if err := json.Unmarshal(fields[name], &dollars); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		amount, err := newPrice(dollars, 1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		tier := ending[2]
		if tier == "batches" {
			tier = tierBatch
		}
		if tiers[tier] == nil {
			tiers[tier] = &prices{}
		}
		p := &tiers[tier][unit]
		if ending[1] == "" {
			p.set, p.base = true, amount
			continue
		}
		thousands, err := strconv.ParseInt(ending[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		p.tiers = append(p.tiers, contextTier{thousands * 1000, amount})
	}
	if tiers[""] == nil {
		return nil, nil //nolint:nilnil // many entries are for images, searches and the like
	}
	m := &model{}
	for _, tier := range slices.Sorted(maps.Keys(tiers)) {
		c := conditional{prices: *tiers[tier]}
		for u := range c.prices {
			c.prices[u].sort()
		}
		if tier == "" {
			m.prices = append(m.prices, c)
		} else {
			m.variants = append(m.variants, variant{tier, c})
		}
	}
	return m, nil
}

// liteUnit returns what a price is for and the parts of its ending; no parts if the field is not a price.
func liteUnit(name string) (unit, []string) {
	for base, unit := range liteUnits { // none is the beginning of another
		if ending, ok := strings.CutPrefix(name, base); ok {
			return unit, liteEnding.FindStringSubmatch(ending)
		}
	}
	return 0, nil
}
