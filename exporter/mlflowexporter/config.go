// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/run"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/confkeys"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
)

// Config of the exporter.
type Config struct {
	// ClientConfig is how to reach MLflow. Endpoint is the server's address; if it is empty, http://mlflow:5000 is used.
	// Compression is refused: MLflow's server reads no compressed body.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`
	// Workspace is the MLflow workspace to write to. If it is empty, the server's default is used.
	Workspace string `mapstructure:"workspace"`

	Persona    PersonaConfig    `mapstructure:"persona"`
	Experiment ExperimentConfig `mapstructure:"experiment"`
	Runs       RunsConfig       `mapstructure:"runs"`
	Content    ContentConfig    `mapstructure:"content"`
	Traces     TracesConfig     `mapstructure:"traces"`
	Prompts    PromptsConfig    `mapstructure:"prompts"`

	// Dedupe says which spans are looked for in MLflow before they are written: "auto", those that an earlier process may
	// have written, or "always", for spans that may come twice or to several collectors.
	Dedupe Dedupe `mapstructure:"dedupe"`
	// ReconcileAfter is when a span that may come to have two runs is looked at again. It should be longer than MLflow
	// takes to carry out a request that it has accepted.
	ReconcileAfter time.Duration `mapstructure:"reconcile_after"`
	// MaxConcurrency is how many runs the exporter writes at the same time, over all of its queue's consumers.
	MaxConcurrency int `mapstructure:"max_concurrency"`

	// Store is where runs are written.
	Store StoreConfig `mapstructure:"store"`

	// DeadLetter keeps the spans that MLflow can never take.
	DeadLetter DeadLetterConfig `mapstructure:"dead_letter"`

	// QueueConfig is the queue before the exporter. With `storage` it survives restarts and crashes.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	// RetryConfig is how spans that were not written are tried again. Its MaxElapsedTime is 0 by default: never give up.
	RetryConfig configretry.BackOffConfig `mapstructure:"retry_on_failure"`

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

// ExperimentConfig is which experiment a run belongs to.
type ExperimentConfig struct {
	// Name is the template of the experiment's name. If it is empty, {persona_id}_{date} is used.
	Name string `mapstructure:"name"`
	// Timezone is the IANA name of the time zone that {date} and {month} are in.
	Timezone string `mapstructure:"timezone"`
	// MaxPerDay is how many experiments the spans of one day may have. Further personas' runs go to the experiment of the
	// default persona.
	MaxPerDay int `mapstructure:"max_per_day"`
	// OnDeleted says what to do where the experiment was deleted in MLflow: "restore" it, or "reject" its runs.
	OnDeleted OnDeleted `mapstructure:"on_deleted"`

	_ struct{}
}

// OnDeleted says what to do where an experiment was deleted in MLflow.
type OnDeleted string

// What to do where an experiment was deleted in MLflow.
const (
	OnDeletedRestore OnDeleted = "restore"
	OnDeletedReject  OnDeleted = "reject"
)

// Dedupe says which spans are looked for in MLflow before they are written.
type Dedupe string

// Which spans are looked for in MLflow before they are written.
const (
	DedupeAuto   Dedupe = "auto"
	DedupeAlways Dedupe = "always"
)

// RunsConfig is which calls become runs, and what the runs look like.
type RunsConfig struct {
	// Name is the template of a run's name.
	Name string `mapstructure:"name"`
	// Color is the template of what runs have the same colour for, in MLflow's table and charts. If it is empty, MLflow
	// gives each run a colour of its own.
	Color string `mapstructure:"color"`
	// Operations are the values of gen_ai.operation.name that become runs.
	Operations []string `mapstructure:"operations"`
	// MaxValueLength is the greatest length of a prompt or response, in Unicode code points. Longer ones keep their head
	// and tail around a marker. MLflow itself keeps no more than 6000.
	MaxValueLength int `mapstructure:"max_value_length"`

	_ struct{}
}

// ContentConfig is how much of prompts and responses is written.
type ContentConfig struct {
	// Mode is "full", "hash" or "off".
	Mode string `mapstructure:"mode"`

	_ struct{}
}

// StoreConfig is where runs are written.
type StoreConfig struct {
	// Type is "rest", MLflow's API, or "postgres", the PostgreSQL database of the MLflow at ClientConfig.Endpoint; that
	// server is still asked for everything but runs. If it is empty, rest is used.
	Type StoreType `mapstructure:"type"`
	// DSN is how to reach the database: a URL, also as MLflow's --backend-store-uri has it, or key=value pairs.
	DSN configopaque.String `mapstructure:"dsn"`
	// SchemaCheck says which schemas of the database are written to: "strict", those of the MLflow versions that this
	// version was tested with, or "fingerprint", also others that have the same tables for runs. If it is empty, strict is
	// used.
	SchemaCheck postgres.SchemaCheck `mapstructure:"schema_check"`

	_ struct{}
}

// StoreType says how runs are written.
type StoreType string

// How runs are written.
const (
	StoreREST     StoreType = "rest"
	StorePostgres StoreType = "postgres"
)

// TracesConfig is which traces are written beside the runs.
type TracesConfig struct {
	// Enabled writes traces where the server takes them.
	Enabled bool `mapstructure:"enabled"`
	// Mode is "call", a trace for each call, linked to its run, or "whole", the trace that the call is part of, as it is.
	Mode TracesMode `mapstructure:"mode"`

	_ struct{}
}

// TracesMode says which traces are written beside the runs.
type TracesMode string

// Which traces are written beside the runs.
const (
	TracesCall  TracesMode = "call"
	TracesWhole TracesMode = "whole"
)

// PromptsConfig is what is done with the prompt versions that spans name.
type PromptsConfig struct {
	// Link shows traces on the page of their prompt in MLflow's registry, and prompts on the page of their experiment. It
	// costs a call for each trace.
	Link bool `mapstructure:"link"`

	_ struct{}
}

// modelOperations are the operations that call a model.
var modelOperations = []string{
	semconv.OperationChat, semconv.OperationTextCompletion, semconv.OperationGenerateContent, semconv.OperationEmbeddings,
}

// DeadLetterConfig is where spans are kept that MLflow can never take.
type DeadLetterConfig struct {
	// Path of a file that they are appended to, content included. If it is empty, they are counted and logged only.
	Path string `mapstructure:"path"`

	_ struct{}
}

const (
	defaultEndpoint       = "http://mlflow:5000"
	defaultExperimentName = "{persona_id}_{date}"
	defaultRunName        = "{model} · {prompt}"
	// On a server with two cores, more than eight at a time only makes each of them wait longer.
	defaultMaxConcurrency = 8
)

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Endpoint = defaultEndpoint
	client.Timeout = 30 * time.Second // SQLite makes a writer wait up to 20 s for its lock
	keepalive := confighttp.NewDefaultKeepaliveClientConfig()
	keepalive.MaxIdleConnsPerHost = 2 * defaultMaxConcurrency // Go's default of 2 would open a connection per call
	client.Keepalive = configoptional.Some(keepalive)
	retry := configretry.NewDefaultBackOffConfig()
	retry.MaxElapsedTime = 0
	return &Config{
		ClientConfig: client,
		Persona:      PersonaConfig{Attributes: slices.Clone(genai.DefaultPersonaAttributes), Default: "unknown"},
		Experiment:   ExperimentConfig{Name: defaultExperimentName, Timezone: "UTC", MaxPerDay: 200, OnDeleted: OnDeletedRestore},
		Runs: RunsConfig{
			Name:           defaultRunName,
			Color:          "{model}",
			Operations:     slices.Clone(modelOperations),
			MaxValueLength: run.MaxParam,
		},
		Content:        ContentConfig{Mode: string(run.ContentFull)},
		Traces:         TracesConfig{Enabled: true, Mode: TracesCall},
		Dedupe:         DedupeAuto,
		ReconcileAfter: 2 * time.Minute, // MLflow's own clients wait so long for an answer
		MaxConcurrency: defaultMaxConcurrency,
		Store:          StoreConfig{Type: StoreREST, SchemaCheck: postgres.SchemaStrict},
		QueueConfig:    configoptional.Some(exporterhelper.NewDefaultQueueConfig()),
		RetryConfig:    retry,
	}
}

