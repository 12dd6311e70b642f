// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

// Metrics of calls, as docs/metrics.md has them.
const (
	calls       = "gen_ai_client_operation_calls_total"
	duration    = "gen_ai_client_operation_duration_seconds"
	firstToken  = "gen_ai_client_operation_time_to_first_chunk_seconds"
	tokenUsage  = "gen_ai_client_token_usage"
	cachedInput = "gen_ai_client_inference_usage_cache_read_input_tokens_total"
	reasoning   = "gen_ai_client_inference_usage_reasoning_output_tokens_total"
	cost        = "gen_ai_client_cost_USD_total"
	toolRuns    = "gen_ai_execute_tool_duration_seconds"
)

// What a dashboard's variables select.
const chosen = `persona_id=~"$persona",gen_ai_request_model=~"$model"`

// over is what a counter has grown by in the dashboard's time range.
func over(by, metric, labels string) string {
	return sum(by, "increase("+metric+"{"+labels+"}[$__range])")
}

// pace is how fast a counter grows, per second.
func pace(by, metric, labels string) string {
	return sum(by, "rate("+metric+"{"+labels+"}[$__rate_interval])")
}

func sum(by, expr string) string {
	if by == "" {
		return "sum(" + expr + ")"
	}
	return "sum by (" + by + ") (" + expr + ")"
}

// quantile of a histogram, in a window.
func quantile(q, by, histogram, labels, window string) string {
	le := "le"
	if by != "" {
		le = by + ", le"
	}
	return "histogram_quantile(" + q + ", sum by (" + le + ") (rate(" + histogram + "_bucket{" + labels + "}[" + window + "])))"
}

// orZero is 0 where the first has nothing for a row of the second.
func orZero(expr, rows string) string { return "(" + expr + " or 0 * " + rows + ")" }

// failed selects calls that failed, among those that labels select.
func failed(labels string) string { return labels + `,error_type!=""` }

var (
	personaVariable = labelValues("persona", "Persona", calls, "persona_id")
	modelVariable   = labelValues("model", "Model", calls, "gen_ai_request_model")
)

func personas() dashboard {
	const persona = "persona_id"
	legend := "{{persona_id}}"
	total := over("", calls, chosen)
	rows := over(persona, calls, chosen)
	thousand := "1000 * " + over(persona, cost, chosen) + " / " + rows
	return newDashboard("personas", "personas", "What each persona costs, uses and gets wrong.",
		[]variable{personaVariable, modelVariable},
		stat("Calls", count, total),
		stat("Cost", dollars, over("", cost, chosen)),
		stat("Cost per 1,000 calls", dollars, "1000 * "+over("", cost, chosen)+" / "+total),
		stat("Tokens", count, over("", tokenUsage+"_sum", chosen)),
		alarming(stat("Calls that fail", share, orZero(over("", calls, failed(chosen)), total)+" / "+total), 0.02, 0.1),
		described("Until the last whole hour, in UTC.", stat("Cost of this month", dollars, `sum(persona:gen_ai_cost_usd:month{persona_id=~"$persona"})`)),

		graph("Cost per hour", dollars, query{"3600 * " + pace(persona, cost, chosen), legend}),
		graph("Tokens per minute", count, query{"60 * " + pace(persona, tokenUsage+"_sum", chosen), legend}),
		graph("Calls per minute", perMin, query{"60 * " + pace(persona, calls, chosen), legend}),
		graph("Calls that fail", share, query{pace(persona, calls, failed(chosen)) + " / " + pace(persona, calls, chosen), legend}),
		described("Cached tokens are part of the input, reasoning tokens of the output.", graph("Tokens per minute, by kind", count,
			query{"60 * " + pace("gen_ai_token_type", tokenUsage+"_sum", chosen), "{{gen_ai_token_type}}"},
			query{"60 * " + pace("", cachedInput, chosen), "cached (of input)"},
			query{"60 * " + pace("", reasoning, chosen), "reasoning (of output)"})),
		graph("Cost per 1,000 calls", dollars, query{"1000 * " + pace(persona, cost, chosen) + " / " + pace(persona, calls, chosen), legend}),

		heading("Budget of this month (UTC)"),
		described("Personas with a budget in budgets.rules.yaml.", alarming(gauges("Budget used", share, 1, query{
			`persona:gen_ai_cost_usd:month{persona_id=~"$persona"} / on (persona_id) persona:gen_ai_budget_usd:month`, legend,
		}), 0.8, 1)),
		described("At the pace of the last seven days.", graph("Cost at the end of the month", dollars,
			query{`persona:gen_ai_cost_usd:month_forecast{persona_id=~"$persona"}`, legend},
			query{`persona:gen_ai_budget_usd:month{persona_id=~"$persona"}`, "budget of {{persona_id}}"})),
		graph("Cost of this month", dollars, query{`persona:gen_ai_cost_usd:month{persona_id=~"$persona"}`, legend}),

		heading("All personas, in the chosen time"),
		table("Personas", []label{{persona, "Persona"}},
			column{"Cost", dollars, over(persona, cost, chosen)},
			column{"Calls", count, rows},
			column{"Fail", share, orZero(over(persona, calls, failed(chosen)), rows) + " / " + rows},
			column{"Cost per 1,000 calls", dollars, thousand},
			column{"Input tokens", count, over(persona, tokenUsage+"_sum", chosen+`,gen_ai_token_type="input"`)},
			column{"Output tokens", count, over(persona, tokenUsage+"_sum", chosen+`,gen_ai_token_type="output"`)},
			column{"Cost of this month", dollars, `sum by (persona_id) (persona:gen_ai_cost_usd:month{persona_id=~"$persona"})`},
			column{"At its end", dollars, `sum by (persona_id) (persona:gen_ai_cost_usd:month_forecast{persona_id=~"$persona"})`}))
}

