// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// MLflowConfig describes an MLflow server.
type MLflowConfig struct {
	Dir     string   // database, artifacts and log; made where it is not there, used again where it is
	Port    int      // on loopback; 0 means any that is free
	Store   string   // URI of the database, such as that of a Postgres; empty means SQLite in Dir
	Workers int      // processes that answer; 0 means one
	Env     []string // added to the environment
}

// MLflowVersionVariable names the environment variable that lets tests start another MLflow than the one locked in
// tools/python/requirements.txt: one that `make test-versions` has installed, which sets it.
const MLflowVersionVariable = "OTELCOL_MLFLOW_TEST_MLFLOW_VERSION"

// MLflow is a running MLflow server.
type MLflow struct {
	*Process
	URL string // http://127.0.0.1:{port}
}

// StartMLflow starts an MLflow server. It takes 10 to 20 seconds.
func StartMLflow(ctx context.Context, config MLflowConfig) (*MLflow, error) {
	program, err := MLflowProgram("mlflow")
	if err != nil {
		return nil, fmt.Errorf("MLflow is not installed: %w", err)
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	port := config.Port
	if port == 0 {
		if port, err = FreePort(); err != nil {
			return nil, err
		}
	}
	store := config.Store
	if store == "" {
		store = "sqlite:///" + filepath.Join(dir, "mlflow.db")
	}
	url := "http://" + LoopbackAddress(port)
	reader := NewReader(url)
	process, err := StartProcess(ctx, ProcessConfig{
		Name: "MLflow",
		Path: program,
		Args: []string{
			"server", "--host", "127.0.0.1", "--port", strconv.Itoa(port), "--workers", strconv.Itoa(max(config.Workers, 1)),
			"--backend-store-uri", store,
			"--artifacts-destination", filepath.Join(dir, "artifacts"),
		},
		Env: append([]string{
			"MLFLOW_DISABLE_TELEMETRY=true",
			"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", // more processes, for features that no test uses
			"GIT_PYTHON_REFRESH=quiet",                 // git need not be installed
		}, config.Env...),
		Dir: dir,
		Log: filepath.Join(dir, "mlflow.log"),
		// Not /health: it answers while every call of the API is refused by the host check.
		Ready: func(ctx context.Context) error {
			_, err := reader.Experiments(ctx)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return &MLflow{Process: process, URL: url}, nil
}

// MLflowProgram is the path of a program of the MLflow that tests start: mlflow, or the python that has it.
func MLflowProgram(name string) (string, error) {
	venv := ".venv"
	if version := os.Getenv(MLflowVersionVariable); version != "" {
		venv = ".tools/mlflow-" + version
	}
	return Made(venv+"/bin/"+name, venv)
}
