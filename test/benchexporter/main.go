// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Benchexporter measures how many runs a second the exporter writes: to MLflow with PostgreSQL, in turn with a bare load
// generator that makes the same calls and with Python's two APIs, and to the fake, where the server is no limit; then how
// many a whole collector writes with each of its stores. It prints Markdown tables and a line for each bar, and fails when
// one is missed.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

const (
	concurrency = 8 // the exporter's default, and that of its peers
	minRatio    = 0.9
	minFakeRate = 2000 // runs a second, on two cores that the fake has its part of
	fakeRuns    = 10_000
)

func main() {
	serveFake := flag.Bool("fake", false, "be the fake MLflow until stdin is closed (the benchmark starts itself so)")
	pairs := flag.Int("pairs", 7, "`number` of measurements of the exporter and the load generator")
	runs := flag.Int("runs", 200, "`number` of runs in a measurement")
	onlyStores := flag.Bool("stores", false, "only measure a collector with either store")
	flag.Parse()
	if *serveFake {
		fake()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := bench(ctx, *pairs, *runs, *onlyStores)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchexporter:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// fake is another process, so that what it allocates is not counted as the exporter's.
func fake() {
	server := trackingtest.NewFake()
	defer server.Close()
	fmt.Println(server.URL)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// series are measurements of the same thing.
type series struct {
	name  string
	rates []float64 // runs a second
}

func (s series) median() float64 { return median(s.rates) }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func bench(ctx context.Context, pairs, runs int, onlyStores bool) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "otelcol-mlflow-bench-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	postgres, err := testbed.StartPostgres(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, postgres.Stop()) }()
	mlflow, err := testbed.StartMLflow(ctx, testbed.MLflowConfig{Dir: dir, Store: postgres.URI, Workers: 2})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, mlflow.Stop()) }()
	ok = true
	if !onlyStores {
		if ok, err = benchWriters(ctx, mlflow, pairs, runs); err != nil {
			return false, err
		}
	}
	stores, err := benchStores(ctx, dir, postgres, mlflow, pairs, runs)
	return stores && ok, err
}

// benchWriters measures the exporter, in turn with others that write the same runs.
func benchWriters(ctx context.Context, mlflow *testbed.MLflow, pairs, runs int) (ok bool, err error) {
	rate, allocs, bytes, err := benchFake(ctx)
	if err != nil {
		return false, err
	}
	ours, bare := series{name: "exporter, without traces"}, series{name: "bare load generator, the same three calls"}
	traced := series{name: "exporter, a linked trace beside each run (the default)"}
	client, fluent := series{name: "Python, MlflowClient"}, series{name: "Python, fluent API"}
	all := []*series{&ours, &bare, &traced, &client, &fluent}
	measure := []func() (float64, error){
		func() (float64, error) { return writeByExporter(ctx, mlflow.URL, runs, false) },
		func() (float64, error) { return writeBare(ctx, mlflow.URL, runs) },
		func() (float64, error) { return writeByExporter(ctx, mlflow.URL, runs, true) },
		func() (float64, error) { return writeByPython(ctx, mlflow.URL, "client", runs) },
		func() (float64, error) { return writeByPython(ctx, mlflow.URL, "fluent", runs) },
	}
	for _, m := range measure[:3] { // the server's workers load what they need with the first calls
		if _, err := m(); err != nil {
			return false, err
		}
	}
	var ratios []float64
	for pair := range pairs {
		order := []int{0, 1, 2, 3, 4}
		if pair%2 == 1 {
			order = []int{1, 0, 2, 4, 3}
		}
		for _, i := range order {
			rate, err := measure[i]()
			if err != nil {
				return false, fmt.Errorf("%s: %w", all[i].name, err)
			}
			all[i].rates = append(all[i].rates, rate)
		}
		ratios = append(ratios, ours.rates[pair]/bare.rates[pair])
	}

	fmt.Printf("\nMLflow with PostgreSQL, 2 workers, concurrency %d, %d runs in each of %d interleaved measurements, %d CPUs\n\n",
		concurrency, runs, pairs, runtime.NumCPU())
	fmt.Print("| writer | runs/s, median | lowest | highest |\n|---|--:|--:|--:|\n")
	for _, s := range all {
		fmt.Printf("| %s | %.1f | %.1f | %.1f |\n", s.name, s.median(), slices.Min(s.rates), slices.Max(s.rates))
	}
	fmt.Printf("\nThe fake, in another process: %.0f runs/s with traces, %.0f allocations and %.1f kB for each span\n\n", rate, allocs, bytes/1000)
	ok = bar("rate against the bare load generator (median of pairs)", median(ratios), minRatio)
	return bar("runs/s against the fake", rate, minFakeRate) && ok, nil
}

// bar prints whether a figure reaches its bar.
func bar(name string, figure, least float64) bool {
	verdict := "ok"
	if figure < least {
		verdict = "short"
	}
	fmt.Printf("%s: %.2f, bar %g, %s\n", name, figure, least, verdict)
	return figure >= least
}

// benchFake is the median of three rates, and what the last of them allocated for each span.
func benchFake(ctx context.Context) (rate, allocs, bytes float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, 0, err
	}
	var rates []float64
	for range 3 {
		var before, after runtime.MemStats
		err := withFake(ctx, self, func(url string) error {
			runtime.ReadMemStats(&before)
			rate, err := writeByExporter(ctx, url, fakeRuns, true)
			runtime.ReadMemStats(&after)
			rates = append(rates, rate)
			return err
		})
		if err != nil {
			return 0, 0, 0, err
		}
		allocs = float64(after.Mallocs-before.Mallocs) / fakeRuns
		bytes = float64(after.TotalAlloc-before.TotalAlloc) / fakeRuns
	}
	return median(rates), allocs, bytes, nil
}

// withFake starts a new fake, because one becomes slower with what it has.
func withFake(ctx context.Context, self string, do func(url string) error) (err error) {
	cmd := exec.CommandContext(ctx, self, "-fake")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stdin.Close(), cmd.Wait()) }()
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return err
	}
	return do(strings.TrimSpace(url))
}

// writeByPython lets a program write runs with one of Python's APIs, and returns the rate that it prints.
func writeByPython(ctx context.Context, url, api string, runs int) (float64, error) {
	python, err := testbed.Made(".venv/bin/python", ".venv")
	if err != nil {
		return 0, err
	}
	root, err := testbed.Root()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, python, filepath.Join(root, "test/benchexporter/peers.py"),
		url, api, strconv.Itoa(runs), strconv.Itoa(concurrency))
	cmd.Env = append(testbed.CleanEnv(), "MLFLOW_DISABLE_TELEMETRY=true", "GIT_PYTHON_REFRESH=quiet",
		"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT=true")
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(output)), 64)
}

// rate is in runs a second.
func rate(runs int, since time.Time) float64 { return float64(runs) / time.Since(since).Seconds() }