// Unmarshal refuses unknown keys, which confighttp.ClientConfig would let pass, and turns empty values into defaults, so
// that an environment variable that is not set has the same effect as a key that is not there.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := confkeys.Check(conf, c); err != nil {
		return err
	}
	if err := conf.Unmarshal(c, confmap.WithIgnoreUnused()); err != nil {
		return err
	}
	if c.Experiment.Name == "" {
		c.Experiment.Name = defaultExperimentName
	}
	if c.ClientConfig.Endpoint == "" {
		c.ClientConfig.Endpoint = defaultEndpoint
	}
	c.Store.Type = cmp.Or(c.Store.Type, StoreREST)
	c.Store.SchemaCheck = cmp.Or(c.Store.SchemaCheck, postgres.SchemaStrict)
	return nil
}

// Validate reports everything that is wrong with the config at once.
func (c *Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.ClientConfig.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, errors.New("`endpoint` must be the URL of an MLflow server, such as "+defaultEndpoint))
	}
	if u, err := url.Parse(c.ClientConfig.Endpoint); err == nil && u.User != nil {
		errs = append(errs, errors.New("`endpoint` must not have a user or password, as addresses are logged: set `auth` to a basicauth extension"))
	}
	if c.ClientConfig.Timeout <= 0 {
		errs = append(errs, errors.New("`timeout` must be above 0: a call to MLflow that never ends would keep its span for ever"))
	}
	if c.ClientConfig.Compression.IsCompressed() {
		errs = append(errs, errors.New("`compression` must be left out: MLflow reads no compressed requests"))
	}
	if c.Persona.Default == "" {
		errs = append(errs, errors.New("`persona::default` must not be empty: it names the experiment of calls without a persona"))
	}
	if _, err := c.builder(); err != nil {
		errs = append(errs, err)
	}
	if c.Experiment.OnDeleted != OnDeletedRestore && c.Experiment.OnDeleted != OnDeletedReject {
		errs = append(errs, fmt.Errorf("`experiment::on_deleted` is %q; allowed are %q and %q", c.Experiment.OnDeleted, OnDeletedRestore, OnDeletedReject))
	}
	if c.Experiment.MaxPerDay < 1 {
		errs = append(errs, errors.New("`experiment::max_per_day` must be at least 1"))
	}
	if c.Traces.Mode != TracesCall && c.Traces.Mode != TracesWhole {
		errs = append(errs, fmt.Errorf("`traces::mode` is %q; allowed are %q and %q", c.Traces.Mode, TracesCall, TracesWhole))
	}
	if c.Traces.Enabled && c.Traces.Mode == TracesWhole && c.Content.Mode != string(run.ContentFull) {
		errs = append(errs, fmt.Errorf("`traces::mode` %q sends spans as they are, with all content; it needs `content::mode` %q",
			TracesWhole, run.ContentFull))
	}
	if c.Prompts.Link && !c.Traces.Enabled {
		errs = append(errs, errors.New("`prompts::link` links traces; it needs `traces::enabled`"))
	}
	if c.Dedupe != DedupeAuto && c.Dedupe != DedupeAlways {
		errs = append(errs, fmt.Errorf("`dedupe` is %q; allowed are %q and %q", c.Dedupe, DedupeAuto, DedupeAlways))
	}
	if c.ReconcileAfter < time.Second {
		errs = append(errs, errors.New("`reconcile_after` must be at least 1s"))
	}
	if err := c.Store.validate(); err != nil {
		errs = append(errs, err)
	}
	if len(c.Runs.Operations) == 0 {
		errs = append(errs, errors.New("`runs::operations` must name at least one operation, such as chat"))
	}
	if c.MaxConcurrency < 1 {
		errs = append(errs, errors.New("`max_concurrency` must be at least 1"))
	}
	return errors.Join(errs...)
}

