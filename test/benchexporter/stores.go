// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

const (
	minStoreRatio = 50   // the database's rate by that of REST
	minStoreRate  = 1000 // runs a second on two cores, from OTLP to committed rows
	minBeside     = 0.8  // of what users of MLflow's API have without it
	// besideRate is how many runs a second are written beside them.
	besideRate = minStoreRate
	// requestSpans is how many spans an application sends at a time; SDKs send up to 512.
	requestSpans = 100
	requests     = 4 // at the same time
	// restFactor is how many times as many runs are written to the database in a measurement.
	restFactor = 50
)

// benchStores measures a whole collector with either store, in turn, on one MLflow, and what those feel who use the API
// while the collector writes to the database as fast as it can.
func benchStores(ctx context.Context, dir string, postgres *testbed.Postgres, mlflow *testbed.MLflow, pairs, runs int) (ok bool, err error) {
	root, err := testbed.Root()
	if err != nil {
		return false, err
	}
	if err := testbed.RunScript(ctx, postgres.URI, "deploy/postgres/role.sql"); err != nil {
		return false, err
	}
	start := func(name string, overrides ...string) (*storeBench, error) {
		collector, err := testbed.StartCollector(ctx, testbed.CollectorConfig{
			Configs: []string{filepath.Join(root, "deploy", "collector", "otelcol-mlflow.yaml")},
			Env:     []string{"MLFLOW_TRACKING_URI=" + mlflow.URL},
			Set:     append(overrides, "exporters.mlflow.traces.enabled=false"), // they are MLflow's work with either store
			Dir:     filepath.Join(dir, name),
		})
		return &storeBench{series: series{name: "the collector, `store::type: " + name + "`"}, collector: collector}, err
	}
	rest, err := start("rest")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rest.collector.Stop()) }()
	sql, err := start("postgres", "exporters.mlflow.store.type=postgres",
		fmt.Sprintf("exporters.mlflow.store.dsn=%q", postgres.DSN("otelcol_mlflow")))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, sql.collector.Stop()) }()

	users := series{name: "users of the API, by themselves"}
	beside := series{name: fmt.Sprintf("users of the API, beside %d runs/s to the database", besideRate)}
	steady := series{name: "these"}
	crowded := series{name: "users of the API, beside the database's writer as fast as it can"}
	busy := series{name: "this one"}
	alone := func() error {
		rate, err := writeBare(ctx, mlflow.URL, runs)
		users.rates = append(users.rates, rate)
		return err
	}
	together := func(every time.Duration, users, writer *series) func() error {
		return func() error {
			var group errgroup.Group
			done := make(chan struct{})
			group.Go(func() error {
				rate, err := sql.until(ctx, done, every)
				writer.rates = append(writer.rates, rate)
				return err
			})
			rate, err := writeBare(ctx, mlflow.URL, runs)
			close(done)
			users.rates = append(users.rates, rate)
			return errors.Join(err, group.Wait())
		}
	}
	steps := []func() error{
		func() error { return rest.measure(ctx, runs) },
		func() error { return sql.measure(ctx, runs*restFactor) },
		alone,
		together(requestSpans*time.Second/besideRate, &beside, &steady),
		together(time.Nanosecond, &crowded, &busy),
	}
	for _, warm := range steps[:2] {
		if err := warm(); err != nil {
			return false, err
		}
	}
	rest.rates, rest.cpu, sql.rates, sql.cpu = nil, nil, nil, nil
	for pair := range pairs {
		if pair%2 == 1 {
			slices.Reverse(steps)
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return false, err
			}
		}
		if pair%2 == 1 {
			slices.Reverse(steps)
		}
	}

	fmt.Printf("\nThe collector, from OTLP to committed rows, on one PostgreSQL (fsync on) with one MLflow (2 workers), %d interleaved measurements of %d runs (postgres: %d), %d CPUs\n\n",
		pairs, runs, runs*restFactor, runtime.NumCPU())
	fmt.Print("| writer | runs/s, median | lowest | highest | collector's CPU, ms/run |\n|---|--:|--:|--:|--:|\n")
	for _, s := range []*storeBench{rest, sql, {series: users}, {series: beside}, {series: steady}, {series: crowded}, {series: busy}} {
		cpu := ""
		if s.cpu != nil {
			cpu = fmt.Sprintf("%.2f", median(s.cpu))
		}
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %s |\n", s.name, s.median(), slices.Min(s.rates), slices.Max(s.rates), cpu)
	}
	fmt.Println()
	ok = bar("rate of `postgres` against `rest`", sql.median()/rest.median(), minStoreRatio)
	ok = bar("runs/s of `postgres`", sql.median(), minStoreRate) && ok
	var kept []float64
	for i, rate := range beside.rates {
		kept = append(kept, rate/users.rates[i])
	}
	return bar("rate of the API's users beside `postgres` (median of pairs)", median(kept), minBeside) && ok, nil
}

// storeBench is a collector with one of the stores.
type storeBench struct {
	series
	cpu       []float64 // ms a run
	collector *testbed.Collector
}

// measure sends calls and waits until all are written.
func (b *storeBench) measure(ctx context.Context, runs int) error {
	batches := make([]ptrace.Traces, runs/requestSpans)
	for i := range batches {
		batches[i] = newCalls("bench-"+rand.Text(), requestSpans)
	}
	before, cpu, err := b.state(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	var group errgroup.Group
	group.SetLimit(requests)
	for _, batch := range batches {
		group.Go(func() error { return b.collector.SendHTTP(ctx, batch) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := b.wait(ctx, before+float64(runs)); err != nil {
		return err
	}
	b.rates = append(b.rates, rate(runs, begin))
	_, after, err := b.state(ctx)
	b.cpu = append(b.cpu, (after-cpu)*1000/float64(runs))
	return err
}

// until sends requests until done, one in each interval, and never many more calls than are written. It returns the rate at
// which they were.
func (b *storeBench) until(ctx context.Context, done <-chan struct{}, every time.Duration) (float64, error) {
	const ahead = 10 * requestSpans // and how often it is looked at, which takes CPU too
	first, _, err := b.state(ctx)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for sent := first; ; {
		select {
		case <-done:
			if err := b.wait(ctx, sent); err != nil {
				return 0, err
			}
			return rate(int(sent-first), begin), nil
		case <-tick.C:
		}
		if err := b.collector.SendHTTP(ctx, newCalls("bench-beside", requestSpans)); err != nil {
			return 0, err
		}
		sent += requestSpans
		if int(sent-first)%ahead != 0 {
			continue
		}
		if err := b.wait(ctx, sent-ahead); err != nil {
			return 0, err
		}
	}
}

// wait waits until so many runs are written since the collector was started.
func (b *storeBench) wait(ctx context.Context, runs float64) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if written, _, err := b.state(ctx); err != nil || written >= runs {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// state is how many runs the collector has written, and the CPU seconds that it has taken.
func (b *storeBench) state(ctx context.Context) (written, cpu float64, err error) {
	const seconds = "otelcol_process_cpu_seconds"
	own, err := b.collector.OwnMetrics(ctx, seconds, "otelcol_mlflow_runs_written")
	if err == nil {
		return own[1], own[0], nil
	}
	own, err = b.collector.OwnMetrics(ctx, seconds) // before the first run there is no other
	if err != nil {
		return 0, 0, err
	}
	return 0, own[0], nil
}
