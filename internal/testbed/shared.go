// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Environment variables that tell the tests of one run which servers are theirs. They are not those of MLflow and
// PostgreSQL, so that the server of a developer is never written to.
const (
	mlflowVariable   = "OTELCOL_MLFLOW_TEST_MLFLOW"   // address
	postgresVariable = "OTELCOL_MLFLOW_TEST_POSTGRES" // see Postgres.URI
)

// Servers are those that tests share: MLflow, and the PostgreSQL server that it writes to.
type Servers struct {
	Postgres *Postgres
	MLflow   *MLflow
	dir      string
}

// StartServers starts the servers that tests share.
func StartServers(ctx context.Context) (s *Servers, err error) {
	s = &Servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "otelcol-mlflow-test-"); err != nil {
		return nil, err
	}
	if s.Postgres, err = StartPostgres(ctx); err != nil {
		return nil, err
	}
	s.MLflow, err = StartMLflow(ctx, MLflowConfig{Dir: s.dir, Store: s.Postgres.URI})
	return s, err
}

// Env tells the tests of a program which servers to use.
func (s *Servers) Env() []string {
	return []string{mlflowVariable + "=" + s.MLflow.URL, postgresVariable + "=" + s.Postgres.URI}
}

// Stop stops the servers that were started, and removes what they wrote.
func (s *Servers) Stop() (err error) {
	if s.MLflow != nil {
		err = s.MLflow.Stop()
	}
	if s.Postgres != nil {
		err = errors.Join(err, s.Postgres.Stop())
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// shared are the servers that this test binary started for itself, while tests use them.
var shared struct {
	sync.Mutex
	servers *Servers
	users   int
}

// SharedMLflow returns the address of an MLflow server, with PostgreSQL, that other tests use too: what a test writes there
// must be told from the rest by a name of its own. `make test` starts one for all packages. Without it, as in `go test
// ./some/pkg`, one is started here and stopped when the last test that asked for it ends.
func SharedMLflow(t *testing.T) string {
	t.Helper()
	if address := os.Getenv(mlflowVariable); address != "" {
		return address
	}
	return sharedServers(t).MLflow.URL
}

// SharedPostgres returns the URI of the database that the MLflow server of SharedMLflow writes to.
func SharedPostgres(t *testing.T) string {
	t.Helper()
	if uri := os.Getenv(postgresVariable); uri != "" {
		return uri
	}
	return sharedServers(t).Postgres.URI
}

func sharedServers(t *testing.T) *Servers {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.users == 0 {
		var err error
		shared.servers, err = StartServers(t.Context())
		require.NoError(t, err)
	}
	shared.users++
	t.Cleanup(func() {
		shared.Lock()
		defer shared.Unlock()
		shared.users--
		if shared.users == 0 {
			require.NoError(t, shared.servers.Stop())
		}
	})
	return shared.servers
}
