// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build node

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// The Vercel AI SDK writes a span for each call and one around them, which sums them. Version 6 has attributes of its own,
// version 7 those of the conventions.
func TestEachCallOfTheVercelAISDKIsOneRun(t *testing.T) {
	node, err := testbed.Made(".tools/node/bin/node", ".tools/node")
	require.NoError(t, err)
	modules, err := testbed.Made(".tools/node/node_modules", ".tools/node")
	require.NoError(t, err)
	mlflow := testbed.SharedMLflow(t)

	// Node looks for modules in the folders above a program.
	dir := t.TempDir()
	require.NoError(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	program, err := os.ReadFile(filepath.Join("apps", "vercel", "calls.mjs"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "calls.mjs"), program, 0o600))

	for _, version := range []string{"6", "7"} {
		t.Run("version "+version, func(t *testing.T) {
			api := openaitest.NewServer()
			t.Cleanup(api.Close)
			collector := startCollector(t, "otelcol-mlflow.yaml", mlflow)
			persona := newPersona()
			runApp(t, exec.Command(node, filepath.Join(dir, "calls.mjs"), version, persona), api, collector)

			runs := runsOfApp(t, mlflow, persona, collector, len(api.Calls()))
			requireBilled(t, api.Calls(), runs)
			requireGolden(t, "vercel_"+version, describe(runs, requireTraces(t, mlflow, runs), persona))
		})
	}
}
