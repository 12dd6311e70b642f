// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// server is a pod of the MLflow Deployment.
type server struct {
	*testbed.Process
	address string // on loopback
	cwd     string // working directory
}

func migrate(ctx context.Context, c chart, s secrets, dir string) error {
	pod := c.containers["migrate"]
	program, err := pod.program()
	if err != nil {
		return err
	}
	args, env, err := local(pod, s, dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(testbed.CleanEnv(), env...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("migration: %w\n%s", err, output)
	}
	return nil
}

// local returns the arguments and environment of a container, with its volumes in a folder and other things that are its
// pod's own replaced.
func local(pod container, s secrets, dir string, replaced ...string) (args, env []string, err error) {
	if env, err = pod.environment(s); err != nil {
		return nil, nil, err
	}
	args = pod.arguments(env)
	here := strings.NewReplacer(append(replaced,
		"/etc/mlflow/basic_auth.ini", s["mlflow-auth-config"],
		"=/metrics", "="+filepath.Join(dir, "metrics"),
		"HOME=/tmp", "HOME="+dir,
		"/mlflow/", filepath.Join(dir, "mlflow")+"/",
	)...)
	for _, list := range [][]string{args, env} {
		for i := range list {
			list[i] = here.Replace(list[i])
		}
	}
	return args, env, nil
}

// startServer runs the container in a folder, with text in its arguments and environment replaced.
func startServer(ctx context.Context, c chart, s secrets, dir string, replaced ...string) (*server, error) {
	pod := c.containers["mlflow"]
	program, err := pod.program()
	if err != nil {
		return nil, err
	}
	port, err := testbed.FreePort()
	if err != nil {
		return nil, err
	}
	args, env, err := local(pod, s, dir, append(replaced, "--host=0.0.0.0", "--host=127.0.0.1", "--port=5000", "--port="+strconv.Itoa(port))...)
	if err != nil {
		return nil, err
	}
	cwd := filepath.Join(dir, "cwd")
	for _, folder := range []string{cwd, filepath.Join(dir, "metrics")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	address := testbed.LoopbackAddress(port)
	process, err := testbed.StartProcess(ctx, testbed.ProcessConfig{
		Name: "MLflow", Path: program, Args: args, Env: env, Dir: cwd, Log: filepath.Join(dir, "mlflow.log"),
		// As the pod's probes do.
		Ready: func(ctx context.Context) error {
			status, err := request{path: "/health", host: podIP + ":5000"}.send(ctx, address)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("/health answers %d", status)
			}
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return &server{Process: process, address: address, cwd: cwd}, nil
}

// makeWriter does what the chart's README says to do with curl.
func makeWriter(ctx context.Context, mlflow *server) error {
	_, err := request{
		method: http.MethodPost, path: "/api/2.0/mlflow/users/create", host: "localhost:8085", as: admin,
		body:    fmt.Sprintf(`{"username": %q, "password": %q}`, writer.name, writer.password),
		answers: `"username"`,
	}.send(ctx, mlflow.address)
	return err
}

const persona = "tech_educator"

// sendCall sends an LLM call through the collector with the chart's config, and returns when it has been written.
func sendCall(ctx context.Context, c chart, s secrets, mlflow *server, dir, prompt string) (err error) {
	var configs []string
	for _, arg := range c.containers["collector"].Args {
		name := filepath.Base(arg)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.files[name]), 0o600); err != nil {
			return err
		}
		configs = append(configs, path)
	}
	env, err := c.containers["collector"].environment(s)
	if err != nil {
		return err
	}
	storage := filepath.Join(dir, "collector", "storage")
	collector, err := testbed.StartCollector(ctx, testbed.CollectorConfig{
		Configs: configs, Dir: filepath.Join(dir, "collector"),
		Env: append(env, "MLFLOW_TRACKING_URI=http://"+mlflow.address, "OTELCOL_STORAGE="+storage),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, collector.Stop()) }()

	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	testbed.Stamp(span, time.Now().Add(-time.Second), time.Now())
	span.Attributes().PutStr(string(semconv.GenAIOperationName), semconv.OperationChat)
	span.Attributes().PutStr(string(semconv.GenAIRequestModel), "gpt-4o")
	span.Attributes().PutStr(string(semconv.PersonaID), persona)
	span.Attributes().PutStr(string(semconv.GenAIInputMessages), fmt.Sprintf(`[{"role": "user", "parts": [{"type": "text", "content": %q}]}]`, prompt))
	if err := collector.SendHTTP(ctx, traces); err != nil {
		return err
	}
	return written(ctx, mlflow, collector)
}

// written returns when the call's run is finished, in the first experiment of a new database.
func written(ctx context.Context, mlflow *server, collector *testbed.Collector) error {
	search := request{
		method: http.MethodPost, path: "/api/2.0/mlflow/runs/search", host: podIP + ":5000", as: writer,
		body:    `{"experiment_ids": ["1"], "filter": "tags.persona_id = '` + persona + `'"}`,
		answers: "FINISHED",
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := search.send(ctx, mlflow.address)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			log, logErr := os.ReadFile(collector.LogFile())
			return errors.Join(fmt.Errorf("the call was not written within a minute: %w", err), logErr, errors.New(string(log)))
		}
	}
}
