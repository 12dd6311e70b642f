// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package pricing

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The format of https://github.com/pydantic/genai-prices, as far as it is used: prices/new_data/v2/data_slim.schema.json
// there, and the price_variants of its Python package. What it means is in the package's types.py.
type (
	providerJSON struct {
		ID            string      `json:"id"`
		ProviderMatch *clause     `json:"provider_match"`
		ModelMatch    *clause     `json:"model_match"`
		Fallback      []string    `json:"fallback_model_providers"`
		Models        []modelJSON `json:"models"`
	}
	modelJSON struct {
		ID       string          `json:"id"`
		Match    *clause         `json:"match"`
		Prices   json.RawMessage `json:"prices"` // pricesJSON, or a list of conditionalJSON
		Variants []variantJSON   `json:"price_variants"`
	}
	conditionalJSON struct {
		Constraint *constraintJSON            `json:"constraint"`
		Prices     map[string]json.RawMessage `json:"prices"`
	}
	variantJSON struct {
		When map[string]string `json:"when"`
		conditionalJSON
	}
	constraintJSON struct {
		StartDate string `json:"start_date"`
		StartTime string `json:"start_time"`
		EndTime   string `json:"end_time"`
	}
	tieredJSON struct {
		Base  float64 `json:"base"`
		Tiers []struct {
			Start int64   `json:"start"`
			Price float64 `json:"price"`
		} `json:"tiers"`
	}
)

// genaiUnits are the names of prices and how many they are for. The others are for what spans do not say.
var genaiUnits = map[string]struct {
	unit unit
	per  float64
}{
	"input_mtok":            {input, 1e6},
	"cache_read_mtok":       {cacheRead, 1e6},
	"cache_write_mtok":      {cacheWrite, 1e6},
	"input_audio_mtok":      {audioInput, 1e6},
	"cache_audio_read_mtok": {cachedAudio, 1e6},
	"output_mtok":           {output, 1e6},
	"output_reasoning_mtok": {reasoning, 1e6},
	"output_audio_mtok":     {audioOutput, 1e6},
	"requests_kcount":       {request, 1e3},
}

func (t *Table) addProviders(data []byte) error {
	var list []providerJSON
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("a price table of genai-prices: %w", err)
	}
	for i := range list {
		p, err := list[i].compile()
		if err != nil {
			return fmt.Errorf("provider %q: %w", list[i].ID, err)
		}
		t.providers = append(t.providers, p)
	}
	return nil
}

func (j *providerJSON) compile() (*provider, error) {
	p := &provider{id: strings.ToLower(j.ID), fallback: j.Fallback}
	var err error
	if p.called, err = j.ProviderMatch.matcher(); err != nil {
		return nil, fmt.Errorf("provider_match: %w", err)
	}
	if p.named, err = j.ModelMatch.matcher(); err != nil {
		return nil, fmt.Errorf("model_match: %w", err)
	}
	for i := range j.Models {
		m, err := j.Models[i].compile()
		if err != nil {
			return nil, fmt.Errorf("model %q: %w", j.Models[i].ID, err)
		}
		m.name = p.id + "/" + j.Models[i].ID
		p.models = append(p.models, m)
	}
	return p, nil
}

func (j *modelJSON) compile() (*model, error) {
	m := &model{}
	var err error
	match := j.Match
	if match == nil {
		match = &clause{Equals: &j.ID}
	}
	if m.match, err = match.matcher(); err != nil {
		return nil, fmt.Errorf("match: %w", err)
	}
	list := make([]conditionalJSON, 1)
	switch {
	case j.Prices == nil:
		err = errors.New("missing")
	case j.Prices[0] == '[':
		err = json.Unmarshal(j.Prices, &list)
	default:
		err = json.Unmarshal(j.Prices, &list[0].Prices)
	}
	if err != nil {
		return nil, fmt.Errorf("prices: %w", err)
	}
	for i := range list {
		c, err := list[i].compile()
		if err != nil {
			return nil, err
		}
		m.prices = append(m.prices, c)
	}
	for i := range j.Variants {
		v := &j.Variants[i]
		c, err := v.compile()
		if err != nil {
			return nil, fmt.Errorf("price_variants: %w", err)
		}
		if tier := v.tier(); tier != "" {
			m.variants = append(m.variants, variant{tier, c})
		}
	}
	return m, nil
}

// tier is the service tier that the variant is for; empty if it is for something that spans do not say.
func (j *variantJSON) tier() string {
	switch {
	case len(j.When) != 1:
		return ""
	case j.When["processing"] == tierBatch:
		return tierBatch
	default:
		return j.When["service_tier"]
	}
}

func (j *conditionalJSON) compile() (conditional, error) {
	var c conditional
	var err error
	if j.Constraint != nil {
		if c.valid, err = j.Constraint.compile(); err != nil {
			return c, err
		}
		if j.Constraint.StartDate != "" {
			c.since = " since " + j.Constraint.StartDate
		}
	}
	for name, value := range j.Prices {
		known, ok := genaiUnits[name]
		if !ok {
			continue
		}
		if c.prices[known.unit], err = parsePrice(value, known.per); err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
	}
	return c, nil
}

func (j *constraintJSON) compile() (validity, error) {
	var v validity
	if j.StartDate != "" {
		start, err := time.Parse(time.DateOnly, j.StartDate)
		if err != nil {
			return v, fmt.Errorf("start_date: %w", err)
		}
		v.start = start.Unix()
		return v, nil
	}
	v.daily = true
	for _, end := range []struct {
		name, text string
		seconds    *int64
	}{{"start_time", j.StartTime, &v.from}, {"end_time", j.EndTime, &v.to}} {
		clock, err := time.Parse("15:04:05Z07:00", end.text)
		if err != nil {
			return v, fmt.Errorf("%s: %w", end.name, err)
		}
		*end.seconds = momentOf(clock).clock
	}
	return v, nil
}

// parsePrice reads a number, or one that depends on the size of the prompt.
func parsePrice(data []byte, per float64) (price, error) {
	var tiered tieredJSON
	var err error
	if len(data) > 0 && data[0] == '{' {
		err = json.Unmarshal(data, &tiered)
	} else {
		err = json.Unmarshal(data, &tiered.Base)
	}
	if err != nil {
		return price{}, err
	}
	p := price{set: true}
	if p.base, err = newPrice(tiered.Base, per); err != nil {
		return price{}, err
	}
	for _, tier := range tiered.Tiers {
		amount, err := newPrice(tier.Price, per)
		if err != nil {
			return price{}, err
		}
		p.tiers = append(p.tiers, contextTier{tier.Start, amount})
	}
	p.sort()
	return p, nil
}
