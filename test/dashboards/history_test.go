// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build live

package dashboards

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/stretchr/testify/require"
)

// workload is what a persona asks of a model with a version of a prompt.
type workload struct {
	persona, model, prompt, version string
	calls                           float64 // per minute, at noon
	input, output                   float64 // tokens per call
	dollars                         float64 // per 1,000 tokens
	seconds                         float64 // median
	fails                           float64 // share
}

var workloads = []workload{
	{"tech_educator", "acme-large", "explain", "3", 6, 900, 350, 0.006, 4, 0.01},
	{"tech_educator", "acme-small", "explain", "4", 6, 700, 300, 0.0008, 1.5, 0.02},
	{"viral_content_creator", "acme-small", "hook", "1", 12, 300, 120, 0.0008, 0.9, 0.01},
	{"viral_content_creator", "acme-large", "hook", "2", 2, 320, 140, 0.006, 3, 0.01},
	{"support_agent", "acme-small", "none", "none", 8, 1500, 200, 0.0008, 1.8, 0.06},
}

// bounds are those of the shipped config.
var bounds = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}

// busy is how much there is to do at a time: less at night, never quite the same, and, for the creator of viral content, six
// times as much in the last two hours.
func (w workload) busy(now, end time.Time, random *rand.Rand) float64 {
	hour := float64(now.Hour()) + float64(now.Minute())/60
	level := 0.55 - 0.45*math.Cos(2*math.Pi*(hour-2)/24) + 0.1*random.Float64()
	if w.persona == "viral_content_creator" && end.Sub(now) < 2*time.Hour {
		level *= 6
	}
	return level
}

// writeHistory writes eight days into a database of Prometheus: calls of personas, scraped every five minutes, and what the
// shipped rules record of them.
func writeHistory(t *testing.T, dir string, end time.Time) {
	t.Helper()
	options := tsdb.DefaultOptions()
	options.MinBlockDuration = (30 * 24 * time.Hour).Milliseconds()
	options.MaxBlockDuration = options.MinBlockDuration
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, options, tsdb.NewDBStats())
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	groups := ruleGroups(t, db)
	for _, group := range groups {
		for _, rule := range group.Rules() {
			if alert, ok := rule.(*rules.AlertingRule); ok {
				alert.SetRestored(true) // there is no earlier state to wait for
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	counters := map[string]float64{}
	parsed := map[string]labels.Labels{}

	const step = 5 * time.Minute
	for now := end.Add(-8 * 24 * time.Hour); now.Before(end); now = now.Add(step) {
		appender := db.AppenderV2(t.Context())
		grow := func(metric, more string, w workload, by float64) {
			series := fmt.Sprintf(`%s{gen_ai_operation_name="chat",gen_ai_provider_name="acme",gen_ai_prompt_name=%q,gen_ai_prompt_version=%q,`+
				`gen_ai_request_model=%q,instance="history",job="shop",persona_id=%q%s}`, metric, w.prompt, w.version, w.model, w.persona, more)
			if _, ok := parsed[series]; !ok {
				parsed[series], err = promQL.ParseMetric(series)
				require.NoError(t, err)
			}
			counters[series] += by
			_, err := appender.Append(0, parsed[series], 0, now.UnixMilli(), counters[series], nil, nil, storage.AOptions{})
			require.NoError(t, err)
		}
		for _, w := range workloads {
			n := math.Round(w.calls * w.busy(now, end, random) * step.Minutes())
			failed := math.Round(n * w.fails)
			grow("gen_ai_client_operation_calls_total", "", w, n-failed)
			grow("gen_ai_client_operation_calls_total", `,error_type="429"`, w, failed)
			grow("gen_ai_client_token_usage_sum", `,gen_ai_token_type="input",token_source="reported"`, w, n*w.input)
			grow("gen_ai_client_token_usage_count", `,gen_ai_token_type="input",token_source="reported"`, w, n)
			grow("gen_ai_client_token_usage_sum", `,gen_ai_token_type="output",token_source="reported"`, w, n*w.output)
			grow("gen_ai_client_token_usage_count", `,gen_ai_token_type="output",token_source="reported"`, w, n)
			grow("gen_ai_client_inference_usage_cache_read_input_tokens_total", "", w, n*w.input/3)
			grow("gen_ai_client_inference_usage_reasoning_output_tokens_total", "", w, n*w.output/5)
			grow("gen_ai_client_cost_USD_total", "", w, n*(w.input+3*w.output)/1000*w.dollars)
			distribution(grow, "gen_ai_client_operation_duration_seconds", w, n, w.seconds)
			distribution(grow, "gen_ai_client_operation_time_to_first_chunk_seconds", w, n, w.seconds/5)
		}
		for persona, budget := range map[string]float64{"tech_educator": 800, "viral_content_creator": 200} {
			series := labels.FromStrings("__name__", "persona:gen_ai_budget_usd:month", "persona_id", persona)
			_, err := appender.Append(0, series, 0, now.UnixMilli(), budget, nil, nil, storage.AOptions{})
			require.NoError(t, err)
		}
		require.NoError(t, appender.Commit())
		for _, group := range groups {
			if group.Name() != "pipeline_alerts" {
				group.Eval(t.Context(), now)
			}
		}
	}
}

// distribution adds n calls to a histogram, log-normal around a median.
func distribution(grow func(metric, more string, w workload, by float64), metric string, w workload, n, median float64) {
	below := func(bound float64) float64 { return n * 0.5 * math.Erfc(-math.Log(bound/median)/(0.5*math.Sqrt2)) }
	for _, bound := range bounds {
		grow(metric+"_bucket", fmt.Sprintf(`,le="%v"`, bound), w, below(bound))
	}
	grow(metric+"_bucket", `,le="+Inf"`, w, n)
	grow(metric+"_count", "", w, n)
	grow(metric+"_sum", "", w, n*median*math.Exp(0.125))
}
