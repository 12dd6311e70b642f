// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/pricing"
	"github.com/otelcol-mlflow/otelcol-mlflow/processor/tokenprocessor/internal/metadata"
)

// tally is what was done to a batch, to record it at once.
type tally struct {
	filled, missing map[sideValue]int64 // by source, by reason
	priced          [numTables]int64
	unpriced        map[pricing.Reason]int64
	bytes           int64
	time            time.Duration
}

type sideValue struct{ side, value string }

func add[K comparable](counts *map[K]int64, key K) {
	if *counts == nil {
		*counts = make(map[K]int64)
	}
	(*counts)[key]++
}

func (t *tally) count(counts []sideCount) {
	for _, c := range counts {
		if c.Known() {
			add(&t.filled, sideValue{c.name, c.Source})
		} else {
			add(&t.missing, sideValue{c.name, string(c.Reason)})
		}
	}
}

func (t *tally) record(ctx context.Context, to *metadata.TelemetryBuilder) {
	for key, n := range t.filled {
		to.TokenCountsFilled.Add(ctx, n, metric.WithAttributes(attribute.String("side", key.side), attribute.String("source", key.value)))
	}
	for key, n := range t.missing {
		to.TokenCountsMissing.Add(ctx, n, metric.WithAttributes(attribute.String("side", key.side), attribute.String("reason", key.value)))
	}
	for from, n := range t.priced {
		if n > 0 {
			to.TokenSpansPriced.Add(ctx, n, attributesOf[from])
		}
	}
	for reason, n := range t.unpriced {
		to.TokenSpansUnpriced.Add(ctx, n, metric.WithAttributes(attribute.String("reason", string(reason))))
	}
	if t.time > 0 {
		to.TokenContentCounted.Add(ctx, t.bytes)
		to.TokenCountingTime.Add(ctx, t.time.Seconds())
	}
}
