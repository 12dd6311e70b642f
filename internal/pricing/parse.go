// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package pricing

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

//go:embed prices.json
var embedded []byte

// Embedded returns the table that comes with this package: list prices of some 50 providers, of the Python package
// genai-prices, under the licence in LICENSE.genai-prices. `make update-prices` makes it again.
func Embedded() (*Table, error) { return parseEmbedded() }

var parseEmbedded = sync.OnceValues(func() (*Table, error) {
	table, err := Parse("", time.Time{}, embedded)
	if err != nil {
		return nil, fmt.Errorf("the embedded price table: %w", err)
	}
	return table, nil
})

// Parse reads a table in the JSON format of genai-prices or in that of LiteLLM's model_prices_and_context_window.json, and
// finds out which it is. Name and date say in costs where they come from; a table that has its own keeps them.
//
// Of genai-prices it takes a list of providers, or an object that has them under "providers", with at least the fields of
// its slim data; a model may leave out "match" if it goes by its id alone. What neither has anything to do with tokens nor
// says which model is meant is not looked at. An error names the entry.
func Parse(name string, date time.Time, data []byte) (*Table, error) {
	t := &Table{name: name, date: date}
	data = bytes.TrimSpace(data)
	var err error
	if bytes.HasPrefix(data, []byte("[")) {
		err = t.addProviders(data)
	} else {
		err = t.addObject(data)
	}
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(t.providers, func(p *provider) bool { return len(p.models) > 0 }) {
		return nil, errors.New("no model has a price in it")
	}
	suffix := fmt.Sprintf(" (%s, %s)", t.name, t.date.Format(time.DateOnly))
	for _, p := range t.providers {
		for _, m := range p.models {
			m.table = suffix
		}
	}
	t.found, err = lru.New[key, *model](maxFound)
	return t, err
}

// addObject reads what is a genai-prices table if it has a list of providers, and else one of LiteLLM.
func (t *Table) addObject(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return fmt.Errorf("neither a price table of genai-prices nor one of LiteLLM: %w", err)
	}
	providers, ok := fields["providers"]
	if !ok {
		return t.addLiteLLM(fields)
	}
	var head struct{ Source, Date string }
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	if head.Source != "" {
		t.name = head.Source
	}
	if head.Date != "" {
		date, err := time.Parse(time.DateOnly, head.Date)
		if err != nil {
			return fmt.Errorf("date: %w", err)
		}
		t.date = date
	}
	return t.addProviders(providers)
}

// maxPrice is far above any price of a token, and far below what could make a cost infinite.
const maxPrice = 1000

// newPrice returns the price of a token in picodollars from the price of so many of them in US dollars.
func newPrice(dollars, tokens float64) (float64, error) {
	if perToken := dollars / tokens; perToken >= 0 && perToken <= maxPrice {
		// To a millionth of a picodollar, to get rid of the binary fractions of decimal prices.
		return math.Round(perToken*1e18) / 1e6, nil
	}
	return 0, fmt.Errorf("a price of %v dollars", dollars)
}