func (c *StoreConfig) validate() error {
	var errs []error
	if c.SchemaCheck != postgres.SchemaStrict && c.SchemaCheck != postgres.SchemaFingerprint {
		errs = append(errs, fmt.Errorf("`store::schema_check` is %q; allowed are %q and %q", c.SchemaCheck, postgres.SchemaStrict, postgres.SchemaFingerprint))
	}
	switch c.Type {
	case StoreREST:
		if c.DSN != "" {
			errs = append(errs, fmt.Errorf("`store::dsn` needs `store::type` %q; with %q it is not used", StorePostgres, StoreREST))
		}
	case StorePostgres:
		if err := postgres.CheckDSN(string(c.DSN)); err != nil {
			errs = append(errs, fmt.Errorf("`store::dsn` %w", err))
		}
	default:
		errs = append(errs, fmt.Errorf("`store::type` is %q; allowed are %q and %q", c.Type, StoreREST, StorePostgres))
	}
	return errors.Join(errs...)
}

// minValueLength leaves room for something on both sides of the marker of a cut.
const minValueLength = 100

// builder makes what the config says about runs.
func (c *Config) builder() (*run.Builder, error) {
	var errs []error
	fail := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("`%s`: %w", key, err))
		}
	}
	experiment, err := run.ParseTemplate(c.Experiment.Name, run.ExperimentVariables)
	fail("experiment::name", err)
	name, err := run.ParseTemplate(c.Runs.Name, run.RunVariables)
	fail("runs::name", err)
	color, err := run.ParseTemplate(c.Runs.Color, run.ColorVariables)
	fail("runs::color", err)
	location, err := time.LoadLocation(c.Experiment.Timezone)
	if err != nil {
		fail("experiment::timezone", fmt.Errorf("%q is no IANA time zone, such as UTC or Europe/Berlin", c.Experiment.Timezone))
	}
	content := run.Content(c.Content.Mode)
	if !slices.Contains(run.Contents, content) {
		fail("content::mode", fmt.Errorf("%q is no mode; allowed are %s", c.Content.Mode, quoted(run.Contents)))
	}
	if content != run.ContentFull {
		reader := genai.NewReader(genai.Options{})
		for key, template := range map[string]run.Template{"experiment::name": experiment, "runs::name": name, "runs::color": color} {
			for _, attribute := range template.Attributes() {
				if reader.IsContent(attribute) {
					fail(key, fmt.Errorf("{%s} carries prompts or responses, which `content::mode` %q keeps out of MLflow", attribute, content))
				}
			}
		}
	}
	if c.Runs.MaxValueLength < minValueLength || c.Runs.MaxValueLength > run.MaxParam {
		fail("runs::max_value_length", fmt.Errorf("must be between %d and %d", minValueLength, run.MaxParam))
	}
	return &run.Builder{
		PersonaDefault: c.Persona.Default,
		ExperimentName: experiment,
		Name:           name,
		Color:          color,
		Location:       location,
		Content:        content,
		MaxValue:       c.Runs.MaxValueLength,
	}, errors.Join(errs...)
}

func quoted[S ~string](values []S) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("%q", v)
	}
	return strings.Join(texts, ", ")
}
