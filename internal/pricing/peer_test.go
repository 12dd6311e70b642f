// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package pricing_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/pricing"
)

// What genai-prices itself computes for made-up calls, written by tools/update-prices/invoices.py with the table.
func TestCostsAreThoseOfGenaiPrices(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "invoices.jsonl"))
	require.NoError(t, err)
	table := embedded(t)
	compared := 0
	for line := range bytes.Lines(data) {
		var invoice struct {
			Provider, Model, Tier string
			Time                  time.Time
			Usage                 map[string]int64
			USD                   float64
		}
		require.NoError(t, json.Unmarshal(line, &invoice))
		count := func(name string) genai.Optional[int64] {
			n, ok := invoice.Usage[name]
			return genai.Optional[int64]{Value: n, Set: ok}
		}
		cost, reason := table.Cost(&pricing.Call{
			Provider: invoice.Provider, Model: invoice.Model, ServiceTier: invoice.Tier, Time: invoice.Time,
			Usage: genai.Usage{
				Input: count("input_tokens"), Output: count("output_tokens"), Reasoning: count("output_reasoning_tokens"),
				CacheRead: count("cache_read_tokens"), CacheWrite: count("cache_write_tokens"),
				AudioInput: count("input_audio_tokens"), AudioOutput: count("output_audio_tokens"),
			},
		})
		require.Empty(t, reason, string(line))
		require.InDelta(t, invoice.USD, cost.USD, invoice.USD*1e-12, string(line))
		compared++
	}
	require.Greater(t, compared, 300)
}
