// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// nameWidth is how much of a run's name the table shows, so that a row fits into 120 columns.
const nameWidth = 20

// printRuns prints a table of runs by experiment and time.
func printRuns(out io.Writer, runs []testbed.Run) error {
	runs = slices.SortedFunc(slices.Values(runs), func(a, b testbed.Run) int {
		return cmp.Or(cmp.Compare(a.Experiment, b.Experiment), a.Start.Compare(b.Start))
	})
	var aligned bytes.Buffer
	table := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")) }
	row("EXPERIMENT", "RUN", "MODEL", "PROMPT", "COMPL.", "  COST", "LATENCY", "TOKENS", "STATUS")
	row("", "", "", "tokens", "tokens", "US ct.", "     ms", "are", "")
	for _, run := range runs {
		model := run.Params["model"]
		row(run.Experiment, short(strings.TrimPrefix(run.Name, model+" · ")), model,
			number(run, "prompt_tokens", 1, 0, 6), number(run, "completion_tokens", 1, 0, 6), number(run, "cost_usd", 100, 4, 6),
			number(run, "latency_ms", 1, 0, 7), cmp.Or(run.Tags["token_source"], "-"), run.Status)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(aligned.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// number is a metric times scale with so many decimals, or a dash where the run has none, at the right of its column.
func number(run testbed.Run, metric string, scale float64, decimals, width int) string {
	text := "-"
	if value, ok := run.Metrics[metric]; ok {
		text = strconv.FormatFloat(value*scale, 'f', decimals, 64)
	}
	return fmt.Sprintf("%*s", width, text)
}

func short(text string) string {
	runes := []rune(text)
	if len(runes) <= nameWidth {
		return text
	}
	return string(runes[:nameWidth-1]) + "…"
}
