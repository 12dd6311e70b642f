// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package trackingtest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFakeConforms(t *testing.T) {
	fake := trackingtest.NewFake()
	t.Cleanup(fake.Close)
	trackingtest.Suite(t, fake.URL)
	trackingtest.SuiteTraces(t, fake.URL)
}

func TestMLflowOnSQLiteConforms(t *testing.T) {
	server, err := testbed.StartMLflow(t.Context(), testbed.MLflowConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	trackingtest.Suite(t, server.URL)
	trackingtest.SuiteTraces(t, server.URL)
}

func TestMLflowOnPostgresConforms(t *testing.T) {
	url := testbed.SharedMLflow(t)
	trackingtest.Suite(t, url)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	trackingtest.WriterSuite(t, url, trackingtest.ByREST(tracking.NewClient(&http.Client{Transport: transport}, url, "")))
	trackingtest.SuiteTraces(t, url)
}

func TestFastTrackMLConforms(t *testing.T) {
	server, err := testbed.StartFastTrackML(t.Context(), testbed.FastTrackMLConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	trackingtest.Suite(t, server.URL)
	trackingtest.SuiteNoTraces(t, server.URL)
}
