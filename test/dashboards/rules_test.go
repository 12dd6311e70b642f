// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/teststorage"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// What is scraped in every case.
var healthy = []input{{series: `up{job="otelcol-mlflow",instance="c"}`, gauge: always(1)}}

func tokens(perMinute func(time.Duration) float64) []input {
	return []input{{series: `gen_ai_client_token_usage_sum{persona_id="p",token_source="reported"}`, perMinute: perMinute}}
}

func cost(perMinute func(time.Duration) float64) []input {
	return []input{{series: `gen_ai_client_cost_USD_total{persona_id="p"}`, perMinute: perMinute}}
}

// calls are calls per minute, and those of them that fail.
func callsPerMinute(succeed, fail float64) []input {
	return []input{
		{series: `gen_ai_client_operation_calls_total{persona_id="p",gen_ai_request_model="m"}`, perMinute: always(succeed)},
		{series: `gen_ai_client_operation_calls_total{persona_id="p",gen_ai_request_model="m",error_type="429"}`, perMinute: always(fail)},
	}
}

// lasting is calls that take up to 0.64 s, or up to 5.12 s when slow says so, at a rate per minute.
func lasting(perMinute float64, slow func(time.Duration) float64) []input {
	fast := func(at time.Duration) float64 { return perMinute * (1 - slow(at)) }
	const name = "gen_ai_client_operation_duration_seconds"
	return []input{
		{series: name + `_bucket{gen_ai_request_model="m",le="0.32"}`, perMinute: always(0)},
		{series: name + `_bucket{gen_ai_request_model="m",le="0.64"}`, perMinute: fast},
		{series: name + `_bucket{gen_ai_request_model="m",le="2.56"}`, perMinute: fast},
		{series: name + `_bucket{gen_ai_request_model="m",le="5.12"}`, perMinute: always(perMinute)},
		{series: name + `_bucket{gen_ai_request_model="m",le="+Inf"}`, perMinute: always(perMinute)},
		{series: name + `_count{gen_ai_request_model="m"}`, perMinute: always(perMinute)},
	}
}

// unknown is what the persona `unknown` costs, per minute.
func unknown(perMinute func(time.Duration) float64) []input {
	return []input{{series: `gen_ai_client_cost_USD_total{persona_id="unknown"}`, perMinute: perMinute}}
}

// mlflow is requests to MLflow per minute, and those of them that fail.
func mlflow(succeed, fail float64) []input {
	return []input{
		{series: `mlflow_http_request_total{instance="m",method="POST",status="200"}`, perMinute: always(succeed)},
		{series: `mlflow_http_request_total{instance="m",method="POST",status="500"}`, perMinute: always(fail)},
	}
}

// requests are those of the exporter per minute, that take up to a second, and up to five.
func requests(fast, slow float64) []input {
	const name = `otelcol_mlflow_request_duration_bucket{instance="c",endpoint="runs/create",outcome="ok",le=`
	return []input{
		{series: name + `"1"}`, perMinute: always(fast)},
		{series: name + `"2.5"}`, perMinute: always(fast)},
		{series: name + `"5"}`, perMinute: always(fast + slow)},
		{series: name + `"+Inf"}`, perMinute: always(fast + slow)},
	}
}

// queue is how much waits in a queue of 100,000, and the runs that are written per minute.
func queue(size func(time.Duration) float64, written float64) []input {
	return []input{
		{series: `otelcol_exporter_queue_size{data_type="traces",exporter="mlflow",instance="c"}`, gauge: size},
		{series: `otelcol_exporter_queue_capacity{data_type="traces",exporter="mlflow",instance="c"}`, gauge: always(100_000)},
		{series: `otelcol_mlflow_runs_written{instance="c"}`, perMinute: always(written)},
	}
}

// refused is spans that are refused, per minute.
func refused(perMinute func(time.Duration) float64) []input {
	return []input{{series: `otelcol_receiver_refused_spans{instance="c"}`, perMinute: perMinute}}
}

// daily is a rate that is ten times as high in the tenth hour of every day.
func daily(at time.Duration) float64 {
	if int(at.Hours())%24 == 9 {
		return 10_000
	}
	return 1_000
}

