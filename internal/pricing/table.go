// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package pricing

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Table is the prices of models. It is safe for concurrent use.
type Table struct {
	name      string
	date      time.Time
	providers []*provider
	found     *lru.Cache[key, *model]
}

// maxFound is how many names of models a table remembers the entry of. Finding one compares the name with hundreds of
// rules; a program uses few names, and one that sends arbitrary ones must not fill the memory.
const maxFound = 4096

type key struct{ provider, model string }

// Name is what the table was made from, such as "genai-prices 0.2.3".
func (t *Table) Name() string { return t.name }

// Date is the day of the prices.
func (t *Table) Date() time.Time { return t.date }

// provider is who sends the invoice.
type provider struct {
	id       string
	called   matcher // of its names; nil if it has only its id
	named    matcher // of names of models that say enough to know the provider; nil if none does
	models   []*model
	fallback []string // ids of providers whose models it resells at their prices
}

// model is an entry of the table.
type model struct {
	name     string // provider/id
	table    string // " (name, date)"
	match    matcher
	prices   []conditional // of those that are valid, the last counts
	variants []variant
}

// conditional is prices with a time when they are valid.
type conditional struct {
	valid  validity
	since  string // " since 2006-01-02", or empty
	prices prices
}

// variant is the prices of a service tier, as far as they differ from the standard ones.
type variant struct {
	tier string
	conditional
}

// prices of all kinds of tokens.
type prices [numUnits]price

// price of a token in picodollars.
type price struct {
	set   bool
	base  float64
	tiers []contextTier // in the order of their start
}

// contextTier is the price of every token of a call whose prompt has more than start tokens.
type contextTier struct {
	start int64
	price float64
}

// above returns the price at a size of the prompt.
func (p *price) above(prompt int64) float64 {
	amount := p.base
	for _, tier := range p.tiers {
		if prompt > tier.start {
			amount = tier.price
		}
	}
	return amount
}

// sort puts the tiers in the order of their start.
func (p *price) sort() {
	slices.SortFunc(p.tiers, func(a, b contextTier) int { return cmp.Compare(a.start, b.start) })
}

// moment is a time, as prices depend on it.
type moment struct {
	unix  int64
	clock int64 // seconds since midnight UTC
}

const secondsPerDay = 24 * 60 * 60

func momentOf(t time.Time) moment {
	unix := t.Unix()
	return moment{unix: unix, clock: ((unix % secondsPerDay) + secondsPerDay) % secondsPerDay}
}

// validity is when a price is valid. The zero validity is always.
type validity struct {
	start    int64 // Unix time, zero for always
	daily    bool  // only between from and to, seconds since midnight UTC
	from, to int64
}

func (v *validity) at(m moment) bool {
	switch {
	case !v.daily:
		return v.start == 0 || m.unix >= v.start
	case v.from <= v.to:
		return v.from <= m.clock && m.clock < v.to
	default:
		return m.clock >= v.from || m.clock < v.to
	}
}

// matcher reports whether a name in lower case is meant.
type matcher func(name string) bool

// find returns the entry of a model, nil if there is none.
func (t *Table) find(provider, name string) *model {
	k := key{provider, name}
	if found, ok := t.found.Get(k); ok {
		return found
	}
	found := t.search(strings.ToLower(strings.TrimSpace(provider)), strings.ToLower(name))
	t.found.Add(key{strings.Clone(provider), strings.Clone(name)}, found)
	return found
}

// gateway is a proxy that is named as the provider and bills nothing: the provider stands before the model's name.
const gateway = "litellm"

// search does what find says, names being in lower case.
func (t *Table) search(provider, name string) *model {
	if name == "" {
		return nil
	}
	vendor, rest, routed := strings.Cut(name, "/")
	if provider == "" || provider == gateway {
		if routed {
			if p := t.provider(vendor); p != nil {
				return t.modelOf(p, rest)
			}
		}
		for _, p := range t.providers {
			if p.named != nil && p.named(name) {
				return t.modelOf(p, name)
			}
		}
		return nil
	}
	p := t.provider(provider)
	if p == nil {
		return nil
	}
	found := t.modelOf(p, name)
	if found == nil && routed && t.provider(vendor) == p {
		found = t.modelOf(p, rest)
	}
	return found
}

// aliases are names of providers in the GenAI conventions, in LiteLLM's table and in emitters that genai-prices has no rule
// for, or the wrong one.
var aliases = map[string]string{
	"az.ai.inference":        "azure", // GenAI conventions until 1.36
	"az.ai.openai":           "azure",
	"azure.ai.inference":     "azure",
	"azure.ai.openai":        "azure",
	"azure_ai":               "azure",
	"azure_openai":           "azure",
	"azure_text":             "azure",
	"aws.bedrock":            "aws",
	"bedrock":                "aws",
	"bedrock_converse":       "aws",
	"cohere_chat":            "cohere",
	"fireworks_ai":           "fireworks",
	"gcp.gemini":             "google",
	"gcp.gen_ai":             "google",
	"gcp.vertex_ai":          "google",
	"gemini":                 "google",
	"mistral_ai":             "mistral",
	"moonshot":               "moonshotai",
	"moonshot_ai":            "moonshotai",
	"text-completion-openai": "openai",
	"together_ai":            "together",
	"vertex_ai":              "google",
	"x_ai":                   "x-ai",
	"xai":                    "x-ai",
}

// provider returns the provider of a name: the one with this id, else the one that it is an alias of, else the first that
// says that it is called so. Nil if there is none.
func (t *Table) provider(name string) *provider {
	for _, id := range [...]string{name, aliases[name]} {
		for _, p := range t.providers {
			if p.id == id {
				return p
			}
		}
	}
	for _, p := range t.providers {
		if p.called != nil && p.called(name) {
			return p
		}
	}
	return nil
}

// modelOf returns the model of a provider, or of one whose models it resells. That its tiers cost the same there is not
// known, so these are left out.
func (t *Table) modelOf(p *provider, name string) *model {
	for _, spelling := range [...]string{name, compactDate.ReplaceAllString(name, "-$1-$2-$3$4")} {
		if found := p.model(spelling); found != nil {
			return found
		}
		for _, id := range p.fallback {
			if other := t.provider(id); other != nil {
				if found := other.model(spelling); found != nil {
					resold := *found
					resold.variants = nil
					return &resold
				}
			}
		}
	}
	return nil
}

// compactDate is a date as routers write it; tables have it with dashes.
var compactDate = regexp.MustCompile(`-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(:|-|$)`)

func (p *provider) model(name string) *model {
	for _, m := range p.models {
		if m.match(name) {
			return m
		}
	}
	return nil
}