func latency() dashboard {
	const window = "$__rate_interval"
	three := func(histogram string) []query {
		return []query{
			{quantile("0.5", "", histogram, chosen, window), "p50"},
			{quantile("0.95", "", histogram, chosen, window), "p95"},
			{quantile("0.99", "", histogram, chosen, window), "p99"},
		}
	}
	by := []label{{"persona_id", "Persona"}, {"gen_ai_request_model", "Model"}}
	const both = "persona_id, gen_ai_request_model"
	return newDashboard("latency", "latency", "How long calls take, to their first token and in all. Points are calls, with the id of their trace.",
		[]variable{personaVariable, modelVariable},
		withExemplars(graph("Duration", seconds, three(duration)...)),
		graph("Time to first token", seconds, three(firstToken)...),
		heatmap("Durations", seconds, pace("le", duration+"_bucket", chosen)),
		graph("Duration by model, p95", seconds, query{quantile("0.95", "gen_ai_request_model", duration, chosen, window), "{{gen_ai_request_model}}"}),
		graph("Time to first token by model, p95", seconds, query{quantile("0.95", "gen_ai_request_model", firstToken, chosen, window), "{{gen_ai_request_model}}"}),
		graph("Errors by type, per minute", perMin, query{"60 * " + pace("error_type", calls, failed(chosen)), "{{error_type}}"}),
		graph("Duration by persona, p95", seconds, query{quantile("0.95", "persona_id", duration, chosen, window), "{{persona_id}}"}),
		graph("Time to first token by persona, p95", seconds, query{quantile("0.95", "persona_id", firstToken, chosen, window), "{{persona_id}}"}),
		graph("Calls that fail, by model", share, query{
			pace("gen_ai_request_model", calls, failed(chosen)) + " / " + pace("gen_ai_request_model", calls, chosen), "{{gen_ai_request_model}}",
		}),
		table("In the chosen time", by,
			column{"Calls", count, over(both, calls, chosen)},
			column{"p50", seconds, quantile("0.5", both, duration, chosen, "$__range")},
			column{"p95", seconds, quantile("0.95", both, duration, chosen, "$__range")},
			column{"p99", seconds, quantile("0.99", both, duration, chosen, "$__range")},
			column{"First token, p50", seconds, quantile("0.5", both, firstToken, chosen, "$__range")},
			column{"First token, p95", seconds, quantile("0.95", both, firstToken, chosen, "$__range")}))
}

