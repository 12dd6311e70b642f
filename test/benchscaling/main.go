// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Benchscaling measures what docs/scaling.md says about sizes: how many runs a second one MLflow takes, by its database and
// its workers, and what a span of 4, 16 or 64 kB costs the built collector, its queue and Kafka. It prints Markdown tables.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// requestSpans is how many spans come in a request.
const requestSpans = 20

func main() {
	rounds := flag.Int("rounds", 3, "`number` of measurements of each MLflow")
	runs := flag.Int("runs", 200, "`number` of runs written in a measurement of MLflow")
	spans := flag.Int("spans", 2000, "`number` of spans in a measurement of the collector")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := errors.Join(spanCosts(ctx, *spans), serverRates(ctx, *rounds, *runs))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchscaling:", err)
		os.Exit(1)
	}
}

// serverRates prints how many runs of 4 kB a second the collector writes into servers of several sizes, which are measured
// in turn: what else the machine does then changes all of them alike.
func serverRates(ctx context.Context, rounds, runs int) error {
	rows := []installation{
		{name: "SQLite, 1 worker", replicas: 1, workers: 1},
		{name: "SQLite, 4 workers", replicas: 1, workers: 4},
		{name: "PostgreSQL, 1 worker", postgres: true, replicas: 1, workers: 1},
		{name: "PostgreSQL, 2 workers", postgres: true, replicas: 1, workers: 2},
		{name: "PostgreSQL, 4 workers", postgres: true, replicas: 1, workers: 4},
		{name: "PostgreSQL, 2 servers of 2 workers", postgres: true, replicas: 2, workers: 2},
	}
	for round := range rounds {
		for i := range rows {
			fmt.Fprintf(os.Stderr, "==> round %d of %d: %s\n", round+1, rounds, rows[i].name)
			if err := inFolder(func(dir string) error { return rows[i].measure(ctx, dir, runs) }); err != nil {
				return fmt.Errorf("%s: %w", rows[i].name, err)
			}
		}
	}
	fmt.Printf("\n%d runs of 4 kB in each of %d rounds, at a concurrency of 8, %d CPUs that all of it shares\n\n", runs, rounds, runtime.NumCPU())
	fmt.Print("| MLflow | beside each run | runs/s, median | lowest | highest | collector's CPU, ms/run |\n|---|---|--:|--:|--:|--:|\n")
	for _, row := range rows {
		for i, beside := range besides {
			rates, cpu := row.rates[i], row.cpu[i]
			slices.Sort(rates)
			slices.Sort(cpu)
			fmt.Printf("| %s | %s | %.1f | %.1f | %.1f | %.1f |\n",
				row.name, beside.name, rates[rounds/2], rates[0], rates[rounds-1], cpu[rounds/2])
		}
	}
	return nil
}

// besides is what is written with runs.
var besides = [...]struct{ name, setting string }{
	{"nothing", "exporters.mlflow.traces.enabled=false"},
	{"a linked trace", "exporters.mlflow.traces.enabled=true"},
}

// installation is an MLflow of some size, and what was measured with it.
type installation struct {
	name              string
	postgres          bool // else SQLite
	replicas, workers int
	rates, cpu        [len(besides)][]float64
}

// measure adds a measurement with a new server.
func (of *installation) measure(ctx context.Context, dir string, runs int) (err error) {
	var store string
	if of.postgres {
		postgres, err := testbed.StartPostgres(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, postgres.Stop()) }()
		store = postgres.URI
	}
	mlflow, err := testbed.StartReplicas(ctx, testbed.MLflowConfig{Dir: dir, Store: store, Workers: of.workers}, of.replicas)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mlflow.Stop()) }()
	for i, beside := range besides {
		rate, cpu, err := writeRuns(ctx, filepath.Join(dir, fmt.Sprint("collector-", i)), mlflow.URL, beside.setting, runs)
		if err != nil {
			return err
		}
		of.rates[i], of.cpu[i] = append(of.rates[i], rate), append(of.cpu[i], cpu)
	}
	return nil
}

// writeRuns returns runs a second and milliseconds of CPU for each, after the server's workers are warm.
func writeRuns(ctx context.Context, dir, mlflow, setting string, runs int) (rate, cpu float64, err error) {
	collector, err := startCollector(ctx, dir, "otelcol-mlflow.yaml", []string{setting}, "MLFLOW_TRACKING_URI="+mlflow)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, collector.Stop()) }()
	content := newContent(4 << 10)
	for _, n := range []int{runs / 4, runs} {
		before, err := collector.OwnMetrics(ctx, cpuSeconds)
		if err != nil {
			return 0, 0, err
		}
		begin := time.Now()
		if err := content.send(ctx, collector, n); err != nil {
			return 0, 0, err
		}
		if err := emptyQueue(ctx, collector); err != nil {
			return 0, 0, err
		}
		rate = float64(n) / time.Since(begin).Seconds()
		after, err := collector.OwnMetrics(ctx, cpuSeconds)
		if err != nil {
			return 0, 0, err
		}
		cpu = (after[0] - before[0]) * 1000 / float64(n)
	}
	return rate, cpu, nil
}

// spanCosts prints what spans of several sizes cost while MLflow is down, and on their way into Kafka.
func spanCosts(ctx context.Context, spans int) error {
	fmt.Printf("\n%d spans of each size, tokens counted; MLflow is down\n\n", spans)
	fmt.Print("| content of a span | CPU, ms | heap, MB | queue on disk, kB | CPU of a Kafka agent, ms | in Kafka (zstd), kB |\n|--:|--:|--:|--:|--:|--:|\n")
	for _, size := range []int{4, 16, 64} {
		if err := inFolder(func(dir string) error { return spanCost(ctx, dir, size, spans) }); err != nil {
			return fmt.Errorf("spans of %d kB: %w", size, err)
		}
	}
	return nil
}

