// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Bucket boundaries of the GenAI conventions.
var (
	durationBuckets = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBuckets    = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

// metrics are the instruments of the GenAI conventions.
type metrics struct {
	duration           metric.Float64Histogram
	tokens             metric.Int64Histogram
	timeToFirstChunk   metric.Float64Histogram
	timePerOutputChunk metric.Float64Histogram
}

func newMetrics(meter metric.Meter) metrics {
	seconds := func(name, description string) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
			metric.WithExplicitBucketBoundaries(durationBuckets...))
		if err != nil {
			otel.Handle(err)
		}
		return h
	}
	tokens, err := meter.Int64Histogram(semconv.MetricClientTokenUsage, metric.WithUnit("{token}"),
		metric.WithDescription("Number of input and output tokens used."), metric.WithExplicitBucketBoundaries(tokenBuckets...))
	if err != nil {
		otel.Handle(err)
	}
	return metrics{
		duration:           seconds(semconv.MetricClientOperationDuration, "GenAI operation duration."),
		tokens:             tokens,
		timeToFirstChunk:   seconds(semconv.MetricClientTimeToFirstChunk, "Time to receive the first chunk of a stream."),
		timePerOutputChunk: seconds(semconv.MetricClientTimePerOutputChunk, "Time between two chunks of a stream."),
	}
}

// enabled reports whether anybody collects a metric.
func (m *metrics) enabled(ctx context.Context) bool {
	return m.duration.Enabled(ctx) || m.tokens.Enabled(ctx) || m.timeToFirstChunk.Enabled(ctx) || m.timePerOutputChunk.Enabled(ctx)
}

func (m *metrics) recordDuration(ctx context.Context, took time.Duration, known []attribute.KeyValue) {
	m.duration.Record(ctx, took.Seconds(), metric.WithAttributeSet(attribute.NewSet(slices.Clone(known)...)))
}

// recordTokens records what was reported. Absent is not zero.
func (m *metrics) recordTokens(ctx context.Context, u *usage, known []attribute.KeyValue) {
	for _, tokens := range []struct {
		kind string
		count
	}{{semconv.TokenTypeInput, u.input}, {semconv.TokenTypeOutput, u.output}} {
		if tokens.known {
			attrs := append(slices.Clip(known), attribute.String(semconv.GenAITokenType, tokens.kind))
			m.tokens.Record(ctx, tokens.n, metric.WithAttributeSet(attribute.NewSet(attrs...)))
		}
	}
}

// chunkMetrics records when the chunks of one stream arrive. Its attributes are made once, at the first chunk, because a
// stream has many.
type chunkMetrics struct {
	options []metric.RecordOption
	last    time.Time
}

func (m *metrics) chunk(c *call, first bool) {
	chunks := &c.chunks
	switch {
	case first:
		if !m.timeToFirstChunk.Enabled(c.ctx) && !m.timePerOutputChunk.Enabled(c.ctx) {
			return
		}
		chunks.last = c.started.Add(c.response.timeToFirstChunk)
		chunks.options = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(c.identity()...))}
		m.timeToFirstChunk.Record(c.ctx, c.response.timeToFirstChunk.Seconds(), chunks.options...)
	case chunks.options != nil:
		now := time.Now()
		m.timePerOutputChunk.Record(c.ctx, now.Sub(chunks.last).Seconds(), chunks.options...)
		chunks.last = now
	}
}
