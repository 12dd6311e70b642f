// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

const (
	firstUIPort = 8085
	lastUIPort  = 8184

	exampleTimeout = 5 * time.Minute // the real API may be slow
	writtenWithin  = time.Minute
)

// settings of a demo.
type settings struct {
	state      string        // folder of databases and logs
	usualPorts bool          // those that a person expects, where they are free; else any
	realAPI    bool          // the OpenAI API; else the stand-in
	latency    time.Duration // of the stand-in, at most
}

// stack is everything that a demo has running.
type stack struct {
	out       io.Writer
	state     string
	example   string
	mlflow    *testbed.MLflow
	collector *testbed.Collector
	standIn   *openaitest.Server // nil with the real API
}

// start starts all of it. After an error nothing is left running.
func start(ctx context.Context, out io.Writer, set settings) (_ *stack, err error) {
	s := &stack{out: out, state: set.state}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	root, err := testbed.Root()
	if err != nil {
		return nil, err
	}
	if s.example, err = testbed.Made("_build/persona-chat", "programs"); err != nil {
		return nil, err
	}

	err = s.step("starting MLflow with SQLite in "+filepath.Join(set.state, "mlflow"), "10-20 s", func() (string, error) {
		port, err := uiPort(set.usualPorts)
		if err != nil {
			return "", err
		}
		s.mlflow, err = testbed.StartMLflow(ctx, testbed.MLflowConfig{Dir: filepath.Join(set.state, "mlflow"), Port: port})
		if err != nil {
			return "", err
		}
		return s.mlflow.URL, nil
	})
	if err != nil {
		return nil, err
	}
	err = s.step("starting the collector with deploy/collector/otelcol-mlflow.yaml", "1 s", func() (string, error) {
		s.collector, err = testbed.StartCollector(ctx, testbed.CollectorConfig{
			Configs: []string{filepath.Join(root, "deploy", "collector", "otelcol-mlflow.yaml")},
			Env:     []string{"MLFLOW_TRACKING_URI=" + s.mlflow.URL},
			Dir:     filepath.Join(set.state, "collector"),
			// Those who try the demo will send it spans of their own.
			UsualPorts: set.usualPorts,
		})
		if err != nil {
			return "", err
		}
		return "OTLP at " + s.collector.HTTP, nil
	})
	if err != nil {
		return nil, err
	}
	if !set.realAPI {
		s.standIn = openaitest.NewServer(openaitest.WithLatency(set.latency))
	}
	return s, nil
}

// stop stops what was started, in the order in which spans flow.
func (s *stack) stop() error {
	var errs []error
	if s.standIn != nil {
		s.standIn.Close()
	}
	if s.collector != nil {
		errs = append(errs, s.collector.Stop())
	}
	if s.mlflow != nil {
		errs = append(errs, s.mlflow.Stop())
	}
	return errors.Join(errs...)
}

func (s *stack) reader() *testbed.Reader { return testbed.NewReader(s.mlflow.URL) }

// step prints what is being done, how long that usually takes, and what came of it.
func (s *stack) step(what, usually string, do func() (string, error)) error {
	fmt.Fprintf(s.out, "==> %s (usually %s)\n", what, usually)
	began := time.Now()
	result, err := do()
	if err == nil {
		fmt.Fprintf(s.out, "    %s, %.1f s\n", result, time.Since(began).Seconds())
	}
	return err
}

// runExample runs examples/persona-chat and returns the calls that it made.
func (s *stack) runExample(ctx context.Context) (calls []call, err error) {
	env := append(testbed.CleanEnv(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+s.collector.HTTP)
	api, usually := "the OpenAI API", "20-60 s"
	if s.standIn != nil {
		env = append(env, "OPENAI_BASE_URL="+s.standIn.BaseURL(), "OPENAI_API_KEY=stand-in")
		api, usually = "a stand-in for the OpenAI API (set OPENAI_API_KEY to use the real one)", "2-5 s"
	}
	err = s.step("examples/persona-chat calls "+api, usually, func() (string, error) {
		ctx, cancel := context.WithTimeout(ctx, exampleTimeout)
		defer cancel()
		var printed bytes.Buffer
		cmd := exec.CommandContext(ctx, s.example)
		cmd.Env = env
		cmd.Stdout, cmd.Stderr = &printed, indented{s.out}
		if err := cmd.Run(); err != nil {
			return "", errors.Join(fmt.Errorf("examples/persona-chat: %w", err), ctx.Err())
		}
		if calls, err = parseCalls(printed.String()); err != nil {
			return "", err
		}
		return fmt.Sprintf("%d calls", len(calls)), nil
	})
	return calls, err
}

// waitForRuns waits until every call is a run that has ended, and returns those runs. It returns more runs than calls if
// there are more.
func (s *stack) waitForRuns(ctx context.Context, calls []call) (runs []testbed.Run, err error) {
	wanted := len(calls)
	if s.standIn != nil {
		wanted = len(s.standIn.Calls()) // the example's client may have repeated one
	}
	err = s.step("waiting for their runs in MLflow", "1-5 s", func() (string, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, writtenWithin, fmt.Errorf("not all calls became runs within %s, see %s",
			writtenWithin, s.collector.LogFile()))
		defer cancel()
		for reader := s.reader(); ; {
			all, err := reader.Runs(ctx, "")
			if err != nil {
				return "", errors.Join(context.Cause(ctx), err)
			}
			runs = ofCalls(all, calls)
			if ended(runs) >= wanted {
				return fmt.Sprintf("%d runs", len(runs)), nil
			}
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
				return "", fmt.Errorf("%w: %d of %d", context.Cause(ctx), ended(runs), wanted)
			}
		}
	})
	return runs, err
}

// ended counts the runs that will not change any more.
func ended(runs []testbed.Run) int {
	n := 0
	for _, run := range runs {
		if !run.End.IsZero() {
			n++
		}
	}
	return n
}

// uiPort is a free port: with usual the first from 8085, so that the address of the UI is the same every time.
func uiPort(usual bool) (int, error) {
	if !usual {
		return testbed.FreePort()
	}
	for port := firstUIPort; port <= lastUIPort; port++ {
		if testbed.IsFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d", firstUIPort, lastUIPort)
}

// indented writes lines below the step that they belong to.
type indented struct{ out io.Writer }

// Write takes whole lines, which is how a log is written.
func (w indented) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if _, err := fmt.Fprintf(w.out, "    %s", line); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