func spanCost(ctx context.Context, dir string, size, spans int) error {
	nobody, err := testbed.FreePort()
	if err != nil {
		return err
	}
	queued, err := costOf(ctx, filepath.Join(dir, "queue"), "otelcol-mlflow.yaml", size, spans, false,
		"MLFLOW_TRACKING_URI=http://"+testbed.LoopbackAddress(nobody))
	if err != nil {
		return err
	}
	disk, err := sizeOf(filepath.Join(dir, "queue", "storage"))
	if err != nil {
		return err
	}
	kafka, err := testbed.StartKafka(ctx, filepath.Join(dir, "kafka"))
	if err != nil {
		return err
	}
	agent, err := costOf(ctx, filepath.Join(dir, "agent"), "agent-kafka.yaml", size, spans, true, "KAFKA_BROKERS=["+kafka.Address+"]")
	if err = errors.Join(err, kafka.Stop()); err != nil { // which writes what it has
		return err
	}
	topic, err := sizeOf(filepath.Join(dir, "kafka", "data"), "otlp_spans-*/*.log")
	if err != nil {
		return err
	}
	n := float64(spans)
	fmt.Printf("| %d kB | %.2f | %.0f | %.1f | %.2f | %.1f |\n", size, queued.cpu, queued.heap, disk/n/1000, agent.cpu, topic/n/1000)
	return nil
}

// cost is what spans need of a collector.
type cost struct {
	cpu  float64 // ms for each
	heap float64 // MB
}

func costOf(ctx context.Context, dir, config string, size, spans int, drain bool, env string) (c cost, err error) {
	collector, err := startCollector(ctx, dir, config, []string{}, env)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, collector.Kill()) }() // what is in its queue is not wanted
	before, err := collector.OwnMetrics(ctx, cpuSeconds)
	if err != nil {
		return c, err
	}
	if err := newContent(size<<10).send(ctx, collector, spans); err != nil {
		return c, err
	}
	if drain {
		if err := emptyQueue(ctx, collector); err != nil {
			return c, err
		}
	}
	after, err := collector.OwnMetrics(ctx, cpuSeconds, "otelcol_process_runtime_total_sys_memory_bytes")
	if err != nil {
		return c, err
	}
	return cost{cpu: (after[0] - before[0]) * 1000 / float64(spans), heap: after[1] / 1e6}, nil
}

const cpuSeconds = "otelcol_process_cpu_seconds"

func startCollector(ctx context.Context, dir, config string, set []string, env string) (*testbed.Collector, error) {
	root, err := testbed.Root()
	if err != nil {
		return nil, err
	}
	return testbed.StartCollector(ctx, testbed.CollectorConfig{
		Configs: []string{filepath.Join(root, "deploy", "collector", config)}, Set: set, Env: []string{env}, Dir: dir,
	})
}

// emptyQueue waits until everything that was accepted is written.
func emptyQueue(ctx context.Context, collector *testbed.Collector) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		size, err := collector.OwnMetrics(ctx, "otelcol_exporter_queue_size")
		if err != nil || size[0] == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sizeOf is how many bytes the files in a folder have, those that match one of the patterns or else all.
func sizeOf(folder string, patterns ...string) (bytes float64, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		matches := len(patterns) == 0
		for _, pattern := range patterns {
			matched, err := filepath.Match(filepath.Join(folder, pattern), path)
			if err != nil {
				return err
			}
			matches = matches || matched
		}
		if !matches {
			return nil
		}
		info, err := entry.Info()
		if err == nil {
			bytes += float64(info.Size())
		}
		return err
	})
	return bytes, err
}

func inFolder(do func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "otelcol-mlflow-scaling-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return do(dir)
}

// content is what the spans say: different text for each, because compression shares what is the same.
type content struct {
	random *rand.Rand
	size   int // bytes in a span
}

func newContent(size int) *content { return &content{random: rand.New(rand.NewPCG(1, 2)), size: size} }

// send sends calls without token counts, which the collector counts.
func (c *content) send(ctx context.Context, collector *testbed.Collector, n int) error {
	for range n / requestSpans {
		traces := ptrace.NewTraces()
		spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for range requestSpans {
			span := spans.AppendEmpty()
			// After the collector was started, by more than clocks may differ: none is looked for before it is written.
			end := time.Now().Add(5 * time.Minute)
			testbed.Stamp(span, end.Add(-time.Second), end)
			a := span.Attributes()
			a.PutStr(semconv.GenAIOperationName, semconv.OperationChat)
			a.PutStr(semconv.GenAIRequestModel, "gpt-4o")
			a.PutStr(semconv.PersonaID, "tech_educator")
			a.PutStr(semconv.GenAIInputMessages, c.message("user", c.size*2/3))
			a.PutStr(semconv.GenAIOutputMessages, c.message("assistant", c.size/3))
		}
		if err := collector.SendHTTP(ctx, traces); err != nil {
			return err
		}
	}
	return nil
}

func (c *content) message(role string, size int) string {
	var text strings.Builder
	for text.Len() < size {
		for range 2 + c.random.IntN(8) {
			text.WriteByte(byte('a' + c.random.IntN(26)))
		}
		text.WriteByte(' ')
	}
	return fmt.Sprintf(`[{"role":%q,"parts":[{"type":"text","content":%q}]}]`, role, text.String())
}
