// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// size is how large a row is, and how long what is set in it.
type size struct {
	spans     int
	timeout   time.Duration // the exporter's, of one call
	reconcile time.Duration // reconcile_after
	outage    time.Duration // for which MLflow is down
	within    time.Duration // until everything must be at rest
}

var (
	smallSize = size{spans: 100, timeout: time.Second, reconcile: 2 * time.Second, outage: 5 * time.Second, within: 90 * time.Second}
	// realSize has the reconcile_after of production. The timeout is shorter than its 30 s, for the many calls that hang.
	realSize = size{timeout: 5 * time.Second, reconcile: 2 * time.Minute, outage: 3 * time.Minute, within: 30 * time.Minute}
)

// outcome is what became of a row's spans.
type outcome struct {
	scenario   string
	sent       int
	accepted   int // that a collector has acknowledged
	runs       int // active runs at rest
	lost       int // accepted, and without a finished run
	duplicated int // runs beyond one for each span
	took       time.Duration
	err        error
}

// row is one scenario at work.
type row struct {
	size
	shape
	dir        string
	server     server
	proxy      *proxy
	wire       *wire // to the database, where runs are written to it
	reader     *testbed.Reader
	collectors []*testbed.Collector

	mu       sync.Mutex
	sent     int
	accepted map[string]bool // span ids
	refused  int             // spans
}

// runRow runs a scenario on a server that is up.
func runRow(ctx context.Context, s scenario, size size, server server, dir string) (out outcome) {
	begin := time.Now()
	out.scenario = s.name
	r := &row{
		size: size, dir: dir, server: server, proxy: newProxy(server.url), reader: testbed.NewReader(server.url),
		shape: shape{service: "faults-" + rand.Text(), persona: "faults_" + rand.Text()}, accepted: make(map[string]bool),
	}
	defer func() {
		for _, c := range r.collectors {
			out.err = errors.Join(out.err, c.Stop())
		}
		r.proxy.close()
		if r.wire != nil {
			r.wire.close()
		}
		out.took = time.Since(begin)
	}()
	if server.database != nil {
		wire, err := newWire(ctx, server.database.Address)
		if err != nil {
			out.err = err
			return out
		}
		r.wire = wire
	}
	ctx, cancel := context.WithTimeoutCause(ctx, size.within, fmt.Errorf("not done within %s", size.within))
	defer cancel()
	err := s.run(ctx, r)
	if err == nil {
		err = r.rest(ctx)
	}
	// Read even after an error, with a context that has not ended: the table shows what is there.
	read, cancelRead := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancelRead()
	out.err = errors.Join(err, r.count(read, &out))
	return out
}

// overrides are the settings of all rows. Retries come sooner than by default, so that a row does more in its time.
func (r *row) overrides() []string {
	overrides := []string{
		"exporters.mlflow.retry_on_failure={initial_interval: 200ms, max_interval: 2s}",
		"exporters.mlflow.timeout=" + r.timeout.String(),
		"exporters.mlflow.reconcile_after=" + r.reconcile.String(),
	}
	if r.wire != nil {
		overrides = append(overrides, r.databaseOverrides()...)
	}
	return overrides
}

// start starts a collector that writes through the proxy; the overrides are added to those of all rows.
func (r *row) start(ctx context.Context, overrides ...string) (*testbed.Collector, error) {
	return r.startProgram(ctx, "", r.proxy.URL, overrides...)
}

func (r *row) startProgram(ctx context.Context, program, mlflow string, overrides ...string) (*testbed.Collector, error) {
	root, err := testbed.Root()
	if err != nil {
		return nil, err
	}
	collector, err := testbed.StartCollector(ctx, testbed.CollectorConfig{
		Configs: []string{filepath.Join(root, "deploy", "collector", "otelcol-mlflow.yaml")},
		Set:     append(r.overrides(), overrides...),
		Env:     []string{"MLFLOW_TRACKING_URI=" + mlflow},
		Dir:     filepath.Join(r.dir, strconv.Itoa(len(r.collectors))),
		Path:    program,
	})
	if err == nil {
		r.collectors = append(r.collectors, collector)
	}
	return collector, err
}

// limited is a program that runs the collector so that no file of it can become larger: for its queue, the disk is full.
func (r *row) limited(bytes int) (string, error) {
	collector, err := testbed.CollectorBinary()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(r.dir, "limited.sh")
	const blockSize = 512 // of ulimit -f, by POSIX
	script := fmt.Sprintf("#!/bin/sh\nulimit -f %d && exec '%s' \"$@\"\n", bytes/blockSize, collector)
	return path, os.WriteFile(path, []byte(script), 0o700)
}

