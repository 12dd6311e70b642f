// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
)

// servers are what the tests of this package share: an MLflow with PostgreSQL, in which deploy/postgres/role.sql was run.
type servers struct {
	mlflow   *testbed.MLflow
	postgres *testbed.Postgres
	dir      string
}

var (
	started servers
	start   sync.Once
	failed  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	err := started.stop()
	if err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func shared(t *testing.T) *servers {
	start.Do(func() { failed = started.start(t.Context()) })
	require.NoError(t, failed)
	return &started
}

func (s *servers) start(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "otelcol-mlflow-test-"); err != nil {
		return err
	}
	if s.postgres, err = testbed.StartPostgres(ctx); err != nil {
		return err
	}
	if s.mlflow, err = testbed.StartMLflow(ctx, testbed.MLflowConfig{Dir: s.dir, Store: s.postgres.URI}); err != nil {
		return err
	}
	root, err := testbed.Root()
	if err != nil {
		return err
	}
	return s.postgres.RunScript(ctx, filepath.Join(root, "deploy", "postgres", "role.sql"))
}

func (s *servers) stop() error {
	var errs []error
	if s.mlflow != nil {
		errs = append(errs, s.mlflow.Stop())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// dsn is how the role of role.sql reaches the database.
func (s *servers) dsn() string {
	return strings.Replace(s.postgres.URI, "postgres@", "otelcol_mlflow@", 1)
}

// open opens a store as a user would, with the rights of role.sql.
func (s *servers) open(t *testing.T, config postgres.Config) *postgres.Store {
	if config.DSN == "" {
		config.DSN = s.dsn()
	}
	store, err := postgres.Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	return store
}

// admin is a connection with all rights.
func (s *servers) admin(t *testing.T) *pgx.Conn { return connect(t, s.postgres.URI) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	conn, err := pgx.Connect(t.Context(), strings.Replace(dsn, "+psycopg2", "", 1))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return conn
}

func run(t *testing.T, conn *pgx.Conn, statements ...string) {
	for _, statement := range statements {
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}
