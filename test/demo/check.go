// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// outcome is what the example did and where its runs are.
type outcome struct {
	began, ended time.Time
	calls        []call
	billed       []openaitest.Call // what the stand-in served, in the order of the calls
	reader       *testbed.Reader
}

// written is a call and its run.
type written struct {
	call
	billed openaitest.Call
	run    testbed.Run
}

// check prints a line for each thing that must hold, and returns the first difference.
func check(ctx context.Context, out io.Writer, o outcome) error {
	all, err := o.reader.Runs(ctx, "")
	if err != nil {
		return err
	}
	if err := checkExample(o); err != nil {
		return err
	}
	fmt.Fprintf(out, "ok  the example made %d calls, with streams that report no usage and one that fails\n", len(o.calls))
	pairs, err := pair(o, all)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "ok  each call is one run, and there are no others\n")

	for _, c := range []struct {
		what  string
		check func(written) error
	}{
		{"each run started during the example and ended after it started", o.checkTimes},
		{"each run is in the experiment {persona}_{UTC date of its start}", checkExperiment},
		{"each run has the params persona_id, model, prompt, response (no response on the failed call)", checkParams},
		{"each run has the metrics prompt_tokens, completion_tokens, total_tokens (none on the failed call), latency_ms", checkMetrics},
		{"each run has the metric cost_usd, its tokens at OpenAI's prices (none on the failed call)", checkCost},
		{"a count that the API did not report has another token_source, and is right", checkTokenSource},
		{"the failed call is a FAILED run, the others are FINISHED", checkStatus},
	} {
		for _, w := range pairs {
			if err := c.check(w); err != nil {
				return fmt.Errorf("%s: run %q of trace %s: %w", c.what, w.run.Name, w.trace, err)
			}
		}
		fmt.Fprintln(out, "ok ", c.what)
	}

	names, err := checkExperiments(ctx, o.reader, pairs)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ok  the experiments are", strings.Join(names, ", "))
	if err := checkSearch(ctx, o.reader, pairs); err != nil {
		return err
	}
	fmt.Fprintln(out, `ok  tags.persona_id = "…" finds the runs of each persona`)
	return nil
}

// checkExample makes sure that the rest checks something.
func checkExample(o outcome) error {
	if len(o.calls) != len(o.billed) {
		return fmt.Errorf("the example printed %d calls and made %d", len(o.calls), len(o.billed))
	}
	personas := make(map[string]bool)
	unreported, failed := 0, 0
	for i, c := range o.calls {
		if billed := o.billed[i]; c.model != billed.Model || c.failed != (billed.Status != http.StatusOK) {
			return fmt.Errorf("call %d was printed as %+v and served as %+v", i+1, c, billed)
		}
		personas[c.persona] = true
		if c.failed {
			failed++
		} else if c.stream && !c.reported {
			unreported++
		}
	}
	if len(personas) != 3 || failed != 1 || unreported == 0 {
		return fmt.Errorf("the example made calls of %d personas, %d failed, %d streams without usage; wanted 3, 1, at least 1",
			len(personas), failed, unreported)
	}
	return nil
}

// pair finds the run of each call.
func pair(o outcome, runs []testbed.Run) ([]written, error) {
	ofTrace := make(map[string][]testbed.Run)
	for _, run := range runs {
		ofTrace[traceOf(run)] = append(ofTrace[traceOf(run)], run)
	}
	pairs := make([]written, len(o.calls))
	for i, c := range o.calls {
		found := ofTrace[c.trace]
		if len(found) != 1 {
			return nil, fmt.Errorf("call %d, trace %s, has %d runs", i+1, c.trace, len(found))
		}
		if found[0].Tags["otel.span_id"] == "" {
			return nil, fmt.Errorf("call %d, trace %s: its run has no tag otel.span_id", i+1, c.trace)
		}
		pairs[i] = written{c, o.billed[i], found[0]}
	}
	if len(runs) != len(pairs) {
		return nil, fmt.Errorf("%d calls, %d runs", len(pairs), len(runs))
	}
	return pairs, nil
}

func (o outcome) checkTimes(w written) error {
	// MLflow keeps milliseconds.
	if first, last := o.began.Truncate(time.Millisecond), o.ended; w.run.Start.Before(first) || w.run.Start.After(last) {
		return fmt.Errorf("started at %s, not between %s and %s", w.run.Start, first.UTC(), last.UTC())
	}
	if w.run.End.Before(w.run.Start) || w.run.End.After(o.ended) {
		return fmt.Errorf("from %s to %s", w.run.Start, w.run.End)
	}
	return nil
}

func experimentOf(w written) string { return w.persona + "_" + w.run.Start.UTC().Format(time.DateOnly) }

func checkExperiment(w written) error {
	return equal("experiment", w.run.Experiment, experimentOf(w))
}

