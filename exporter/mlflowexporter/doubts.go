// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadata"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

const (
	// maxDoubts bounds the spans that wait for a second look.
	maxDoubts = 100_000
	// maxDoubtAge is how long a second look is repeated for a span whose run nobody finishes. Looks that fail do not count.
	maxDoubtAge = 24 * time.Hour
)

// doubts are the spans that may come to have two runs. That a create was not found when it was looked for does not mean
// that it will not be carried out: a server that was busy commits it after the client has given up, and another collector
// may write the same span at the same moment. So such spans are looked at again, when everything that was under way has
// ended, and of several runs one is kept by a rule that every collector comes to the same end with.
//
// With a storage client, doubts survive the process.
type doubts struct {
	client    *tracking.Client
	after     time.Duration // until the second look
	storage   storage.Client
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger

	mu   sync.Mutex
	open map[key]doubt
}

// doubt is a span to look at again.
type doubt struct {
	ExperimentID string    `json:"experiment_id"`
	Start        int64     `json:"start,omitempty"` // of sought
	Since        time.Time `json:"since"`
	Due          time.Time `json:"due"`
	// Kept is the run that was to stay when others were deleted, until it is known that it did.
	Kept string `json:"kept,omitempty"`
}

func newDoubts(client *tracking.Client, after time.Duration, store storage.Client, telemetry *metadata.TelemetryBuilder, logger *zap.Logger) *doubts {
	return &doubts{client: client, after: after, storage: store, telemetry: telemetry, logger: logger, open: make(map[key]doubt)}
}

// load takes up the doubts of an earlier process.
func (d *doubts) load(ctx context.Context) error {
	walker, ok := d.storage.(storage.Walker)
	if !ok {
		if d.storage != storage.NewNopClient() {
			d.logger.Warn("The storage of `sending_queue::storage` cannot list what it has: spans that an earlier process was to look at " +
				"again are forgotten, and some may have two runs")
		}
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return walker.Walk(ctx, func(name string, value []byte) ([]*storage.Operation, error) {
		if name == horizonKey {
			return nil, nil
		}
		if day, ok := strings.CutPrefix(name, budgetPrefix); ok {
			if dayIsOver(day, time.Now()) {
				return []*storage.Operation{storage.DeleteOperation(name)}, nil
			}
			return nil, nil
		}
		var span key
		var what doubt
		if err := errors.Join(span.parse(name), json.Unmarshal(value, &what)); err != nil {
			return []*storage.Operation{storage.DeleteOperation(name)}, nil //nolint:nilerr // not ours, or broken
		}
		d.open[span] = what
		return nil, nil
	})
}

// add notes a span, or that there is a new doubt about it. It is called before the call that may make a second run.
func (d *doubts) add(ctx context.Context, span sought, experimentID string) {
	now := time.Now()
	what := doubt{ExperimentID: experimentID, Start: span.start, Since: now, Due: now.Add(d.after)}
	d.mu.Lock()
	before, known := d.open[span.key]
	full := !known && len(d.open) >= maxDoubts
	if !full {
		if known {
			what.Since, what.Kept = before.Since, before.Kept
		}
		d.open[span.key] = what
	}
	d.mu.Unlock()
	if full {
		d.telemetry.MlflowDoubtsDropped.Add(ctx, 1)
		return
	}
	d.store(ctx, span.key, what)
}

// store remembers a doubt through a restart.
func (d *doubts) store(ctx context.Context, span key, what doubt) {
	value, err := json.Marshal(what)
	if err == nil {
		err = d.storage.Set(ctx, span.String(), value)
	}
	if err != nil {
		d.logger.Warn("A span that has to be looked at again is not remembered through a restart",
			zap.Stringer("span", span), zap.Error(err))
	}
}

func (d *doubts) remove(ctx context.Context, span key) {
	d.mu.Lock()
	delete(d.open, span)
	d.mu.Unlock()
	if err := d.storage.Delete(ctx, span.String()); err != nil {
		d.logger.Warn("A span that was looked at again will be once more after a restart", zap.Stringer("span", span), zap.Error(err))
	}
}

// waiting is how many spans are to be looked at.
func (d *doubts) waiting() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(len(d.open))
}

// run looks at spans when they are due, until the context ends.
func (d *doubts) run(ctx context.Context) {
	tick := time.NewTicker(min(d.after/4+time.Millisecond, 10*time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			d.settleDue(ctx, now)
		}
	}
}

