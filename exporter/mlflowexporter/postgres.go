// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadata"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
)

// maxPostgresBatch is how many runs are built and written at a time. More makes a transaction longer, and not faster.
const maxPostgresBatch = 200

// maxPostgresConnections is how many transactions may be under way, whatever `max_concurrency` allows for calls to MLflow:
// two keep a server busy, and leave the others' share of it to MLflow.
const maxPostgresConnections = 2

// endpointPostgres is what requests to the database are counted as.
const endpointPostgres = "postgres"

// postgresStore is the store in MLflow's own database. A run's id follows from its span, so nothing has to be remembered or
// looked for: the database knows whether the run is there.
type postgresStore struct {
	db        *postgres.Store
	slots     *semaphore.Weighted
	requested func(ctx context.Context, endpoint string, took time.Duration, err error)
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
}

// openPostgres has requested called after each write.
func openPostgres(ctx context.Context, config *Config, slots *semaphore.Weighted,
	requested func(ctx context.Context, endpoint string, took time.Duration, err error), telemetry *metadata.TelemetryBuilder, logger *zap.Logger,
) (*postgresStore, error) {
	db, err := postgres.Open(ctx, postgres.Config{
		DSN:         string(config.Store.DSN),
		SchemaCheck: config.Store.SchemaCheck,
		Connections: min(config.MaxConcurrency, maxPostgresConnections),
		Timeout:     config.ClientConfig.Timeout,
	})
	if err != nil {
		return nil, fmt.Errorf("opening `store::dsn`: %w", err)
	}
	// Nothing is looked at again here, and nothing is half written: for who watches both stores.
	none := func(_ context.Context, observer metric.Int64Observer) error {
		observer.Observe(0)
		return nil
	}
	if err := errors.Join(telemetry.RegisterMlflowDoubtsWaitingCallback(none), telemetry.RegisterMlflowRunsWaitingCallback(none)); err != nil {
		db.Close()
		return nil, err
	}
	return &postgresStore{db: db, slots: slots, requested: requested, telemetry: telemetry, logger: logger}, nil
}

// run says once whether the database can be written to.
func (s *postgresStore) run(ctx context.Context) {
	err := s.db.Check(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.logger.Warn("MLflow's database cannot be written to now; spans will wait until it can", zap.Error(err))
	default:
		s.logger.Info("MLflow's database can be written to")
	}
}

func (s *postgresStore) close(context.Context) error {
	s.db.Close()
	return nil
}

func (s *postgresStore) write(ctx context.Context, entries []entry) {
	for batch := range slices.Chunk(entries, maxPostgresBatch) {
		if err := s.slots.Acquire(ctx, 1); err != nil {
			for i := range batch {
				batch[i].done("", false, err)
			}
			continue
		}
		s.writeBatch(ctx, batch)
		s.slots.Release(1)
	}
}

func (s *postgresStore) writeBatch(ctx context.Context, batch []entry) {
	s.telemetry.MlflowRunsInFlight.Add(ctx, int64(len(batch)))
	defer s.telemetry.MlflowRunsInFlight.Add(ctx, -int64(len(batch)))
	runs := make([]postgres.Run, 0, len(batch))
	built := make([]*entry, 0, len(batch))
	for i := range batch {
		e := &batch[i]
		r, err := e.build()
		if err != nil {
			e.done("", false, err)
			continue
		}
		built = append(built, e)
		runs = append(runs, postgres.Run{
			ID: postgres.RunID(e.span.trace, e.span.span, e.start), Experiment: e.experiment,
			Name: r.Name, User: r.User, Start: r.Start, End: r.End, Status: status(&r),
			Params: keyValues(r.Params), Metrics: metricValues(&r), Tags: keyValues(r.Tags),
		})
	}
	results := writeProtected(runs, func(runs []postgres.Run) []postgres.Result {
		begin := time.Now()
		results := s.db.Write(ctx, runs)
		s.requested(ctx, endpointPostgres, time.Since(begin), firstError(results))
		return results
	})
	for i, e := range built {
		e.done(runs[i].ID, results[i].Existed, results[i].Err)
	}
}

// firstError is that of the first run that was not written.
func firstError(results []postgres.Result) error {
	for _, r := range results {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// writeProtected writes runs together, or each by itself if that panics, so that one does not cost the others.
func writeProtected(runs []postgres.Run, write func([]postgres.Run) []postgres.Result) (results []postgres.Result) {
	err := protect(func() { results = write(runs) })
	if err == nil {
		return results
	}
	if len(runs) == 1 {
		return []postgres.Result{{Err: err}}
	}
	for run := range slices.Chunk(runs, 1) {
		results = append(results, writeProtected(run, write)...)
	}
	return results
}