// alertCase is what Prometheus scrapes, and all alerts that it then fires.
type alertCase struct {
	alert  string // that it is about
	when   string
	start  time.Time // zero: the first of November
	end    time.Duration
	inputs []input
	want   []string
}

func TestWhenAlertsFire(t *testing.T) {
	november := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	cases := []alertCase{
		{
			alert: "GenAITokensUnusual", when: "ten times as many as usual, until they stop", end: 30 * time.Hour,
			inputs: tokens(func(at time.Duration) float64 {
				return change(1_000, 26*time.Hour, change(10_000, 28*time.Hour, 1_000)(at))(at)
			}),
			want: []string{`GenAITokensUnusual{persona_id="p"} 26h10–28h05`},
		},
		{alert: "GenAITokensUnusual", when: "no day old", end: day, inputs: tokens(change(1_000, 20*time.Hour, 10_000))},
		{alert: "GenAITokensUnusual", when: "ten times of nearly nothing", end: 28 * time.Hour, inputs: tokens(change(50, 26*time.Hour, 500))},
		{alert: "GenAITokensUnusual", when: "always up and down", end: 28 * time.Hour, inputs: tokens(func(at time.Duration) float64 {
			return []float64{500, 4_000, 1_000, 7_000}[int(at.Hours())%4]
		})},
		{
			// In its first week, a peak that comes every day is unusual: nothing says yet that it will come again.
			alert: "GenAITokensUnusual", when: "as a week ago", end: 9 * day, inputs: tokens(daily),
			want: []string{
				`GenAITokensUnusual{persona_id="p"} 105h10–106h05`, `GenAITokensUnusual{persona_id="p"} 129h10–130h05`,
				`GenAITokensUnusual{persona_id="p"} 153h10–154h05`, `GenAITokensUnusual{persona_id="p"} 33h10–34h05`,
				`GenAITokensUnusual{persona_id="p"} 57h10–58h05`, `GenAITokensUnusual{persona_id="p"} 81h10–82h05`,
			},
		},
		{
			alert: "GenAICostUnusual", when: "ten times as much as usual", end: 27 * time.Hour, inputs: cost(change(0.001, 26*time.Hour, 0.1)),
			want: []string{`GenAICostUnusual{persona_id="p"} 26h10–27h00`},
		},
		{alert: "GenAICostUnusual", when: "ten times of nearly nothing", end: 28 * time.Hour, inputs: cost(change(0.001, 26*time.Hour, 0.01))},

		{alert: "GenAICallsFail", when: "a fifth fails", end: time.Hour, inputs: callsPerMinute(20, 5), want: []string{
			`GenAICallsFail{gen_ai_request_model="m", persona_id="p"} 0h06–1h00`,
		}},
		{alert: "GenAICallsFail", when: "one in twenty fails", end: time.Hour, inputs: callsPerMinute(19, 1)},
		{alert: "GenAICallsFail", when: "the only call fails now and then", end: time.Hour, inputs: callsPerMinute(0, 1)},

		{
			alert: "GenAICallsSlow", when: "slower than yesterday", end: 27 * time.Hour, inputs: lasting(10, change(0, 26*time.Hour, 0.5)),
			want: []string{`GenAICallsSlow{gen_ai_request_model="m"} 26h10–27h00`},
		},
		{alert: "GenAICallsSlow", when: "always slow", end: 27 * time.Hour, inputs: lasting(10, always(0.5))},
		{alert: "GenAICallsSlow", when: "a call now and then", end: 27 * time.Hour, inputs: lasting(1, change(0, 26*time.Hour, 0.5))},

		// The budget of `unknown` is 100 dollars.
		{
			alert: "GenAIBudgetForecast", when: "a dollar an hour", end: 10 * time.Hour, inputs: unknown(always(1. / 60)),
			want: []string{`GenAIBudgetForecast{persona_id="unknown"} 7h00–10h00`},
		},
		{alert: "GenAIBudgetForecast", when: "ten cents an hour", end: 10 * time.Hour, inputs: unknown(always(0.1 / 60))},
		{
			alert: "GenAIBudgetUsed", when: "the month ends", start: november.Add(-day), end: 28 * time.Hour, inputs: unknown(always(5. / 60)),
			want: []string{`GenAIBudgetForecast{persona_id="unknown"} 7h00–20h00`, `GenAIBudgetUsed{persona_id="unknown"} 16h00–24h00`},
		},
		{alert: "GenAIBudgetUsed", when: "three quarters used", start: november.Add(-day), end: day - time.Hour, inputs: unknown(always(3. / 60))},

		{
			alert: "GenAITokensEstimated", when: "two in three", end: 2 * time.Hour, inputs: append(tokens(always(1_000)),
				input{series: `gen_ai_client_token_usage_sum{persona_id="p",token_source="counted"}`, perMinute: always(2_000)}),
			want: []string{`GenAITokensEstimated{persona_id="p"} 0h33–2h00`},
		},
		{alert: "GenAITokensEstimated", when: "one in three", end: 2 * time.Hour, inputs: append(tokens(always(2_000)),
			input{series: `gen_ai_client_token_usage_sum{persona_id="p",token_source="counted"}`, perMinute: always(1_000)})},

		{
			alert: "CollectorDown", when: "one of two", end: 10 * time.Minute,
			inputs: []input{{series: `up{job="otelcol-mlflow",instance="d"}`, gauge: change(1, 5*time.Minute, 0)}},
			want:   []string{`CollectorDown{host="d", job="otelcol-mlflow"} 0h07–0h10`},
		},
		{
			alert: "CollectorDown", when: "a pod, of which two ports are scraped", end: 10 * time.Minute,
			inputs: []input{
				{series: `up{job="otelcol-mlflow",instance="10.0.0.7:8888"}`, gauge: change(1, 5*time.Minute, 0)},
				{series: `up{job="otelcol-mlflow",instance="10.0.0.7:8889"}`, gauge: change(1, 5*time.Minute, 0)},
				{series: `up{job="otelcol-mlflow",instance="10.0.0.8:8888"}`, gauge: always(1)},
				{series: `up{job="otelcol-mlflow",instance="10.0.0.8:8889"}`, gauge: always(1)},
			},
			want: []string{`CollectorDown{host="10.0.0.7", job="otelcol-mlflow"} 0h07–0h10`},
		},
		{
			alert: "CollectorDown", when: "a restart", end: 10 * time.Minute,
			inputs: []input{{series: `up{job="otelcol-mlflow",instance="d"}`, gauge: func(at time.Duration) float64 {
				return change(1, 5*time.Minute, change(0, 6*time.Minute, 1)(at))(at)
			}}},
		},
		{
			alert: "MLflowDown", when: "down", end: 10 * time.Minute,
			inputs: []input{{series: `up{job="mlflow",instance="m"}`, gauge: change(1, 5*time.Minute, 0)}},
			want:   []string{`MLflowDown{instance="m", job="mlflow"} 0h07–0h10`},
		},
		{alert: "MLflowDown", when: "not scraped at all", end: 10 * time.Minute},
		{
			alert: "MLflowFails", when: "one in ten fails", end: 20 * time.Minute, inputs: mlflow(90, 10),
			want: []string{`MLflowFails{instance="m"} 0h06–0h20`},
		},
		{alert: "MLflowFails", when: "one in a hundred fails", end: 20 * time.Minute, inputs: mlflow(99, 1)},
		{
			alert: "MLflowSlow", when: "one in ten takes five seconds", end: time.Hour, inputs: requests(54, 6),
			want: []string{`MLflowSlow{instance="c"} 0h11–1h00`},
		},
		{alert: "MLflowSlow", when: "one in a hundred does", end: time.Hour, inputs: requests(99, 1)},
		{
			alert: "NoRunsWritten", when: "spans wait, nothing is written", end: 30 * time.Minute, inputs: queue(always(1_000), 0),
			want: []string{`NoRunsWritten{instance="c"} 0h10–0h30`},
		},
		{alert: "NoRunsWritten", when: "spans wait, runs are written", end: 30 * time.Minute, inputs: queue(always(1_000), 5)},
		{
			// With `dedupe: always`, spans that were sent again are no new runs.
			alert: "NoRunsWritten", when: "spans wait, their runs are there", end: 30 * time.Minute,
			inputs: append(queue(always(1_000), 0), input{series: `otelcol_mlflow_runs_found{instance="c"}`, perMinute: always(5)}),
		},
		{
			alert: "QueueFills", when: "four fifths full", end: 30 * time.Minute, inputs: queue(always(80_000), 5),
			want: []string{`QueueFills{data_type="traces", exporter="mlflow", instance="c"} 0h10–0h30`},
		},
		{alert: "QueueFills", when: "full for a moment", end: 30 * time.Minute, inputs: queue(func(at time.Duration) float64 {
			return change(0, 5*time.Minute, change(100_000, 10*time.Minute, 0)(at))(at)
		}, 5)},
		{
			alert: "SpansRefused", when: "since the start", end: 15 * time.Minute,
			inputs: refused(always(60)),
			want:   []string{`SpansRefused{instance="c"} 0h06–0h15`},
		},
		{alert: "SpansRefused", when: "for a moment", end: 15 * time.Minute, inputs: refused(func(at time.Duration) float64 {
			return change(0, 2*time.Minute, change(60, 3*time.Minute, 0)(at))(at)
		})},
	}
	for _, counter := range []struct{ alert, series, labels string }{
		{"RunsRejected", `otelcol_mlflow_runs_rejected{instance="c",reason="refused"}`, `{instance="c", reason="refused"}`},
		{"DoubtsDropped", `otelcol_mlflow_doubts_dropped{instance="c"}`, `{instance="c"}`},
		{"TokenProcessorFails", `otelcol_token_spans_failed{instance="c"}`, `{instance="c"}`},
		{"TooManySeries", `otelcol_deltatocumulative_datapoints{instance="c",error="limit"}`, `{instance="c"}`},
		{"TooManySeries", `gen_ai_client_operation_calls_total{instance="c",otel_metric_overflow="true"}`, `{instance="c"}`},
		{"TooManyExperiments", `otelcol_mlflow_spans_overflowed{instance="c"}`, `{instance="c"}`},
	} {
		// A counter begins with its first count, and a second comes later.
		cases = append(cases,
			alertCase{
				alert: counter.alert, when: "twice", end: 90 * time.Minute,
				inputs: []input{{series: counter.series, from: 20 * time.Minute, gauge: change(1, 60*time.Minute, 2)}},
				want:   []string{counter.alert + counter.labels + " 0h20–0h35", counter.alert + counter.labels + " 1h00–1h14"},
			},
			alertCase{alert: counter.alert, when: "never", end: 90 * time.Minute, inputs: []input{{series: counter.series, gauge: always(0)}}})
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, tt := range cases {
		t.Run(tt.alert+" "+tt.when, func(t *testing.T) {
			t.Parallel()
			if tt.start.IsZero() {
				tt.start = november
			}
			step := time.Minute
			if tt.end > 12*time.Hour {
				step = 5 * time.Minute
			}
			require.Equal(t, tt.want, simulate(t, tt.start, step, tt.end, append(healthy, tt.inputs...)))
		})
		if len(tt.want) > 0 {
			fires[tt.alert] = true
		} else {
			silent[tt.alert] = true
		}
	}
	for _, group := range ruleGroups(t, teststorage.New(t)) {
		for _, rule := range group.Rules() {
			if _, ok := rule.(*rules.AlertingRule); ok {
				require.True(t, fires[rule.Name()], "no case in which %s fires", rule.Name())
				require.True(t, silent[rule.Name()], "no case in which %s does not fire", rule.Name())
			}
		}
	}
}

func TestEveryAlertSaysWhatToDo(t *testing.T) {
	root, err := testbed.Root()
	require.NoError(t, err)
	runbooks, err := os.ReadFile(filepath.Join(root, "docs", "runbooks.md"))
	require.NoError(t, err)
	for _, group := range ruleGroups(t, teststorage.New(t)) {
		for _, rule := range group.Rules() {
			alert, ok := rule.(*rules.AlertingRule)
			if !ok {
				continue
			}
			annotations := alert.Annotations()
			require.NotEmpty(t, annotations.Get("summary"), alert.Name())
			require.NotEmpty(t, alert.Labels().Get("severity"), alert.Name())
			require.Equal(t, "https://github.com/otelcol-mlflow/otelcol-mlflow/blob/main/docs/runbooks.md#"+strings.ToLower(alert.Name()),
				annotations.Get("runbook_url"))
			require.Contains(t, string(runbooks), "\n## "+alert.Name()+"\n")
		}
	}
}
