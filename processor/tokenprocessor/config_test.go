// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

func TestConfig(t *testing.T) {
	const encodings = `"cl100k_base", "o200k_base", "o200k_harmony", "p50k_base", "p50k_edit", "r50k_base"`
	for section, test := range map[string]struct {
		want         *Config
		unmarshalErr string
		validateErr  string
	}{
		"token": {want: createDefaultConfig().(*Config)},
		"token/all": {want: &Config{
			Persona:          PersonaConfig{Attributes: []string{"bot", "persona.id"}, Default: "nobody"},
			ZeroUsage:        genai.ZeroUsageReported,
			Models:           map[string]string{"prod-chat": "gpt-4o-mini", "eu/gpt-4.1": "o200k_base"},
			FallbackEncoding: tiktoken.Cl100kBase,
			Vendors:          []string{"anthropic", "google"},
			LowerBounds:      true,
			MaxContentBytes:  65536,
			Pricing:          PricingConfig{File: "prices.json"},
		}},
		"token/typo": {unmarshalErr: "unknown key `persona::attribute`, did you mean `attributes`? (allowed here: `attributes`, `default`)\n" +
			"unknown key `zero_usag`, did you mean `zero_usage`? (allowed here: `fallback_encoding`, `lower_bounds`, `max_content_bytes`, `models`, `persona`, `pricing`, `vendors`, `zero_usage`)"},
		"token/wrong_type": {unmarshalErr: "'max_content_bytes'"},
		"token/wrong_values": {validateErr: "`persona::attributes` must name at least one attribute, and none that is empty\n" +
			"`persona::default` must not be empty: it names the persona of calls without one\n" +
			"`zero_usage` is \"ignored\"; allowed are \"missing\" and \"reported\"\n" +
			"`models::dev-chat` is \"\"; allowed are an OpenAI model, such as \"gpt-4o\", and " + encodings + "\n" +
			"`models::prod-chat` is \"claude-opus-4-8\"; allowed are an OpenAI model, such as \"gpt-4o\", and " + encodings + "\n" +
			"`fallback_encoding` is \"o300k_base\"; allowed are " + encodings + "\n" +
			"`vendors::1` is \"openai\"; allowed are \"anthropic\", \"deepseek\", \"google\", \"meta\", \"mistral\"\n" +
			"`max_content_bytes` must be at least 1"},
		"token/empty_attribute": {validateErr: "`persona::attributes` must name at least one attribute, and none that is empty"},
	} {
		t.Run(section, func(t *testing.T) {
			file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
			require.NoError(t, err)
			conf, err := file.Sub(section)
			require.NoError(t, err)
			config := createDefaultConfig()
			err = conf.Unmarshal(config)
			if test.unmarshalErr != "" {
				require.ErrorContains(t, err, test.unmarshalErr)
				return
			}
			require.NoError(t, err)
			err = confmap.Validate(config)
			if test.validateErr != "" {
				require.EqualError(t, err, test.validateErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, config)
		})
	}
}

func TestReadmeShowsEveryOptionWithItsDefault(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, example, found := strings.Cut(string(readme), "```yaml\n")
	require.True(t, found)
	example, _, found = strings.Cut(example, "```")
	require.True(t, found)
	var document map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(example), &document))
	conf, err := confmap.NewFromStringMap(document).Sub("processors::token")
	require.NoError(t, err)

	shown := &Config{}
	require.NoError(t, conf.Unmarshal(shown))
	require.NoError(t, confmap.Validate(shown))
	require.NotEmpty(t, shown.Models)
	shown.Models = nil
	require.Empty(t, shown.Vendors)
	shown.Vendors = nil
	require.Equal(t, createDefaultConfig(), shown)
}

// TestEveryReasonIsDocumented holds the reasons in the README and in the metrics' documentation to those that there are.
func TestEveryReasonIsDocumented(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "../../internal/framing/framing.go", nil, 0)
	require.NoError(t, err)
	reasons := []string{string(reasonTooLong)}
	ast.Inspect(source, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			reasons = append(reasons, reason)
		}
		return true
	})

	var metadata struct {
		Attributes struct {
			Reason struct {
				Enum []string `yaml:"enum"`
			} `yaml:"reason"`
		} `yaml:"attributes"`
	}
	text, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &metadata))
	require.ElementsMatch(t, reasons, metadata.Attributes.Reason.Enum)

	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## What is never filled in, and why\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var shown []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(section, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			shown = append(shown, strings.Trim(name, "`"))
		}
	}
	require.ElementsMatch(t, reasons, shown)
}
