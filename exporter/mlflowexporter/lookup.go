// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"cmp"
	"context"
	"slices"
	"sort"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/run"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

const (
	// lookAtOnce is for how many spans runs are looked for together.
	lookAtOnce = 25
	// maxPerSpan is how many runs MLflow lists for each of them, those of other spans included. One search by a tag takes it
	// as long as fifteen runs of a list.
	maxPerSpan = 10
	// maxFailures is how many calls in a row may fail, so that one fault in five does not keep a look from its work and an
	// outage does not keep it at work.
	maxFailures = 3
)

// sought is a span whose runs are looked for.
type sought struct {
	key
	start int64 // of the span and its runs, in milliseconds since the epoch; 0: none, or not known
}

func earlier(a, b sought) int { return cmp.Compare(a.start, b.start) }

// runsOf returns the active runs of each span, the one to keep first: finished before running, then the smallest id. The rule
// needs nothing but what every collector sees.
//
// Runs of several spans are listed by the period that they started in. Where that has too many other runs, those of each span
// that is left are searched by its tag. After an error, spans that could be looked for are in the map nevertheless.
func runsOf(ctx context.Context, client *tracking.Client, experimentID string, spans ...sought) (map[key][]tracking.FoundRun, error) {
	l := lookup{client: client, experimentID: experimentID, found: make(map[key][]tracking.FoundRun, len(spans))}
	seen := make(map[key]struct{}, len(spans))
	unique := make([]sought, 0, len(spans))
	for _, s := range spans {
		if _, twice := seen[s.key]; !twice {
			seen[s.key] = struct{}{}
			unique = append(unique, s)
		}
	}
	slices.SortFunc(unique, earlier)
	err := l.collect(ctx, unique)
	for _, runs := range l.found {
		slices.SortFunc(runs, func(a, b tracking.FoundRun) int {
			if running := a.Status == tracking.StatusRunning; running != (b.Status == tracking.StatusRunning) {
				if running {
					return 1
				}
				return -1
			}
			return cmp.Compare(a.ID, b.ID)
		})
	}
	return l.found, err
}

// lookup is what has been found so far.
type lookup struct {
	client       *tracking.Client
	experimentID string
	found        map[key][]tracking.FoundRun
}

// collect finds the runs of spans, which are different and in the order of their starts.
func (l *lookup) collect(ctx context.Context, spans []sought) error {
	for len(spans) > 1 && spans[0].start > 0 {
		most := maxPerSpan * len(spans)
		runs, all, err := l.client.RunsByStart(ctx, l.experimentID, spans[0].start, spans[len(spans)-1].start, most)
		if err != nil {
			return err
		}
		if all {
			l.add(spans, runs)
			return nil
		}
		if len(runs) == 0 {
			break
		}
		// Those that started after the last of the list are all in it.
		last := runs[len(runs)-1].Start
		listed := spans[sort.Search(len(spans), func(i int) bool { return spans[i].start > last }):]
		l.add(listed, runs)
		few := len(listed) < len(spans)/2
		spans = spans[:len(spans)-len(listed)]
		if few {
			break
		}
	}
	failures := 0
	var failed error
	for i := range spans {
		runs, err := l.client.RunsByTag(ctx, l.experimentID, run.TagSpanID, spans[i].span.String())
		if err == nil {
			failures = 0
			l.add(spans[i:i+1], runs)
			continue
		}
		failed = err
		if failures++; failures == maxFailures {
			break
		}
	}
	return failed
}

// add takes those of the runs that are of the spans, of which there are no others.
func (l *lookup) add(spans []sought, runs []tracking.FoundRun) {
	for _, s := range spans {
		l.found[s.key] = nil
	}
	for _, r := range runs {
		var span key
		if span.parse(r.Tag(run.TagTraceID)+"/"+r.Tag(run.TagSpanID)) != nil {
			continue // written by somebody else
		}
		if slices.ContainsFunc(spans, func(s sought) bool { return s.key == span }) {
			l.found[span] = append(l.found[span], r)
		}
	}
}
