// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/run"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// store is where runs are written. Experiments are not its concern: MLflow has been asked for them before.
type store interface {
	// write writes each entry's run once, however often it is called for its span, and returns when all are done.
	write(ctx context.Context, entries []entry)
	// run does what has to be done beside writing, until the context ends.
	run(ctx context.Context)
	// close is called last.
	close(ctx context.Context) error
}

// entry is a run to write.
type entry struct {
	span       key
	start, end time.Time // of the span
	experiment tracking.Experiment
	// build makes the run. It is called when the run is needed, which a batch of long prompts may not be all at once.
	build func() (run.Run, error)
	// done is called once, when it is known what came of the run, from any goroutine: the run's id, and whether it was
	// complete before. If the error is a *tracking.Error, that says whether the run can be written later.
	done func(runID string, found bool, err error)
}

// key identifies a span.
type key struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
}