// settleDue looks at all spans that are due, some at a time. Those that it cannot look at stay for the next round.
func (d *doubts) settleDue(ctx context.Context, now time.Time) {
	failures := 0
	goesOn := func(err error) bool {
		if err == nil {
			failures = 0
			return true
		}
		d.logger.Debug("Looking for second runs is put off", zap.Error(err))
		failures++
		return failures < maxFailures
	}
	for _, due := range d.due(now) {
		found, err := runsOf(ctx, d.client, due.experimentID, due.spans...)
		for span, runs := range found {
			if !goesOn(d.settle(ctx, now, span, due.doubts[span], runs)) {
				return
			}
		}
		if !goesOn(err) {
			return
		}
	}
}

// dueDoubts are doubts of one experiment that are looked at together.
type dueDoubts struct {
	experimentID string
	spans        []sought
	doubts       map[key]doubt
}

// due returns what is to be looked at, by the first span of each part: in no order, so that what fails each time does not keep
// the same others waiting.
func (d *doubts) due(now time.Time) map[key]dueDoubts {
	spans, due := make(map[string][]sought), make(map[key]doubt)
	d.mu.Lock()
	for span, what := range d.open {
		if !what.Due.After(now) {
			spans[what.ExperimentID] = append(spans[what.ExperimentID], sought{span, what.Start})
			due[span] = what
		}
	}
	d.mu.Unlock()
	parts := make(map[key]dueDoubts)
	for experimentID, spans := range spans {
		slices.SortFunc(spans, earlier)
		for some := range slices.Chunk(spans, lookAtOnce) {
			parts[some[0].key] = dueDoubts{experimentID, some, due}
		}
	}
	return parts
}

// settle ends the doubt about a span, or puts off its end.
func (d *doubts) settle(ctx context.Context, now time.Time, span key, what doubt, runs []tracking.FoundRun) error {
	settled, err := d.keepOne(ctx, span, &what, runs)
	switch {
	case d.renewed(span, what):
		// There is a new doubt, with a time of its own.
	case err != nil:
		d.update(span, what)
	case settled:
		d.remove(ctx, span)
	case now.Sub(what.Since) > maxDoubtAge:
		d.telemetry.MlflowDoubtsDropped.Add(ctx, 1)
		d.remove(ctx, span)
	default:
		what.Due = now.Add(d.after)
		d.update(span, what)
	}
	return err
}

// renewed reports whether the doubt about a span is no longer the one that was looked at.
func (d *doubts) renewed(span key, what doubt) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, ok := d.open[span]
	if ok && now.Due.Equal(what.Due) {
		return false
	}
	if ok {
		now.Kept = what.Kept
		d.open[span] = now
	}
	return true
}

func (d *doubts) update(span key, what doubt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[span] = what
}

// keepOne keeps the first of a span's runs and deletes the others. It reports false while there is none that is finished, and
// until it has seen that the one that it kept is still there.
func (d *doubts) keepOne(ctx context.Context, span key, what *doubt, runs []tracking.FoundRun) (settled bool, err error) {
	switch {
	case len(runs) == 0 && what.Kept != "":
		// Another collector had one of the others finished in the meantime, kept that, and deleted this one. Now both are
		// finished; in the next round everybody keeps the same.
		return false, d.client.RestoreRun(ctx, what.Kept)
	case len(runs) == 0:
		return true, nil // somebody deleted it
	case runs[0].Status == tracking.StatusRunning:
		return false, nil // being written; when it is finished, the others can go
	case len(runs) == 1:
		return true, nil
	}
	what.Kept = runs[0].ID
	d.store(ctx, span, *what)
	for _, second := range runs[1:] {
		if err := d.client.DeleteRun(ctx, second.ID); err != nil {
			return false, err
		}
		d.telemetry.MlflowRunsDeduplicated.Add(ctx, 1)
		d.logger.Info("Deleted the second run of a span",
			zap.Stringer("span", span), zap.String("run_id", second.ID), zap.String("kept_run_id", runs[0].ID))
	}
	return false, nil
}

// String is the key as logs and the storage have it.
func (k key) String() string { return k.trace.String() + "/" + k.span.String() }

// parse reads what String writes.
func (k *key) parse(text string) error {
	traceID, spanID, _ := strings.Cut(text, "/")
	trace, errTrace := hex.DecodeString(traceID)
	span, errSpan := hex.DecodeString(spanID)
	if err := errors.Join(errTrace, errSpan); err != nil {
		return err
	}
	if copy(k.trace[:], trace) != len(trace) || copy(k.span[:], span) != len(span) {
		return fmt.Errorf("%q names no span", text)
	}
	return nil
}
