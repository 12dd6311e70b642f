// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
)

// servers are those of this package alone, because it changes MLflow's schema. deploy/postgres/role.sql was run.
type servers struct {
	*testbed.Servers
	pooler string // DSN of what stands between store and database; empty: nothing
}

// knownSchemas are those that the package has.
var knownSchemas = slices.Clone(postgres.Schemas)

var (
	started servers
	start   sync.Once
	failed  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	var err error
	if started.Servers != nil {
		err = started.Stop()
	}
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
	start.Do(func() {
		if started.Servers, failed = testbed.StartServers(t.Context()); failed == nil {
			failed = testbed.RunScript(t.Context(), started.Postgres.URI, "deploy/postgres/role.sql")
		}
		if failed == nil {
			// So that one run says all about a version that is not known yet. Errors name the first and the last.
			head, _ := started.schema(t)
			postgres.Schemas = slices.Insert(postgres.Schemas, 1, postgres.Schema{Head: head})
		}
	})
	require.NoError(t, failed)
	return &started
}

// dsn is how the role of role.sql reaches the database.
func (s *servers) dsn() string { return cmp.Or(s.pooler, s.Postgres.DSN("otelcol_mlflow")) }

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
func (s *servers) admin(t *testing.T) *pgx.Conn { return connect(t, s.Postgres.DSN("postgres")) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	conn, err := pgx.Connect(t.Context(), dsn)
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