// batches makes all of the row's spans. They are made before they are sent, as an application's are.
func (r *row) batches() []batch {
	all := make([]batch, 0, r.spans/batchSize)
	for i := 0; i < r.spans; i += batchSize {
		all = append(all, newBatch(r.shape, i))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent += r.spans
	return all
}

// senders is how many requests are sent to a collector at the same time.
const senders = 4

// sendAll sends the batches to a collector until all are accepted, as SDKs do. Between two requests of a sender it pauses.
func (r *row) sendAll(ctx context.Context, collector *testbed.Collector, batches []batch, pause time.Duration) error {
	return r.sendTo(ctx, collector.SendHTTP, batches, pause)
}

// send makes one request.
type send func(context.Context, ptrace.Traces) error

func (r *row) sendTo(ctx context.Context, send send, batches []batch, pause time.Duration) error {
	waiting := make(chan batch, len(batches))
	for _, b := range batches {
		waiting <- b
	}
	close(waiting)
	var group errgroup.Group
	for range senders {
		group.Go(func() error {
			for b := range waiting {
				if err := r.insist(ctx, send, b); err != nil {
					return err
				}
				if err := wait(ctx, pause); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// insist sends a batch until it is accepted.
func (r *row) insist(ctx context.Context, send send, b batch) error {
	return poll(ctx, func() (bool, error) {
		err := send(ctx, b.traces)
		if err == nil {
			r.accept(b)
			return true, nil
		}
		var refused *testbed.Refusal
		if errors.As(err, &refused) && !refused.Retryable {
			return false, err
		}
		return false, nil
	})
}

// sendOnce sends each batch once, in turn over HTTP and gRPC, and counts what is refused. A refusal that tells the client
// not to try again is an error.
func (r *row) sendOnce(ctx context.Context, collector *testbed.Collector, batches []batch) error {
	for i, b := range batches {
		send := collector.SendHTTP
		if i%2 == 1 {
			send = collector.SendGRPC
		}
		err := send(ctx, b.traces)
		var refused *testbed.Refusal
		switch {
		case err == nil:
			r.accept(b)
		case errors.As(err, &refused) && refused.Retryable:
			r.refused += len(b.spans)
		default:
			return fmt.Errorf("a client is told not to try again: %w", err)
		}
	}
	return nil
}

func (r *row) accept(b batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range b.spans {
		r.accepted[id] = true
	}
}

// grace is how long a collector that has nothing left to do may stay without a run for a span, before it is called lost.
const grace = 5 * time.Second

// rest waits until nothing happens any more, and for a little longer if spans have no run.
func (r *row) rest(ctx context.Context) error {
	var since time.Time
	return poll(ctx, func() (bool, error) {
		if err := r.idle(ctx); err != nil {
			return false, fmt.Errorf("waiting for rest: %w", err)
		}
		if since.IsZero() {
			since = time.Now()
		}
		var now outcome
		err := r.count(ctx, &now)
		return now.lost == 0 || time.Since(since) > grace, err
	})
}

// idle waits until queues are empty, no span waits for a second look, and no call is held back.
func (r *row) idle(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		for _, c := range r.collectors {
			busy, err := c.Busy(ctx)
			if err != nil || busy > 0 {
				return false, nil //nolint:nilerr // it is being started
			}
		}
		return r.proxy.idle(), nil
	})
}

// count compares what was accepted with what is written.
func (r *row) count(ctx context.Context, out *outcome) error {
	runs, err := r.reader.Runs(ctx, "tags.`service.name` = \""+r.service+`"`)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	out.sent, out.accepted, out.runs, out.lost, out.duplicated = r.sent, len(r.accepted), len(runs), 0, 0
	found, finished := make(map[string]bool), make(map[string]bool)
	for _, run := range runs {
		id := run.Tags["otel.span_id"]
		if found[id] {
			out.duplicated++
		}
		found[id] = true
		if run.Status == "FINISHED" {
			finished[id] = true
		}
	}
	for id := range r.accepted {
		if !finished[id] {
			out.lost++
		}
	}
	return nil
}

// waitForRuns waits until the row has so many runs.
func (r *row) waitForRuns(ctx context.Context, n int) error {
	return poll(ctx, func() (bool, error) {
		if r.wire == nil {
			return r.proxy.runsFinished() >= n, nil // asking MLflow would keep it from its work
		}
		var now outcome
		err := r.count(ctx, &now)
		return now.runs >= n, err
	})
}

// pollEvery is how often a condition is looked at.
const pollEvery = 50 * time.Millisecond

// poll waits until a condition holds.
func poll(ctx context.Context, condition func() (bool, error)) error {
	for {
		if done, err := condition(); done || err != nil {
			return err
		}
		if err := wait(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
