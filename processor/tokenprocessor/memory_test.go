// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// The race detector allocates: make check-memory runs it without.
//go:build !race

package tokenprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Most spans come with their counts, and must cost next to nothing.
func TestMemoryOfASpanWithCounts(t *testing.T) {
	for name, allocations := range map[string]float64{"not priced": 0, "priced": 4} {
		t.Run(name, func(t *testing.T) {
			config := createDefaultConfig().(*Config)
			config.Pricing.Enabled = name == "priced"
			p, err := newProcessor(processortest.NewNopSettings(NewFactory().Type()), config)
			require.NoError(t, err)
			span := reported(chat("What is 2+2?", "2 + 2 = 4"))
			span.Attributes().PutStr(semconv.PersonaID, "tech_educator")
			traces := batch(span)
			attributes := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes()
			got := testing.AllocsPerRun(100, func() {
				if _, err := p.processTraces(t.Context(), traces); err != nil {
					t.Error(err)
				}
				attributes.Remove(semconv.TokenCostUSD)
				attributes.Remove(semconv.TokenCostSource)
			})
			require.LessOrEqual(t, got, allocations)
		})
	}
}
