// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

func pipeline() dashboard {
	const here = `instance=~"$instance"`
	const mlflow = here + `,exporter=~"mlflow(/.*)?"`
	return newDashboard("pipeline", "pipeline", "The collector and MLflow: what waits, what is refused, what became of it.",
		[]variable{labelValues("instance", "Collector", "otelcol_process_uptime", "instance")},
		alarming(stat("Queue, full", share, "max(otelcol_exporter_queue_size{"+mlflow+"} / otelcol_exporter_queue_capacity)"), 0.5, 0.7),
		alarming(stat("Spans refused", count, "sum(increase(otelcol_receiver_refused_spans{"+here+"}[$__range]))"), 1, 1),
		stat("Runs written", count, "sum(increase(otelcol_mlflow_runs_written{"+here+"}[$__range]))"),
		alarming(stat("Runs rejected", count, "sum(increase(otelcol_mlflow_runs_rejected{"+here+"}[$__range])) or vector(0)"), 1, 1),
		alarming(stat("Spans to look at again", count, "sum(otelcol_mlflow_doubts_waiting{"+here+"})"), 100, 10_000),
		described("Token counts that are not reported by a provider.", stat("Tokens counted here", share,
			orZero(over("", tokenUsage+"_sum", `token_source!="reported"`), over("", tokenUsage+"_sum", ""))+" / "+over("", tokenUsage+"_sum", ""))),

		graph("Queue", byteSize,
			query{"otelcol_exporter_queue_size{" + mlflow + "}", "{{instance}} {{exporter}}"},
			query{"otelcol_exporter_queue_capacity{" + mlflow + "}", "capacity of {{instance}} {{exporter}}"}),
		graph("Spans accepted and refused, per second", perSec,
			query{pace("transport", "otelcol_receiver_accepted_spans", here), "accepted by {{transport}}"},
			query{pace("transport", "otelcol_receiver_refused_spans", here), "refused by {{transport}}"}),
		graph("Runs per second", perSec,
			query{pace("", "otelcol_mlflow_runs_written", here), "written"},
			query{pace("", "otelcol_mlflow_runs_found", here), "found again"},
			query{pace("", "otelcol_mlflow_runs_deduplicated", here), "second runs deleted"},
			query{pace("reason", "otelcol_mlflow_runs_rejected", here), "rejected: {{reason}}"}),
		graph("Spans that became no run, per second", perSec,
			query{pace("reason", "otelcol_mlflow_spans_skipped", here), "{{reason}}"},
			query{pace("", "otelcol_mlflow_spans_overflowed", here), "too many experiments"}),
		graph("Requests of the exporter to MLflow, p95", seconds,
			query{"histogram_quantile(0.95, sum by (endpoint, le) (rate(otelcol_mlflow_request_duration_bucket{" + here + "}[$__rate_interval])))", "{{endpoint}}"}),
		described("ok, absent and exists are no faults. unknown: it may have been carried out.", graph("Requests of the exporter to MLflow, per second", perSec,
			query{pace("endpoint, outcome", "otelcol_mlflow_request_duration_count", here), "{{endpoint}}: {{outcome}}"})),
		graph("Runs being written, and waiting for another attempt", count,
			query{"otelcol_mlflow_runs_in_flight{" + here + "}", "{{instance}}: being written"},
			query{"otelcol_mlflow_runs_waiting{" + here + "}", "{{instance}}: waiting"}),
		described("MLflow's own metrics, of all its users.", graph("MLflow's answers, per second", perSec,
			query{"sum by (method, status) (rate(mlflow_http_request_total[$__rate_interval]))", "{{method}} {{status}}"})),
		graph("MLflow's answers, p95", seconds, query{
			"histogram_quantile(0.95, sum by (method, le) (rate(mlflow_http_request_duration_seconds_bucket[$__rate_interval])))", "{{method}}",
		}),

		graph("Token counts filled in, per minute", perMin, query{"60 * " + pace("side, source", "otelcol_token_counts_filled", here), "{{side}}, {{source}}"}),
		graph("Token counts missing, per minute", perMin, query{"60 * " + pace("side, reason", "otelcol_token_counts_missing", here), "{{side}}, {{reason}}"}),
		described("Of all tokens. A number that a provider did not report is counted, estimated or a lower bound (partial).",
			graph("Tokens by source", share, query{
				pace("token_source", tokenUsage+"_sum", "") + " / on () group_left () " + pace("", tokenUsage+"_sum", ""), "{{token_source}}",
			})),
		graph("Memory", byteSize, query{"otelcol_process_memory_rss{" + here + "}", "{{instance}}"}),
		graph("CPU", share, query{"rate(otelcol_process_cpu_seconds{" + here + "}[$__rate_interval])", "{{instance}}"}),
		graph("Series of LLM metrics", count,
			query{"otelcol_deltatocumulative_streams_tracked{" + here + "}", "{{instance}}"},
			query{"otelcol_deltatocumulative_streams_limit{" + here + "}", "limit of {{instance}}"}))
}
