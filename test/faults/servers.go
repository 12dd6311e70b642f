// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// server is an implementation of MLflow's API that is up.
type server struct {
	url     string
	kill    func() error
	restart func(context.Context) error
	stop    func() error // for good
	// database is where runs are written; nil means by the API.
	database *testbed.Postgres
}

// table is what is tried on one kind of server.
type table struct {
	start     func(ctx context.Context, dir string) (server, error)
	scenarios []scenario
	spans     int // of a row of realSize
}

var tables = map[string]table{
	"fasttrackml": {startFastTrackML, scenarios, 2000},
	"mlflow":      {startMLflow, append(slices.Clone(scenarios), replicaKilled), 500},
	"postgres":    {startDatabase, databaseScenarios, 2000},
}

func startFastTrackML(ctx context.Context, dir string) (server, error) {
	s, err := testbed.StartFastTrackML(ctx, testbed.FastTrackMLConfig{Dir: dir})
	if err != nil {
		return server{}, err
	}
	return server{url: s.URL, kill: s.Kill, restart: s.Restart, stop: s.Stop}, nil
}

// startMLflow starts MLflow as it runs in production: with PostgreSQL and several workers.
func startMLflow(ctx context.Context, dir string) (server, error) {
	postgres, err := testbed.StartPostgres(ctx)
	if err != nil {
		return server{}, err
	}
	s, err := testbed.StartMLflow(ctx, testbed.MLflowConfig{Dir: filepath.Join(dir, "mlflow"), Store: postgres.URI, Workers: 2})
	if err != nil {
		return server{}, errors.Join(err, postgres.Stop())
	}
	return server{url: s.URL, kill: s.Kill, restart: s.Restart, stop: func() error { return errors.Join(s.Stop(), postgres.Stop()) }}, nil
}

// startReplicas starts two of them on one database; the first is the one that can be killed.
func startReplicas(ctx context.Context, dir string) (server, error) {
	postgres, err := testbed.StartPostgres(ctx)
	if err != nil {
		return server{}, err
	}
	s, err := testbed.StartReplicas(ctx, testbed.MLflowConfig{Dir: filepath.Join(dir, "mlflow"), Store: postgres.URI}, 2)
	if err != nil {
		return server{}, errors.Join(err, postgres.Stop())
	}
	return server{
		url: s.URL, kill: s.Servers[0].Kill, restart: s.Servers[0].Restart,
		stop: func() error { return errors.Join(s.Stop(), postgres.Stop()) },
	}, nil
}
