// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadata"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// rest is the store behind MLflow's REST API, which makes the ids of runs itself, so that a create whose answer is lost
// must not be repeated blindly: see writer.
type rest struct {
	dedupe    Dedupe
	storage   storage.Client
	slots     *semaphore.Weighted
	horizon   *horizon
	writer    *writer
	telemetry *metadata.TelemetryBuilder
}

// openREST takes up what an earlier process left in the storage.
func openREST(ctx context.Context, config *Config, client *tracking.Client, slots *semaphore.Weighted, storage storage.Client,
	telemetry *metadata.TelemetryBuilder, logger *zap.Logger,
) (*rest, error) {
	doubts := newDoubts(client, config.ReconcileAfter, storage, telemetry, logger)
	if err := doubts.load(ctx); err != nil {
		return nil, fmt.Errorf("reading what an earlier process left to look at: %w", err)
	}
	horizon, err := loadHorizon(ctx, storage, time.Now(), logger)
	if err != nil {
		return nil, fmt.Errorf("reading what an earlier process knew of clocks: %w", err)
	}
	s := &rest{dedupe: config.Dedupe, storage: storage, slots: slots, horizon: horizon, writer: newWriter(client, doubts), telemetry: telemetry}
	gauge := func(value func() int64) metric.Int64Callback {
		return func(_ context.Context, observer metric.Int64Observer) error {
			observer.Observe(value())
			return nil
		}
	}
	if err := telemetry.RegisterMlflowDoubtsWaitingCallback(gauge(doubts.waiting)); err != nil {
		return nil, err
	}
	return s, telemetry.RegisterMlflowRunsWaitingCallback(gauge(s.writer.waiting))
}

// run looks again at spans that may have come to have two runs.
func (s *rest) run(ctx context.Context) { s.writer.doubts.run(ctx) }

func (s *rest) close(ctx context.Context) error { return s.storage.Close(ctx) }

func (s *rest) write(ctx context.Context, entries []entry) {
	var writing sync.WaitGroup
	for some := range slices.Chunk(entries, lookAtOnce) {
		first := s.lookUp(ctx, some)
		for i := range some {
			e := &some[i]
			if err := s.slots.Acquire(ctx, 1); err != nil {
				e.done("", false, err)
				continue
			}
			writing.Go(func() {
				defer s.slots.Release(1)
				s.telemetry.MlflowRunsInFlight.Add(ctx, 1)
				defer s.telemetry.MlflowRunsInFlight.Add(ctx, -1)
				var runID string
				var found bool
				var err error
				if panicked := protect(func() { runID, found, err = s.writeOne(ctx, e, first[e.span]) }); panicked != nil {
					err = panicked
				}
				e.done(runID, found, err)
			})
		}
	}
	writing.Wait()
}

// lookUp says how the writing of each entry begins. Spans that may have been written before this process could know are looked
// for together. Where that fails, each is by itself later, with the error that this may have.
func (s *rest) lookUp(ctx context.Context, entries []entry) map[key]progress {
	first := make(map[key]progress, len(entries))
	spans := make(map[string][]sought) // by the id of their experiment
	for i := range entries {
		e := &entries[i]
		p, look := s.writer.first(e.span, s.dedupe == DedupeAlways || s.horizon.mayBeOld(e.end))
		first[e.span] = p
		if look {
			spans[e.experiment.ID] = append(spans[e.experiment.ID], sought{e.span, e.start.UnixMilli()})
		}
	}
	for experimentID, spans := range spans {
		if len(spans) == 1 || s.slots.Acquire(ctx, 1) != nil {
			continue
		}
		found, _ := runsOf(ctx, s.writer.client, experimentID, spans...)
		s.slots.Release(1)
		for span, runs := range found {
			first[span] = progressOf(runs)
		}
	}
	return first
}

func (s *rest) writeOne(ctx context.Context, e *entry, first progress) (runID string, found bool, err error) {
	r, err := e.build()
	if err != nil {
		return "", false, err
	}
	s.horizon.extend(ctx, e.end)
	return s.writer.write(ctx, e.span, first, e.experiment.ID, &r)
}
