// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build kafka

package e2e

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

var kafkaCalls = flag.Int("calls", 2000, "`number` of calls through Kafka")

// maxRunsOfAPersona is how many runs fasttrackml can list: the page that would begin with run 10,000 has a token that it cannot
// read itself.
const maxRunsOfAPersona = 9000

// Calls go through an agent, Kafka and two gateways, of which one is killed twice at work.
func TestCallsThroughKafkaAreWrittenOnce(t *testing.T) {
	shipped := shippedConfig(t, "otelcol-mlflow.yaml")
	for _, tt := range []struct {
		name    string   // without commas: Kafka splits the names of its folders at them
		gateway []string // configs
	}{
		{"with a queue on disk", []string{shipped, shippedConfig(t, "gateway-kafka.yaml")}},
		{"without a disk as in the chart", []string{shipped, kafkaOfChart(t)}},
	} {
		t.Run(tt.name, func(t *testing.T) { testKafka(t, tt.gateway) })
	}
}

// kafkaOfChart is a file with what the chart adds to the shipped config for collectors that read from Kafka.
func kafkaOfChart(t *testing.T) string {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	golden, err := os.ReadFile(filepath.Join(root, "deploy", "helm", "testdata", "golden", "kafka.yaml"))
	require.NoError(t, err)
	for objects := yaml.NewDecoder(bytes.NewReader(golden)); ; {
		var object struct{ Data map[string]string }
		require.NoError(t, objects.Decode(&object), "until the chart's config is found")
		if values, ok := object.Data["values.yaml"]; ok {
			require.Contains(t, values, "wait_for_result: true")
			file := filepath.Join(t.TempDir(), "values.yaml")
			require.NoError(t, os.WriteFile(file, []byte(values), 0o600))
			return file
		}
	}
}

// startKafka starts a broker and the server behind the gateways.
func startKafka(t *testing.T) (*testbed.Kafka, *testbed.FastTrackML) {
	t.Helper()
	kafka, err := testbed.StartKafka(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, kafka.Stop()) })
	server, err := testbed.StartFastTrackML(t.Context(), testbed.FastTrackMLConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return kafka, server
}

func testKafka(t *testing.T, gateway []string) {
	kafka, server := startKafka(t)

	start := func(configs []string, set ...string) *testbed.Collector {
		collector, err := testbed.StartCollector(t.Context(), testbed.CollectorConfig{
			Configs: configs,
			Set:     set,
			Env:     []string{"MLFLOW_TRACKING_URI=" + server.URL, "KAFKA_BROKERS=[" + kafka.Address + "]"},
			Dir:     t.TempDir(),
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, collector.Stop()) })
		return collector
	}
	agent := start([]string{shippedConfig(t, "agent-kafka.yaml")})
	startGateway := func() *testbed.Collector {
		return start(gateway, "receivers.kafka.brokers=["+kafka.Address+"]",
			"exporters.mlflow.retry_on_failure={initial_interval: 200ms, max_interval: 1s}") // because a test waits for it
	}
	killed, other := startGateway(), startGateway()

	sent := make(map[string]bool)
	var personas []string
	sending := make(chan error, 1)
	var batches []ptrace.Traces
	for len(sent) < *kafkaCalls {
		if len(sent)%maxRunsOfAPersona == 0 {
			personas = append(personas, newPersona())
		}
		batch := ptrace.NewTraces()
		for range 20 {
			call := newCall(personas[len(personas)-1], "What is 2+2?")
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
	done := make(map[string]bool) // personas whose calls all have a finished run
	count := func() int {
		n := 0
		for _, persona := range personas {
			of := maxRunsOfAPersona
			if !done[persona] {
				of = finished(t, server.URL, persona)
				done[persona] = of == maxRunsOfAPersona
			}
			n += of
		}
		return n
	}
	for _, part := range []int{4, 2} {
		await(t, func() bool { return count() >= *kafkaCalls/part })
		require.NoError(t, killed.Kill())
		require.NoError(t, killed.Restart(t.Context()))
	}
	require.NoError(t, <-sending)
	await(t, func() bool { return count() >= len(sent) })
	await(t, func() bool { // both have looked again at what each of them may have written
		one, err := killed.Busy(t.Context())
		require.NoError(t, err)
		two, err := other.Busy(t.Context())
		require.NoError(t, err)
		return one+two == 0
	})
	// What was read is in metrics, too. One of the two may have read nothing since it was started.
	await(t, func() bool {
		return strings.Contains(read(t, killed.Calls)+read(t, other.Calls), "gen_ai_client_operation_calls_total{")
	})
	require.NoError(t, agent.Stop())
	require.NoError(t, killed.Stop())
	require.NoError(t, other.Stop())

	found := make(map[string]int)
	for _, persona := range personas {
		for _, run := range runsOf(t, server.URL, persona) {
			found[run.Tags["otel.span_id"]]++
		}
	}
	assert.Len(t, found, len(sent), "accepted and not written, or written and not sent")
	for span, runs := range found {
		assert.Equal(t, 1, runs, span)
		assert.True(t, sent[span], span)
	}
}

// While MLflow is down and the queue is full, Kafka waits: a message that is refused would be counted again.
func TestKafkaWaitsWhileTheQueueIsFull(t *testing.T) {
	kafka, server := startKafka(t)
	require.NoError(t, server.Kill())
	brokers := "KAFKA_BROKERS=[" + kafka.Address + "]"
	agent := startCollector(t, "agent-kafka.yaml", server.URL, brokers)
	gateway, err := testbed.StartCollector(t.Context(), testbed.CollectorConfig{
		Configs: []string{shippedConfig(t, "otelcol-mlflow.yaml"), shippedConfig(t, "gateway-kafka.yaml")},
		Set: []string{
			"exporters.mlflow.sending_queue.queue_size=3000", // a few calls
			"connectors.span_metrics.metrics_flush_interval=200ms",
		},
		Env: []string{"MLFLOW_TRACKING_URI=" + server.URL, brokers},
		Dir: t.TempDir(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, gateway.Stop()) })

	const calls = 60
	persona := newPersona()
	for range calls {
		require.NoError(t, agent.SendGRPC(t.Context(), newCall(persona, "What is 2+2?")))
	}
	await(t, func() bool { // one request more does not fit
		size, err := gateway.OwnMetrics(t.Context(), "otelcol_exporter_queue_size")
		require.NoError(t, err)
		return size[0] > 2000
	})
	<-time.After(5 * time.Second) // in which what was refused would come again
	require.NoError(t, server.Restart(t.Context()))
	await(t, func() bool { return finished(t, server.URL, persona) == calls })
	counted := regexp.MustCompile(`(?m)^gen_ai_client_operation_calls_total{.*} (\d+)$`)
	var said int
	await(t, func() bool {
		if match := counted.FindStringSubmatch(read(t, gateway.Calls)); match != nil {
			said, err = strconv.Atoi(match[1])
			require.NoError(t, err)
		}
		return said >= calls
	})
	require.Equal(t, calls, said)
}

// read is what a URL answers.
func read(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
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
