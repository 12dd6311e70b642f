// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"errors"
	"slices"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/run"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// writer gets each run written once. A run goes through the states below in their order; whatever call fails, the next
// attempt goes on from the state that was reached.
//
//	unknown ──▶ absent ──▶ created ──▶ logged ──▶ finished
//	   └──────────found──────▲───────────────────────▲
//
// Only the step from absent to created is not idempotent. When its outcome is unknown the run goes back to unknown, and
// is looked for before it is created again; and because the first create may still be carried out, its span is looked at
// again later (see doubts).
type writer struct {
	client *tracking.Client
	doubts *doubts
	// unfinished holds the runs whose last attempt failed. Their spans are waiting to be retried, so there are never more
	// of them than the consumers of the queue hold; the bound is for configurations that give up on spans.
	unfinished *lru.Cache[key, progress]
	// done holds the spans whose runs were finished last: a client that got no answer sends its spans again.
	done *lru.Cache[key, string] // → run id

	mu   sync.Mutex
	busy map[key]struct{} // the spans being written
}

// progress is how far the writing of a run has come.
type progress struct {
	state  state
	runID  string // from created on
	looked bool   // absent is what a look-up said
	begun  bool   // the run was found half-written: an earlier attempt's, perhaps another process's
	found  bool   // the run was finished before this attempt
}

type state int

const (
	unknown  state = iota // the run may exist
	absent                // the run does not exist
	created               // it exists, with its tags
	logged                // it has its params and metrics
	finished              // it has its status and its end
)

const (
	// maxUnfinished bounds what is remembered about runs that are not finished.
	maxUnfinished = 100_000
	// maxDone bounds what is remembered about runs that are: at 20 runs a second, those of the last 40 minutes.
	maxDone = 50_000
)

// errBusy is the error of a span that came twice and is being written: what comes of it is not known yet.
var errBusy = errors.New("another copy of the span is being written")

func newWriter(client *tracking.Client, doubts *doubts) *writer {
	unfinished, _ := lru.New[key, progress](maxUnfinished) // fails for a size below one only
	done, _ := lru.New[key, string](maxDone)
	return &writer{client: client, doubts: doubts, unfinished: unfinished, done: done, busy: make(map[key]struct{})}
}

// write writes the run of a span, or what an earlier attempt has left to do of it. Of a span that is not known here, first says
// how it begins, or what a look-up has found. It reports whether the run was found, finished by an earlier attempt.
func (w *writer) write(ctx context.Context, span key, first progress, experimentID string, r *run.Run) (runID string, found bool, err error) {
	if !w.begin(span) {
		return "", false, errBusy
	}
	defer w.end(span)
	if id, ok := w.done.Get(span); ok {
		return id, true, nil
	}
	p, ok := w.unfinished.Get(span)
	if !ok || p.state == unknown && (first.looked || first.runID != "") {
		p = first
	}
	for p.state != finished {
		if err := w.step(ctx, &p, span, experimentID, r); err != nil {
			w.settle(ctx, span, p, err)
			return "", false, err
		}
	}
	w.unfinished.Remove(span)
	w.done.Add(span, p.runID)
	return p.runID, p.found, nil
}

// first says how the writing of a span begins, and whether its runs have to be looked for, which mayExist says of a span that
// is not known here.
func (w *writer) first(span key, mayExist bool) (p progress, look bool) {
	if w.done.Contains(span) {
		return progress{}, false
	}
	if p, ok := w.unfinished.Peek(span); ok {
		return p, p.state == unknown
	}
	if mayExist {
		return progress{}, true
	}
	return progress{state: absent}, false
}

// waiting is how many runs wait for another attempt.
func (w *writer) waiting() int64 { return int64(w.unfinished.Len()) }

// begin reports false for a span that is being written.
func (w *writer) begin(span key) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.busy[span]; ok {
		return false
	}
	w.busy[span] = struct{}{}
	return true
}

func (w *writer) end(span key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.busy, span)
}

