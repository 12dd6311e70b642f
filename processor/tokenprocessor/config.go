// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/confkeys"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// Config of the processor.
type Config struct {
	Persona PersonaConfig `mapstructure:"persona"`

	// ZeroUsage says what zero input and zero output tokens beside an answer mean: "missing", because some instrumentations
	// write zeros for a stream without usage, or "reported".
	ZeroUsage genai.ZeroUsage `mapstructure:"zero_usage"`
	// Models maps the name of a model or deployment, as spans have it, to the OpenAI model that it is. Where only the
	// encoding is known, that can be given in place of a model; counts are then estimated.
	Models map[string]string `mapstructure:"models"`
	// FallbackEncoding is used, and the counts are marked as estimated, for models that are not known otherwise. If empty,
	// nothing is counted for them.
	FallbackEncoding tiktoken.Encoding `mapstructure:"fallback_encoding"`
	// Vendors other than OpenAI whose models are counted by a factor on OpenAI's tokens: of framing.Vendors. Such counts are
	// marked as estimated. If empty, nothing is counted for them.
	Vendors []string `mapstructure:"vendors"`
	// LowerBounds asks for the count of what is visible, marked as partial, where the whole cannot be known, such as for the
	// answer of a reasoning model, or for content that was cut or is too long. An answer that was cut off has it in any case.
	LowerBounds bool `mapstructure:"lower_bounds"`
	// MaxContentBytes is the most content of one span, as it is on the span, that is read and counted. Of a span that has
	// more, nothing is, or with LowerBounds that much.
	MaxContentBytes int `mapstructure:"max_content_bytes"`

	Pricing PricingConfig `mapstructure:"pricing"`

	_ struct{}
}

// PersonaConfig is where a call's persona is found.
type PersonaConfig struct {
	// Attributes that name the persona, the first that is set wins: on the span, then its scope, then its resource.
	Attributes []string `mapstructure:"attributes"`
	// Default is the persona of a call that names none.
	Default string `mapstructure:"default"`

	_ struct{}
}

// PricingConfig is how the cost of a call is found.
type PricingConfig struct {
	// Enabled has the cost of every call written to its span.
	Enabled bool `mapstructure:"enabled"`
	// File has prices that come before the embedded ones, in JSON of genai-prices or LiteLLM. It is read again when it
	// changes. If empty, there are only the embedded ones.
	File string `mapstructure:"file"`

	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{
		Persona:         PersonaConfig{Attributes: slices.Clone(genai.DefaultPersonaAttributes), Default: "unknown"},
		ZeroUsage:       genai.ZeroUsageMissing,
		MaxContentBytes: 1 << 20,
		Pricing:         PricingConfig{Enabled: true},
	}
}

// Unmarshal refuses unknown keys in the words that all components of this project use.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := confkeys.Check(conf, c); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// Validate reports everything that is wrong with the config at once.
func (c *Config) Validate() error {
	var errs []error
	if len(c.Persona.Attributes) == 0 || slices.Contains(c.Persona.Attributes, "") {
		errs = append(errs, errors.New("`persona::attributes` must name at least one attribute, and none that is empty"))
	}
	if c.Persona.Default == "" {
		errs = append(errs, errors.New("`persona::default` must not be empty: it names the persona of calls without one"))
	}
	if c.ZeroUsage != genai.ZeroUsageMissing && c.ZeroUsage != genai.ZeroUsageReported {
		errs = append(errs, fmt.Errorf("`zero_usage` is %q; allowed are %q and %q", c.ZeroUsage, genai.ZeroUsageMissing, genai.ZeroUsageReported))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		if _, ok := framing.ModelNamed(c.Models[name]); !ok {
			errs = append(errs, fmt.Errorf("`models::%s` is %q; allowed are an OpenAI model, such as \"gpt-4o\", and %s", name, c.Models[name], quoted(tiktoken.Encodings())))
		}
	}
	if c.FallbackEncoding != "" && !slices.Contains(tiktoken.Encodings(), c.FallbackEncoding) {
		errs = append(errs, fmt.Errorf("`fallback_encoding` is %q; allowed are %s", c.FallbackEncoding, quoted(tiktoken.Encodings())))
	}
	for i, vendor := range c.Vendors {
		if !slices.Contains(framing.Vendors(), vendor) {
			errs = append(errs, fmt.Errorf("`vendors::%d` is %q; allowed are %s", i, vendor, quoted(framing.Vendors())))
		}
	}
	if c.MaxContentBytes < 1 {
		errs = append(errs, errors.New("`max_content_bytes` must be at least 1"))
	}
	return errors.Join(errs...)
}

// quoted lists names for an error message.
func quoted[S ~string](names []S) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strconv.Quote(string(name))
	}
	return strings.Join(list, ", ")
}
