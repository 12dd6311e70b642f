// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// call is a call as examples/persona-chat prints it.
type call struct {
	persona  string
	model    string
	trace    string // trace id
	stream   bool
	failed   bool
	reported bool   // the API said what it cost
	answer   string // its beginning, or the tool that it calls; empty when the call failed
}

var callPattern = regexp.MustCompile(`^call persona=(\S+) +model=(\S+) +stream=(\S+) +trace=([0-9a-f]{32}) +` +
	`status=(ok|error) +prompt_tokens=(\d+|-) +completion_tokens=(\d+|-) +(answer|error)=(".*")$`)

// parseCalls reads what examples/persona-chat has printed.
func parseCalls(printed string) ([]call, error) {
	var calls []call
	for line := range strings.Lines(printed) {
		line = strings.TrimSuffix(line, "\n")
		fields := callPattern.FindStringSubmatch(line)
		if fields == nil {
			return nil, fmt.Errorf("examples/persona-chat printed a line that is not understood: %s", line)
		}
		c := call{
			persona: fields[1], model: fields[2], stream: fields[3] == "true", trace: fields[4],
			failed: fields[5] == "error", reported: fields[6] != "-",
		}
		if !c.failed {
			answer, err := strconv.Unquote(fields[9])
			if err != nil {
				return nil, fmt.Errorf("in %s: %w", line, err)
			}
			c.answer = strings.TrimSuffix(answer, "…")
		}
		calls = append(calls, c)
	}
	return calls, nil
}

// ofCalls returns the runs that were written for the calls, told by their trace ids: MLflow may have others.
func ofCalls(runs []testbed.Run, calls []call) []testbed.Run {
	wanted := make(map[string]bool, len(calls))
	for _, c := range calls {
		wanted[c.trace] = true
	}
	var found []testbed.Run
	for _, run := range runs {
		if wanted[traceOf(run)] {
			found = append(found, run)
		}
	}
	return found
}

func traceOf(run testbed.Run) string { return run.Tags["otel.trace_id"] }
