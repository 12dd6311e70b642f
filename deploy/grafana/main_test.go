// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDashboardsAreThoseThatTheCodeMakes(t *testing.T) {
	files, err := os.ReadDir("dashboards")
	require.NoError(t, err)
	require.Len(t, files, len(dashboards()))
	uids := map[string]bool{}
	for name, d := range dashboards() {
		want, err := encode(d)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join("dashboards", name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s: run make generate", name)
		require.False(t, uids[d.UID], "two dashboards are %s", d.UID)
		uids[d.UID] = true
		// Nothing overlaps, and nothing is wider than a row.
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					require.Empty(t, taken[at], "%s: %s", name, p.Title)
					taken[at] = p.Title
				}
			}
		}
	}
}
