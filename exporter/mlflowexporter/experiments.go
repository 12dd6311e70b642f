// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadata"
	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/run"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// maxExperiments is how many experiments' ids are remembered. One that falls out costs a look-up when it is used again.
const maxExperiments = 10_000

// maxTrust is how long an experiment's id is used without asking whether it still has that name. A server that was set up
// anew, or SQLite after an experiment was removed for good, gives the id to another, whose runs these would be.
const maxTrust = time.Minute

var errExperimentDeleted = errors.New("the experiment was deleted in MLflow and `experiment::on_deleted` is reject")

// experiments knows the ids of experiments and creates those that do not exist. It is safe for concurrent use; however
// many spans ask for a new experiment at the same time, MLflow is asked once.
type experiments struct {
	client    *tracking.Client
	onDeleted OnDeleted
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger

	byName  *lru.Cache[string, resolved]
	flights singleflight.Group
}

// resolved is an experiment as MLflow had it at a time.
type resolved struct {
	tracking.Experiment
	at time.Time
}

func newExperiments(client *tracking.Client, onDeleted OnDeleted, telemetry *metadata.TelemetryBuilder, logger *zap.Logger) *experiments {
	byName, _ := lru.New[string, resolved](maxExperiments) // fails for a size below one only
	return &experiments{client: client, onDeleted: onDeleted, telemetry: telemetry, logger: logger, byName: byName}
}

// known returns an experiment that was resolved lately.
func (e *experiments) known(name string) (tracking.Experiment, bool) {
	found, ok := e.byName.Get(name)
	return found.Experiment, ok && time.Since(found.at) < maxTrust
}

// find returns the active experiment of that name, which it creates or restores where needed.
func (e *experiments) find(ctx context.Context, experiment run.Experiment) (tracking.Experiment, error) {
	if found, ok := e.known(experiment.Name); ok {
		return found, nil
	}
	// The first caller's context does not end the call for the others; the HTTP client's timeout bounds it.
	found, err, _ := e.flights.Do(experiment.Name, func() (any, error) {
		found, err := e.resolve(context.WithoutCancel(ctx), experiment)
		if err == nil {
			e.byName.Add(experiment.Name, resolved{found, time.Now()})
		}
		return found, err
	})
	if err != nil {
		return tracking.Experiment{}, fmt.Errorf("experiment %q: %w", experiment.Name, err)
	}
	return found.(tracking.Experiment), nil
}

// forget drops a name whose id proved wrong: deleted while in use, or another server's.
func (e *experiments) forget(name string) { e.byName.Remove(name) }

func (e *experiments) resolve(ctx context.Context, experiment run.Experiment) (tracking.Experiment, error) {
	found, err := e.client.ExperimentByName(ctx, experiment.Name)
	if tracking.IsNotFound(err) {
		id, err := e.client.CreateExperiment(ctx, experiment.Name, keyValues(experiment.Tags))
		if err == nil {
			e.telemetry.MlflowExperimentsCreated.Add(ctx, 1)
			e.logger.Info("Created experiment", zap.String("experiment", experiment.Name), zap.String("experiment_id", id),
				zap.String("url", e.client.RunsPage(id)))
		} else if !tracking.IsAlreadyExists(err) { // another collector was faster
			return tracking.Experiment{}, err
		}
		// Where its artifacts are is not in the answer to a create.
		if found, err = e.client.ExperimentByName(ctx, experiment.Name); err != nil {
			return tracking.Experiment{}, err
		}
	} else if err != nil {
		return tracking.Experiment{}, err
	}
	if found.Deleted {
		if e.onDeleted == OnDeletedReject {
			return tracking.Experiment{}, errExperimentDeleted
		}
		if err := e.client.RestoreExperiment(ctx, found.ID); err != nil {
			return tracking.Experiment{}, err
		}
		e.logger.Warn("Restored experiment that was deleted in MLflow while calls for it still arrive",
			zap.String("experiment", experiment.Name), zap.String("experiment_id", found.ID))
	}
	return found, nil
}

func keyValues(pairs []run.Pair) []tracking.KeyValue {
	values := make([]tracking.KeyValue, len(pairs))
	for i, p := range pairs {
		values[i] = tracking.KeyValue(p)
	}
	return values
}
