// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// SharedMLflowVariable names the environment variable that tells the tests of one run which MLflow server is theirs. It is
// not MLFLOW_TRACKING_URI, so that the server of a developer is never written to.
const SharedMLflowVariable = "OTELCOL_MLFLOW_TEST_MLFLOW"

// shared is the server that this test binary started for itself, while tests use it.
var shared struct {
	sync.Mutex
	server *MLflow
	dir    string
	users  int
}

// SharedMLflow returns the address of an MLflow server that other tests use too: what a test writes there must be told
// from the rest by a name of its own. `make test` starts one for all packages. Without it, as in `go test ./some/pkg`, one is
// started here and stopped when the last test that asked for it ends.
func SharedMLflow(t *testing.T) string {
	t.Helper()
	if address := os.Getenv(SharedMLflowVariable); address != "" {
		return address
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.users == 0 {
		dir, err := os.MkdirTemp("", "otelcol-mlflow-test-") //nolint:usetesting // it outlives the test that made it
		require.NoError(t, err)
		server, err := StartMLflow(t.Context(), MLflowConfig{Dir: dir})
		require.NoError(t, err)
		shared.server, shared.dir = server, dir
	}
	shared.users++
	t.Cleanup(func() {
		shared.Lock()
		defer shared.Unlock()
		shared.users--
		if shared.users == 0 {
			require.NoError(t, shared.server.Stop())
			require.NoError(t, os.RemoveAll(shared.dir))
		}
	})
	return shared.server.URL
}
