// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Benchoutage measures what the built collector needs while MLflow is down and LLM calls keep coming: memory and room on
// its disk. It prints a Markdown table and a line for each bar, and fails when one is missed.
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
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

const (
	batchSize = 20
	// maxGrowth is how much of the heap may be added between the second minute and the last, when everything that
	// has a bound has reached it.
	maxGrowth = 1.25
	// room is the queue's size in bytes. The distribution's default of 512 MiB holds 110 s of this.
	room = 4 << 30
)

func main() {
	perSecond := flag.Int("rate", 200, "`spans` a second")
	size := flag.Int("size", 24<<10, "`bytes` of content in a span")
	outage := flag.Duration("outage", 10*time.Minute, "how `long` MLflow is down")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := bench(ctx, *perSecond, *size, *outage)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchoutage:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// sample is the collector at one moment. Sizes are in MB.
type sample struct {
	at              time.Duration
	sent            int
	heap, rss, disk float64
}

func bench(ctx context.Context, perSecond, size int, outage time.Duration) (ok bool, err error) {
	root, err := testbed.Root()
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "otelcol-mlflow-outage-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	nobody, err := testbed.FreePort()
	if err != nil {
		return false, err
	}
	collector, err := testbed.StartCollector(ctx, testbed.CollectorConfig{
		Configs: []string{filepath.Join(root, "deploy", "collector", "otelcol-mlflow.yaml")},
		Set:     []string{fmt.Sprintf("exporters.mlflow.sending_queue.queue_size=%d", room)},
		Env:     []string{"MLFLOW_TRACKING_URI=http://" + testbed.LoopbackAddress(nobody)},
		Dir:     dir,
	})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, collector.Kill()) }() // what is in its queue is not wanted

	begin := time.Now()
	content := newContent(size)
	var sending errgroup.Group
	sending.SetLimit(8)
	ticks := time.NewTicker(time.Second * batchSize / time.Duration(perSecond))
	defer ticks.Stop()
	var samples []sample
	sent := 0
	for next := outage / 10; time.Since(begin) < outage; {
		select {
		case <-ctx.Done():
			return false, errors.Join(ctx.Err(), sending.Wait())
		case <-ticks.C:
		}
		batch := content.batch()
		sending.Go(func() error { return collector.SendHTTP(ctx, batch) })
		sent += batchSize
		if since := time.Since(begin); since >= next {
			next += outage / 10
			now, err := look(ctx, collector, filepath.Join(dir, "storage"))
			if err != nil {
				return false, errors.Join(err, sending.Wait())
			}
			now.at, now.sent = since, sent
			samples = append(samples, now)
		}
	}
	if err := sending.Wait(); err != nil {
		return false, fmt.Errorf("sending, of which nothing may be refused: %w", err)
	}
	if len(samples) < 3 {
		return false, errors.New("the outage is too short for a measurement")
	}
	return report(samples, perSecond, size), nil
}

func report(samples []sample, perSecond, size int) bool {
	last := samples[len(samples)-1]
	fmt.Printf("\nMLflow down, %.0f spans a second (of %d intended) of %d kB, all accepted\n\n",
		float64(last.sent)/last.at.Seconds(), perSecond, size/1000)
	fmt.Print("| after | spans | heap, MB | resident, MB | queue on disk, MB |\n|--:|--:|--:|--:|--:|\n")
	for _, s := range samples {
		fmt.Printf("| %s | %d | %.0f | %.0f | %.0f |\n", s.at.Round(time.Second), s.sent, s.heap, s.rss, s.disk)
	}
	growth := last.heap / samples[1].heap
	verdict := "ok"
	if growth > maxGrowth {
		verdict = "short"
	}
	fmt.Printf("\nheap at the end, of that after a fifth of the time: %.2f, bar %g, %s\n", growth, maxGrowth, verdict)
	return growth <= maxGrowth
}

// look reads the collector's memory from its own metrics. The heap is what Go has from the system; resident memory also has
// the pages of the queue's file that were touched, which the system can take back.
func look(ctx context.Context, collector *testbed.Collector, storage string) (sample, error) {
	own, err := collector.OwnMetrics(ctx, "otelcol_process_runtime_total_sys_memory_bytes", "otelcol_process_memory_rss")
	if err != nil {
		return sample{}, err
	}
	var disk int64
	err = filepath.WalkDir(storage, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			disk += info.Size()
		}
		return err
	})
	return sample{heap: own[0] / 1e6, rss: own[1] / 1e6, disk: float64(disk) / 1e6}, err
}

// content is what the spans say: different text for each, because a database may share what is the same.
type content struct {
	random *rand.Rand
	size   int
}

func newContent(size int) *content { return &content{random: rand.New(rand.NewPCG(1, 2)), size: size} }

func (c *content) batch() ptrace.Traces {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr(semconv.ServiceName, "benchoutage")
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	for range batchSize {
		span := spans.AppendEmpty()
		span.SetKind(ptrace.SpanKindClient)
		testbed.Stamp(span, time.Now().Add(-time.Second), time.Now())
		attributes := span.Attributes()
		attributes.PutStr(semconv.GenAIOperationName, semconv.OperationChat)
		attributes.PutStr(semconv.GenAIRequestModel, "gpt-4o")
		attributes.PutStr(semconv.PersonaID, "tech_educator")
		attributes.PutStr(semconv.GenAIInputMessages, `[{"role":"user","parts":[{"type":"text","content":"`+c.text(c.size*2/3)+`"}]}]`)
		attributes.PutStr(semconv.GenAIOutputMessages, `[{"role":"assistant","parts":[{"type":"text","content":"`+c.text(c.size/3)+`"}]}]`)
	}
	return traces
}

func (c *content) text(size int) string {
	var text strings.Builder
	for text.Len() < size {
		for range 2 + c.random.IntN(8) {
			text.WriteByte(byte('a' + c.random.IntN(26)))
		}
		text.WriteByte(' ')
	}
	return text.String()
}