// step makes one call and moves p to the state that it reached.
func (w *writer) step(ctx context.Context, p *progress, span key, experimentID string, r *run.Run) error {
	switch p.state {
	case unknown:
		return w.look(ctx, p, span, experimentID)
	case absent:
		if p.looked {
			w.doubts.add(ctx, sought{span, r.Start}, experimentID)
		}
		id, err := w.client.CreateRun(ctx, tracking.NewRun{
			ExperimentID: experimentID, Name: r.Name, User: r.User, StartTime: r.Start, Tags: keyValues(r.Tags),
		})
		if err != nil {
			if class(err) == tracking.OutcomeUnknown {
				p.state = unknown
				w.doubts.add(ctx, sought{span, r.Start}, experimentID)
			}
			return err
		}
		p.state, p.runID = created, id
	case created:
		if err := w.log(ctx, p, span, experimentID, r); err != nil {
			return err
		}
		p.state = logged
	case logged:
		if err := w.client.UpdateRun(ctx, p.runID, status(r), r.End); err != nil {
			return err
		}
		p.state = finished
	case finished:
	}
	return nil
}

// log writes the run's params and metrics. Params cannot be changed: where the run has some already, of an earlier attempt or
// of another collector, and they are others because the config or the version was another, those stand.
func (w *writer) log(ctx context.Context, p *progress, span key, experimentID string, r *run.Run) error {
	err := w.client.LogBatch(ctx, p.runID, keyValues(r.Params), metricValues(r))
	if class(err) != tracking.Permanent {
		return err
	}
	found, lookErr := runsOf(ctx, w.client, experimentID, sought{key: span})
	if lookErr != nil {
		return lookErr
	}
	if !slices.ContainsFunc(found[span], func(f tracking.FoundRun) bool { return f.ID == p.runID && f.HasParams }) {
		return err
	}
	return w.client.LogBatch(ctx, p.runID, nil, metricValues(r))
}

// look searches the run of a span that may have been written before.
func (w *writer) look(ctx context.Context, p *progress, span key, experimentID string) error {
	found, err := runsOf(ctx, w.client, experimentID, sought{key: span})
	if err != nil {
		return err
	}
	*p = progressOf(found[span])
	return nil
}

// progressOf is what the runs of a span say that were found.
func progressOf(runs []tracking.FoundRun) progress {
	switch {
	case len(runs) == 0:
		return progress{state: absent, looked: true}
	case runs[0].Status == tracking.StatusRunning:
		return progress{state: created, runID: runs[0].ID, begun: true}
	}
	return progress{state: finished, runID: runs[0].ID, found: true}
}

// settle remembers how far a run has come after an error.
func (w *writer) settle(ctx context.Context, span key, p progress, err error) {
	var refusal *tracking.Error
	switch {
	case errors.As(err, &refusal) && refusal.Gone:
		// The experiment or the run was deleted. A restored experiment may bring the run back.
		p = progress{state: unknown}
	case class(err) == tracking.Permanent:
		w.unfinished.Remove(span)
		if p.runID != "" && !p.begun {
			// A rejected call leaves no half-written run, except one that may be another process's. If this fails too, the
			// run stays, visibly unfinished.
			_ = w.client.DeleteRun(ctx, p.runID)
		}
		return
	}
	w.unfinished.Add(span, p)
}

// status is the final state of a run.
func status(r *run.Run) tracking.Status {
	if r.Failed {
		return tracking.StatusFailed
	}
	return tracking.StatusFinished
}

func metricValues(r *run.Run) []tracking.Metric {
	values := make([]tracking.Metric, len(r.Metrics))
	for i, m := range r.Metrics {
		values[i] = tracking.Metric{Key: m.Key, Value: m.Value, Timestamp: r.End}
	}
	return values
}

// class is what to do after err; errors that are not MLflow's, such as a cancelled context, are retryable.
func class(err error) tracking.Class {
	if e, ok := errors.AsType[*tracking.Error](err); ok {
		return e.Class
	}
	return tracking.Retryable
}
