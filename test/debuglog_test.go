// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// At that level the processors that make metrics log whole spans, as they get them.
func TestNoContentIsLoggedAtDebugLevel(t *testing.T) {
	mlflow := testbed.SharedMLflow(t)
	collector, err := testbed.StartCollector(t.Context(), testbed.CollectorConfig{
		Configs: []string{shippedConfig(t, "otelcol-mlflow.yaml")},
		Set:     []string{"service.telemetry.logs.level=debug"},
		Env:     []string{"MLFLOW_TRACKING_URI=" + mlflow},
		Dir:     t.TempDir(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, collector.Stop()) })

	persona, said := newPersona(), "said_"+rand.Text()
	call := withSecret(persona, said)
	span := call.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	span.SetName("chat gpt-4o") // names and errors are no content
	span.Status().SetMessage("")
	require.NoError(t, collector.SendHTTP(t.Context(), call))
	waitFor(t, "the call is written and measured", func() bool {
		log := logOf(t, collector)
		return strings.Contains(log, "A span became a run") && strings.Contains(log, "TransformContext after statement execution")
	})
	require.NoError(t, collector.Stop())
	require.NotContains(t, logOf(t, collector), said)
}

func logOf(t *testing.T, collector *testbed.Collector) string {
	t.Helper()
	log, err := os.ReadFile(collector.LogFile())
	require.NoError(t, err)
	return string(log)
}