func models() dashboard {
	const model = "gen_ai_request_model"
	legend := "{{gen_ai_request_model}}"
	const output = chosen + `,gen_ai_token_type="output"`
	// Lines of a batch have tokens and no duration.
	const awaited = output + `,openai_response_service_tier!="batch"`
	rows := over(model, calls, chosen)
	return newDashboard("models", "models", "Models side by side: which serves best, and what it costs.",
		[]variable{personaVariable, modelVariable},
		table("In the chosen time", []label{{model, "Model"}},
			column{"Calls", count, rows},
			column{"Fail", share, orZero(over(model, calls, failed(chosen)), rows) + " / " + rows},
			column{"p95", seconds, quantile("0.95", model, duration, chosen, "$__range")},
			column{"First token, p95", seconds, quantile("0.95", model, firstToken, chosen, "$__range")},
			column{"Tokens/s", count, over(model, tokenUsage+"_sum", awaited) + " / " + over(model, duration+"_sum", chosen)},
			column{"$ per 1,000 output tokens", dollars, "1000 * " + over(model, cost, chosen) + " / " + over(model, tokenUsage+"_sum", output)},
			column{"$ per 1,000 calls", dollars, "1000 * " + over(model, cost, chosen) + " / " + rows},
			column{"Cost", dollars, over(model, cost, chosen)}),
		graph("Calls per minute", perMin, query{"60 * " + pace(model, calls, chosen), legend}),
		described("Output tokens per second of waiting, without batches.", graph("Tokens per second", count,
			query{pace(model, tokenUsage+"_sum", awaited) + " / " + pace(model, duration+"_sum", chosen), legend})),
		graph("$ per 1,000 output tokens", dollars, query{"1000 * " + pace(model, cost, chosen) + " / " + pace(model, tokenUsage+"_sum", output), legend}),
		graph("Calls that fail", share, query{pace(model, calls, failed(chosen)) + " / " + pace(model, calls, chosen), legend}),
		graph("Duration, p95", seconds, query{quantile("0.95", model, duration, chosen, "$__rate_interval"), legend}),
		stacked(graph("Cost per hour", dollars, query{"3600 * " + pace(model, cost, chosen), legend})),
		graph("Input tokens per call", count, query{
			pace(model, tokenUsage+"_sum", chosen+`,gen_ai_token_type="input"`) + " / " + pace(model, tokenUsage+"_count", chosen+`,gen_ai_token_type="input"`), legend,
		}),
		graph("Output tokens per call", count, query{pace(model, tokenUsage+"_sum", output) + " / " + pace(model, tokenUsage+"_count", output), legend}),
		graph("Input tokens from the cache", share, query{
			pace(model, cachedInput, chosen) + " / " + pace(model, tokenUsage+"_sum", chosen+`,gen_ai_token_type="input"`), legend,
		}))
}

func prompts() dashboard {
	const by = "gen_ai_prompt_name, gen_ai_prompt_version"
	const named = chosen + `,gen_ai_prompt_name=~"$prompt"`
	legend := "{{gen_ai_prompt_name}} {{gen_ai_prompt_version}}"
	rows := over(by, calls, named)
	perCall := func(kind string) string {
		labels := named + `,gen_ai_token_type="` + kind + `"`
		return over(by, tokenUsage+"_sum", labels) + " / " + over(by, tokenUsage+"_count", labels)
	}
	return newDashboard("prompts", "prompts", "Prompt versions side by side. Calls without gen_ai.prompt.name are `none`.",
		[]variable{personaVariable, modelVariable, labelValues("prompt", "Prompt", calls, "gen_ai_prompt_name")},
		table("In the chosen time", []label{{"gen_ai_prompt_name", "Prompt"}, {"gen_ai_prompt_version", "Version"}},
			column{"Calls", count, rows},
			column{"Fail", share, orZero(over(by, calls, failed(named)), rows) + " / " + rows},
			column{"Input tokens per call", count, perCall("input")},
			column{"Output tokens per call", count, perCall("output")},
			column{"p95", seconds, quantile("0.95", by, duration, named, "$__range")},
			column{"$ per 1,000 calls", dollars, "1000 * " + over(by, cost, named) + " / " + rows}),
		graph("Calls per minute", perMin, query{"60 * " + pace(by, calls, named), legend}),
		graph("$ per 1,000 calls", dollars, query{"1000 * " + pace(by, cost, named) + " / " + pace(by, calls, named), legend}),
		graph("Calls that fail", share, query{pace(by, calls, failed(named)) + " / " + pace(by, calls, named), legend}),
		graph("Input tokens per call", count, query{
			pace(by, tokenUsage+"_sum", named+`,gen_ai_token_type="input"`) + " / " + pace(by, tokenUsage+"_count", named+`,gen_ai_token_type="input"`), legend,
		}),
		graph("Output tokens per call", count, query{
			pace(by, tokenUsage+"_sum", named+`,gen_ai_token_type="output"`) + " / " + pace(by, tokenUsage+"_count", named+`,gen_ai_token_type="output"`), legend,
		}),
		graph("Duration, p95", seconds, query{quantile("0.95", by, duration, named, "$__rate_interval"), legend}))
}

