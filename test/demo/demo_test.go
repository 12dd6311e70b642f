// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCheck is `make demo-check`: the shipped config, the built collector, the example and a fresh MLflow.
func TestCheck(t *testing.T) {
	require.NoError(t, checkAll(t.Context(), t.Output()))
}

func TestTableFitsInto120Columns(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var table bytes.Buffer
	require.NoError(t, printRuns(&table, []testbed.Run{
		{
			Name: "gpt-4o · Where is my refund?", Experiment: "support_agent_2026-11-23", Status: "FAILED", Start: start,
			Params: map[string]string{"model": "gpt-4o"}, Metrics: map[string]float64{"latency_ms": 3.4},
		},
		{
			Name: "gpt-4o-mini · Write a thread about growing an audience.", Experiment: "viral_content_creator_2026-11-23",
			Status: "FINISHED", Start: start, Params: map[string]string{"model": "gpt-4o-mini"},
			Metrics: map[string]float64{"prompt_tokens": 123456, "completion_tokens": 49, "cost_usd": 0.01854780, "latency_ms": 12345.6},
			Tags:    map[string]string{"token_source": "estimated"},
		},
	}))
	require.Equal(t, `
EXPERIMENT                        RUN                   MODEL        PROMPT  COMPL.    COST  LATENCY  TOKENS     STATUS
                                                                     tokens  tokens  US ct.       ms  are
support_agent_2026-11-23          Where is my refund?   gpt-4o            -       -       -        3  -          FAILED
viral_content_creator_2026-11-23  Write a thread abou…  gpt-4o-mini  123456      49  1.8548    12346  estimated  FINISHED
`, "\n"+table.String())
}
