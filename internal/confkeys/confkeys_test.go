// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package confkeys_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/confkeys"
)

// exporterConfig has the shapes that an exporter's config has.
type exporterConfig struct {
	HTTP  confighttp.ClientConfig                                  `mapstructure:",squash"`
	Queue configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	Retry configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
	Runs  struct {
		Color  bool              `mapstructure:"color"`
		Labels map[string]string `mapstructure:"labels"`
	} `mapstructure:"runs"`
	Rules   []rule                           `mapstructure:"rules"`
	ByName  map[string]*rule                 `mapstructure:"by_name"`
	Every   configoptional.Optional[*rule]   `mapstructure:"every"`
	Any     any                              `mapstructure:"any"`
	Open    open                             `mapstructure:"open"`
	Skipped int                              `mapstructure:"-"`
	Limit   configoptional.Optional[float64] `mapstructure:"limit"`
	Plain   time.Duration

	_ struct{}
}

type rule struct {
	Match string `mapstructure:"match"`
}

type open struct {
	Known string         `mapstructure:"known"`
	Rest  map[string]any `mapstructure:",remain"`
}

func TestCheckAcceptsKeysOfTheStruct(t *testing.T) {
	for name, section := range map[string]string{
		"nothing":          ``,
		"squashed":         `{endpoint: "http://h", tls: {insecure: true}, timeout: 5s}`,
		"free map":         `{headers: {x-any: y}, runs: {labels: {a: b}}}`,
		"headers as list":  `{headers: [{name: a, value: b}]}`,
		"optional":         `{sending_queue: {enabled: true, queue_size: 10, storage: file_storage/a, batch: {flush_timeout: 1s}}}`,
		"optional null":    `{sending_queue: }`,
		"optional scalar":  `{limit: 0.5}`,
		"optional pointer": `{every: {enabled: false, match: a}}`,
		"retry":            `{retry_on_failure: {enabled: true, max_elapsed_time: 0}}`,
		"list and map":     `{rules: [{match: a}, null], by_name: {b: {match: c}}}`,
		"interface":        `{any: {x: {y: z}}}`,
		"remain":           `{open: {known: a, unknown: b}}`,
		"untagged field":   `{Plain: 1s}`,
		"wrong type":       `{tls: 5, rules: {match: a}, by_name: [], runs: [a]}`,
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, confkeys.Check(parse(t, section), &exporterConfig{}))
		})
	}
}

func TestCheckNamesUnknownKeys(t *testing.T) {
	const queueKeys = "`batch`, `block_on_overflow`, `enabled`, `num_consumers`, `queue_size`, `sizer`, `storage`, `wait_for_result`"
	for name, test := range map[string]struct{ section, want string }{
		"nested": {
			section: `{runs: {colour: true}}`,
			want:    "unknown key `runs::colour`, did you mean `color`? (allowed here: `color`, `labels`)",
		},
		"several, in order": {
			section: `{runs: {y: 1}, by_name: {b: {x: 1}}}`,
			want: "unknown key `by_name::b::x` (allowed here: `match`)\n" +
				"unknown key `runs::y` (allowed here: `color`, `labels`)",
		},
		"in optional": {
			section: `{sending_queue: {queue_sise: 1}}`,
			want:    "unknown key `sending_queue::queue_sise`, did you mean `queue_size`? (allowed here: " + queueKeys + ")",
		},
		"in optional in optional": {
			section: `{sending_queue: {batch: {timeout: 1}}}`,
			want:    "unknown key `sending_queue::batch::timeout` (allowed here: `enabled`, `flush_timeout`, `max_size`, `min_size`, `partition`, `sizer`)",
		},
		"enabled where nothing is optional": {
			section: `{runs: {enabled: true}}`,
			want:    "unknown key `runs::enabled` (allowed here: `color`, `labels`)",
		},
		"in list": {
			section: `{rules: [{match: a}, {macth: b}]}`,
			want:    "unknown key `rules::1::macth`, did you mean `match`? (allowed here: `match`)",
		},
		"other case": {
			section: `{runs: {Color: true}}`,
			want:    "unknown key `runs::Color`, did you mean `color`? (allowed here: `color`, `labels`)",
		},
		"nothing allowed": {
			section: `{cookies: {jar: true, enabled: true}}`,
			want:    "unknown key `cookies::jar` (allowed here: `enabled`)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, confkeys.Check(parse(t, test.section), &exporterConfig{}), test.want)
		})
	}
}

func TestCheckLooksInsideAndBesideSquashedClientConfig(t *testing.T) {
	err := confkeys.Check(parse(t, `{endpoin: "http://h", tls: {insecur: true}, Skipped: 1}`), exporterConfig{})
	require.ErrorContains(t, err, "unknown key `endpoin`, did you mean `endpoint`?")
	require.ErrorContains(t, err, "unknown key `tls::insecur`, did you mean `insecure`?")
	require.ErrorContains(t, err, "unknown key `Skipped` (allowed here: `Plain`, `any`, `auth`, `by_name`, ")
	require.Len(t, strings.Split(err.Error(), "\n"), 3)
}

func TestCheckOfEmptyStruct(t *testing.T) {
	require.EqualError(t, confkeys.Check(parse(t, `{a: 1}`), struct{}{}), "unknown key `a` (no keys are allowed here)")
}

func parse(t *testing.T, section string) *confmap.Conf {
	t.Helper()
	var values map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(section), &values))
	return confmap.NewFromStringMap(values)
}
