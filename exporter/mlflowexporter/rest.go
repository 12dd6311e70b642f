// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"fmt"
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
	for i := range entries {
		e := &entries[i]
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
			if panicked := protect(func() { runID, found, err = s.writeOne(ctx, e) }); panicked != nil {
				err = panicked
			}
			e.done(runID, found, err)
		})
	}
	writing.Wait()
}

func (s *rest) writeOne(ctx context.Context, e *entry) (runID string, found bool, err error) {
	r, err := e.build()
	if err != nil {
		return "", false, err
	}
	mayExist := s.dedupe == DedupeAlways || s.horizon.mayBeOld(e.end)
	s.horizon.extend(ctx, e.end)
	return s.writer.write(ctx, e.span, mayExist, e.experiment.ID, &r)
}
