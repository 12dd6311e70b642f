// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadata"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
)

// load returns the config of that name in testdata/config.yaml, and why it is refused.
func load(t *testing.T, name string) (*Config, error) {
	file, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(config); err != nil {
		return nil, err
	}
	return config, confmap.Validate(config)
}

// defaultConfig is what an empty section of a file says.
func defaultConfig(t *testing.T) *Config {
	config := createDefaultConfig().(*Config)
	require.NoError(t, confmap.New().Unmarshal(config))
	return config
}

func TestConfig(t *testing.T) {
	defaults := defaultConfig(t)
	assert.Equal(t, "http://mlflow:5000", defaults.ClientConfig.Endpoint)
	assert.Equal(t, "{persona_id}_{date}", defaults.Experiment.Name)
	assert.Zero(t, defaults.RetryConfig.MaxElapsedTime, "spans are never given up")

	everything := defaultConfig(t)
	everything.ClientConfig.Endpoint = "https://mlflow.example.com/base"
	everything.ClientConfig.Timeout = 10 * time.Second
	everything.ClientConfig.Headers = configopaque.MapList{{Name: "X-Team", Value: "personas"}}
	everything.ClientConfig.TLS.InsecureSkipVerify = true
	everything.Workspace = "team-a"
	everything.Persona = PersonaConfig{Attributes: []string{"bot.name", "persona.id"}, Default: "nobody"}
	everything.Experiment = ExperimentConfig{
		Name: "{service.name}/{persona_id}_{month}", Timezone: "Europe/Berlin", MaxPerDay: 50, OnDeleted: OnDeletedReject,
	}
	everything.Runs = RunsConfig{
		Name: "{persona_id} {operation} {time}", Color: "{persona_id}", Operations: []string{"chat", "execute_tool"}, MaxValueLength: 500,
	}
	everything.Content.Mode = "hash"
	everything.Traces = TracesConfig{Enabled: false, Mode: TracesWhole}
	everything.DeadLetter.Path = "/var/lib/otelcol/dead.jsonl"
	everything.Dedupe = DedupeAlways
	everything.ReconcileAfter = 5 * time.Minute
	everything.MaxConcurrency = 4
	everything.Store = StoreConfig{Type: StorePostgres, DSN: "postgresql+psycopg2://collector:secret@db/mlflow", SchemaCheck: postgres.SchemaFingerprint}
	everything.QueueConfig.Get().QueueSize = 7
	everything.QueueConfig.Get().NumConsumers = 2
	everything.RetryConfig.MaxElapsedTime = time.Hour

	for name, want := range map[string]*Config{"": defaults, "empty_means_default": defaults, "everything": everything} {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, name)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

func TestBadConfigNamesTheKeyAndWhatIsAllowed(t *testing.T) {
	for name, problems := range map[string][]string{
		"unknown_key":                  {"`endpont`", "endpoint", "max_concurrency", "sending_queue"},
		"unknown_key_in_http_settings": {"`tls::insecur`", "insecure", "ca_file"},
		"unknown_key_in_queue":         {"`sending_queue::size`", "queue_size"},
		"unknown_key_in_section":       {"`experiment::tz`", "timezone"},
		"content_by_other_ways": {
			"`experiment::name`: {gen_ai.prompt.0.content} carries prompts or responses, which `content::mode` \"hash\" keeps out of MLflow",
			"`runs::name`: {input.value} carries",
			"`runs::color`: {gen_ai.input.messages} carries",
			"`traces::mode` \"whole\" sends spans as they are, with all content; it needs `content::mode` \"full\"",
		},
		"everything_wrong": {
			"`endpoint` must be the URL of an MLflow server, such as http://mlflow:5000",
			"`timeout` must be above 0",
			"`compression` must be left out",
			"`persona::default` must not be empty",
			"`experiment::name`: \"{persona}_{date}\" has the unknown variable {persona}; allowed are {persona_id}, {date}",
			"`experiment::timezone`: \"Mars/Olympus\" is no IANA time zone",
			"`experiment::on_deleted` is \"ignore\"; allowed are \"restore\" and \"reject\"",
			"`runs::name`: \"{model\" has a { without }",
			"`runs::color`: \"{prompt}\" has the unknown variable {prompt}",
			"`traces::mode` is \"half\"; allowed are \"call\" and \"whole\"",
			"`prompts::link` links traces; it needs `traces::enabled`",
			"`runs::operations` must name at least one operation",
			"`runs::max_value_length`: must be between 100 and 6000",
			"`content::mode`: \"some\" is no mode; allowed are \"full\", \"hash\", \"off\"",
			"`experiment::max_per_day` must be at least 1",
			"`dedupe` is \"never\"; allowed are \"auto\" and \"always\"",
			"`reconcile_after` must be at least 1s",
			"`max_concurrency` must be at least 1",
			"`store::type` is \"mongo\"; allowed are \"rest\" and \"postgres\"",
			"`store::schema_check` is \"none\"; allowed are \"strict\" and \"fingerprint\"",
		},
		"password_in_endpoint": {"`endpoint` must not have a user or password", "`auth`"},
		"dsn_without_type":     {"`store::dsn` needs `store::type` \"postgres\""},
		"dsn_missing":          {"`store::dsn` must be a PostgreSQL connection string, such as postgresql://"},
		"dsn_of_sqlite":        {"`store::dsn` must be the address of a PostgreSQL database", "runs are not written to other databases"},
		"dsn_of_mysql":         {"`store::dsn` must be the address of a PostgreSQL database"},
		"dsn_malformed":        {"`store::dsn` is no PostgreSQL connection string", "%40"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, name)
			require.Error(t, err)
			for _, problem := range problems {
				require.ErrorContains(t, err, problem)
			}
			assert.NotContains(t, fmt.Sprintf("%v %+v", err, err), "s3cr3t")
		})
	}
}

func TestTheDSNIsNotShown(t *testing.T) {
	config, err := load(t, "everything")
	require.NoError(t, err)
	conf := confmap.New()
	require.NoError(t, conf.Marshal(config))
	assert.NotContains(t, fmt.Sprintf("%v %+v %v", config.Store, config, conf.ToStringMap()), "secret@")
}
