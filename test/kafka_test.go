// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build kafka

package e2e

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

var kafkaCalls = flag.Int("calls", 2000, "`number` of calls through Kafka")

// Calls go through an agent, Kafka and two gateways, of which one is killed twice at work.
func TestCallsThroughKafkaAreWrittenOnce(t *testing.T) {
	kafka, err := testbed.StartKafka(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, kafka.Stop()) })
	server, err := testbed.StartFastTrackML(t.Context(), testbed.FastTrackMLConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })

	start := func(config string) *testbed.Collector {
		return startCollector(t, config, server.URL, "KAFKA_BROKERS=["+kafka.Address+"]")
	}
	agent := start("agent-kafka.yaml")
	killed, other := start("gateway-kafka.yaml"), start("gateway-kafka.yaml")

	persona := newPersona()
	sent := make(map[string]bool)
	sending := make(chan error, 1)
	var batches []ptrace.Traces
	for len(sent) < *kafkaCalls {
		batch := ptrace.NewTraces()
		for range 20 {
			call := newCall(persona, "What is 2+2?")
			sent[spanID(call)] = true
			call.ResourceSpans().MoveAndAppendTo(batch.ResourceSpans())
		}
		batches = append(batches, batch)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for _, batch := range batches {
			for err := agent.SendGRPC(ctx, batch); err != nil; err = agent.SendGRPC(ctx, batch) {
				if ctx.Err() != nil {
					sending <- ctx.Err()
					return
				}
			}
		}
		sending <- nil
	}()
	for _, part := range []int{4, 2} {
		await(t, func() bool { return finished(t, server.URL, persona) >= *kafkaCalls/part })
		require.NoError(t, killed.Kill())
		require.NoError(t, killed.Restart(t.Context()))
	}
	require.NoError(t, <-sending)
	await(t, func() bool { return finished(t, server.URL, persona) >= len(sent) })
	await(t, func() bool { // both have looked again at what each of them may have written
		one, err := killed.Busy(t.Context())
		require.NoError(t, err)
		two, err := other.Busy(t.Context())
		require.NoError(t, err)
		return one+two == 0
	})
	require.NoError(t, agent.Stop())
	require.NoError(t, killed.Stop())
	require.NoError(t, other.Stop())

	found := make(map[string]int)
	for _, run := range runsOf(t, server.URL, persona) {
		found[run.Tags["otel.span_id"]]++
	}
	assert.Len(t, found, len(sent), "accepted and not written, or written and not sent")
	for span, runs := range found {
		assert.Equal(t, 1, runs, span)
		assert.True(t, sent[span], span)
	}
}

// finished is how many calls have a finished run.
func finished(t *testing.T, mlflow, persona string) int {
	spans := make(map[string]bool)
	for _, run := range runsOf(t, mlflow, persona) {
		if run.Status == "FINISHED" {
			spans[run.Tags["otel.span_id"]] = true
		}
	}
	return len(spans)
}

// await polls until a condition holds, however long it takes; `go test -timeout` ends it.
func await(t *testing.T, condition func() bool) {
	t.Helper()
	for !condition() {
		require.NoError(t, t.Context().Err())
		<-time.After(2 * time.Second)
	}
}
