// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Demo runs the whole path on this machine: the example program calls the OpenAI API (or a stand-in), the collector turns
// the spans into MLflow runs, and the runs are read back from MLflow and shown. With -check it asserts what the runs must
// say, and exits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	check := flag.Bool("check", false, "check every run in a fresh state folder, and exit")
	state := flag.String("state", ".demo", "`folder` of databases and logs; not used with -check")
	flag.Parse()
	if err := run(*check, *state); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(check bool, state string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if check {
		err = checkAll(ctx, os.Stdout)
	} else {
		err = show(ctx, os.Stdout, state)
	}
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// show runs the demo, prints its runs and stays up until the context is done.
func show(ctx context.Context, out io.Writer, state string) (err error) {
	unlock, err := lock(state)
	if err != nil {
		return err
	}
	defer unlock()

	s, err := start(ctx, out, settings{
		state: state, usualPorts: true, realAPI: os.Getenv("OPENAI_API_KEY") != "", latency: 400 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()

	calls, err := s.runExample(ctx)
	if err != nil {
		return err
	}
	runs, err := s.waitForRuns(ctx, calls)
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	if err := printRuns(out, runs); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nMLflow    %s\nOTLP      http://%s (HTTP), %s (gRPC): point your own application here\n"+
		"Logs      %s, %s\n\nPress Ctrl-C to stop.\n", s.mlflow.URL, s.collector.HTTP, s.collector.GRPC, s.mlflow.LogFile(), s.collector.LogFile())

	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\n==> stopping")
		return nil
	case <-s.mlflow.Exited():
		return fmt.Errorf("MLflow ended by itself, see %s", s.mlflow.LogFile())
	case <-s.collector.Exited():
		return fmt.Errorf("the collector ended by itself, see %s", s.collector.LogFile())
	}
}

// checkAll runs the demo with the stand-in in a fresh folder, which stays where it is when a check fails.
func checkAll(ctx context.Context, out io.Writer) (err error) {
	state, err := os.MkdirTemp("", "otelcol-mlflow-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil || ctx.Err() != nil {
			err = errors.Join(err, os.RemoveAll(state))
		} else {
			err = fmt.Errorf("%w\nlogs and databases: %s", err, state)
		}
	}()
	s, err := start(ctx, out, settings{state: state})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()

	began := time.Now()
	calls, err := s.runExample(ctx)
	if err != nil {
		return err
	}
	if _, err := s.waitForRuns(ctx, calls); err != nil {
		return err
	}
	ended := time.Now()
	// What it still had to write is written now, so that a run too many can be seen.
	if err := s.collector.Stop(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return check(ctx, out, outcome{
		began: began, ended: ended, calls: calls, billed: s.standIn.Calls(), reader: s.reader(),
	})
}

// lock keeps two demos from using the same databases.
func lock(state string) (unlock func(), err error) {
	if err := os.MkdirAll(state, 0o755); err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(state, "lock"))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("another demo is running in %s: %w", state, err)
	}
	return func() { file.Close() }, nil
}