func tools() dashboard {
	const tool = "gen_ai_tool_name"
	const who = `persona_id=~"$persona"`
	legend := "{{gen_ai_tool_name}}"
	rows := over(tool, toolRuns+"_count", who)
	return newDashboard("tools", "tools", "Tools that personas ran: the spans execute_tool.",
		[]variable{labelValues("persona", "Persona", toolRuns+"_count", "persona_id")},
		table("In the chosen time", []label{{tool, "Tool"}},
			column{"Calls", count, rows},
			column{"Of all", share, rows + " / on () group_left () " + over("", toolRuns+"_count", who)},
			column{"Fail", share, orZero(over(tool, toolRuns+"_count", failed(who)), rows) + " / " + rows},
			column{"p50", seconds, quantile("0.5", tool, toolRuns, who, "$__range")},
			column{"p95", seconds, quantile("0.95", tool, toolRuns, who, "$__range")}),
		stacked(graph("Calls per minute", perMin, query{"60 * " + pace(tool, toolRuns+"_count", who), legend})),
		graph("Calls that fail", share, query{pace(tool, toolRuns+"_count", failed(who)) + " / " + pace(tool, toolRuns+"_count", who), legend}),
		graph("Duration, p95", seconds, query{quantile("0.95", tool, toolRuns, who, "$__rate_interval"), legend}),
		graph("Calls per minute, by persona", perMin, query{"60 * " + pace("persona_id", toolRuns+"_count", who), "{{persona_id}}"}),
		graph("Tool calls per call of a model", count, query{pace("persona_id", toolRuns+"_count", who) + " / " + pace("persona_id", calls, who), "{{persona_id}}"}),
		graph("Errors by type, per minute", perMin, query{"60 * " + pace("error_type", toolRuns+"_count", failed(who)), "{{error_type}}"}))
}

func anomalies() dashboard {
	lines := func(series, factor string) []query {
		of := func(what string) string { return factor + " * " + series + ":" + what + `{persona_id=~"$persona"}` }
		return []query{
			{of("rate15m"), "now"},
			{of("upper1d"), "upper"},
			{of("lower1d"), "lower"},
			{of("median1d"), "median of a day"},
			{of("rate15m") + " offset 1w", "a week ago"},
		}
	}
	return newDashboard("anomalies", "anomalies", "Tokens and cost of each persona, in the band that is usual for it. The band needs a day of data.",
		[]variable{personaVariable},
		alarming(stat("Unusual now", count, `count(ALERTS{alertname=~"GenAI(Tokens|Cost)Unusual",alertstate="firing",persona_id=~"$persona"}) or vector(0)`), 1, 3),
		wide(20, graph("Alerts that fire", count, query{`count by (alertname, persona_id) (ALERTS{alertname=~"GenAI.*",alertstate="firing",persona_id=~"$persona"})`, "{{alertname}} {{persona_id}}"})),
		heading("Tokens per minute, mean of 15 minutes"),
		forEach("persona", wide(12, band(graph("$persona", count, lines("persona:gen_ai_tokens", "60")...), "upper", "lower"))),
		heading("Cost per hour, mean of 15 minutes"),
		forEach("persona", wide(12, band(graph("$persona", dollars, lines("persona:gen_ai_cost_usd", "3600")...), "upper", "lower"))))
}
