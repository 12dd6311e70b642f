// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"context"
	"fmt"
	"path/filepath"
)

// FastTrackMLConfig describes a fasttrackml server.
type FastTrackMLConfig struct {
	Dir string // database, artifacts and log; made where it is not there, used again where it is
}

// FastTrackML is a running fasttrackml server, another implementation of MLflow's API: it starts in a second and takes
// several times as many runs.
type FastTrackML struct {
	*Process
	URL string // http://127.0.0.1:{port}
}

// StartFastTrackML starts a fasttrackml server with SQLite on a free port.
func StartFastTrackML(ctx context.Context, config FastTrackMLConfig) (*FastTrackML, error) {
	program, err := Made(".tools/servers/bin/fml", ".tools/servers")
	if err != nil {
		return nil, fmt.Errorf("fasttrackml is not installed: %w", err)
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	url := "http://" + LoopbackAddress(port)
	reader := NewReader(url)
	process, err := StartProcess(ctx, ProcessConfig{
		Name: "fasttrackml",
		Path: program,
		Args: []string{
			"server", "--listen-address", LoopbackAddress(port), "--log-level", "warn",
			"--database-uri", "sqlite://" + filepath.Join(dir, "fasttrackml.db"),
			"--default-artifact-root", filepath.Join(dir, "artifacts"),
		},
		Dir: dir,
		Log: filepath.Join(dir, "fasttrackml.log"),
		Ready: func(ctx context.Context) error {
			_, err := reader.Experiments(ctx)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return &FastTrackML{Process: process, URL: url}, nil
}