func checkParams(w written) error {
	for _, p := range []struct{ key, want string }{{"persona_id", w.persona}, {"model", w.model}} {
		if err := equal("param "+p.key, w.run.Params[p.key], p.want); err != nil {
			return err
		}
	}
	if w.run.Params["prompt"] == "" {
		return errors.New("no param prompt")
	}
	response, has := w.run.Params["response"]
	if has == w.failed {
		return fmt.Errorf("param response is %q, and it is %t that the call failed", response, w.failed)
	}
	if !strings.HasPrefix(response, w.answer) {
		return fmt.Errorf("param response is %q, the answer was %q", response, w.answer)
	}
	return nil
}

func checkMetrics(w written) error {
	if _, ok := w.run.Metrics["latency_ms"]; !ok {
		return errors.New("no metric latency_ms")
	}
	prompt, completion := float64(w.billed.Usage.PromptTokens), float64(w.billed.Usage.CompletionTokens)
	for _, m := range []struct {
		key  string
		want float64
	}{{"prompt_tokens", prompt}, {"completion_tokens", completion}, {"total_tokens", prompt + completion}} {
		got, ok := w.run.Metrics[m.key]
		if w.failed {
			if ok {
				return fmt.Errorf("metric %s is %v though the call failed", m.key, got)
			}
			continue
		}
		if !ok {
			return fmt.Errorf("no metric %s", m.key)
		}
		if err := equal("metric "+m.key, got, m.want); err != nil {
			return err
		}
	}
	return nil
}

// prices of OpenAI, in dollars per million tokens.
var prices = map[string]struct{ input, output float64 }{
	"gpt-4o":      {2.50, 10},
	"gpt-4o-mini": {0.15, 0.60},
}

func checkCost(w written) error {
	got, ok := w.run.Metrics["cost_usd"]
	if ok == w.failed {
		return fmt.Errorf("metric cost_usd is %v, and it is %t that the call failed", got, w.failed)
	}
	if w.failed {
		return nil
	}
	price, ok := prices[w.model]
	if !ok {
		return fmt.Errorf("no price of %s is known here", w.model)
	}
	want := (float64(w.billed.Usage.PromptTokens)*price.input + float64(w.billed.Usage.CompletionTokens)*price.output) / 1e6
	if math.Abs(got-want) > 1e-12 {
		return fmt.Errorf("metric cost_usd is %v, wanted %v", got, want)
	}
	return nil
}

// checkTokenSource says whether the counts are the provider's; checkMetrics has seen that they are right.
func checkTokenSource(w written) error {
	source := w.run.Tags["token_source"]
	switch {
	case w.failed:
		return nil
	case w.reported:
		return equal("tag token_source", source, "reported")
	case source == "" || source == "reported":
		return fmt.Errorf("tag token_source is %q though the API reported nothing", source)
	}
	return nil
}

func checkStatus(w written) error {
	if w.failed {
		return equal("status", w.run.Status, "FAILED")
	}
	return equal("status", w.run.Status, "FINISHED")
}

// checkExperiments compares all experiments that there are, beside the one that MLflow makes itself.
func checkExperiments(ctx context.Context, reader *testbed.Reader, pairs []written) ([]string, error) {
	wanted := make(map[string]bool)
	for _, w := range pairs {
		wanted[experimentOf(w)] = true
	}
	experiments, err := reader.Experiments(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range experiments {
		if e.Name == "Default" {
			continue
		}
		names = append(names, e.Name)
		if !strings.HasPrefix(e.Name, e.Tags["persona_id"]+"_") {
			return nil, fmt.Errorf("experiment %s has the tag persona_id %q", e.Name, e.Tags["persona_id"])
		}
	}
	slices.Sort(names)
	return names, equal("experiments", fmt.Sprint(names), fmt.Sprint(slices.Sorted(maps.Keys(wanted))))
}

// checkSearch looks for runs as a user would, by persona.
func checkSearch(ctx context.Context, reader *testbed.Reader, pairs []written) error {
	wanted := make(map[string][]string)
	for _, w := range pairs {
		wanted[w.persona] = append(wanted[w.persona], w.run.ID)
	}
	for persona, ids := range wanted {
		filter := fmt.Sprintf("tags.persona_id = %q", persona)
		runs, err := reader.Runs(ctx, filter)
		if err != nil {
			return fmt.Errorf("searching %s: %w", filter, err)
		}
		var found []string
		for _, run := range runs {
			found = append(found, run.ID)
		}
		slices.Sort(found)
		slices.Sort(ids)
		if err := equal("runs with "+filter, fmt.Sprint(found), fmt.Sprint(ids)); err != nil {
			return err
		}
	}
	return nil
}

func equal[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, wanted %v", what, got, want)
	}
	return nil
}
