// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The small table: real servers, the built collector, short times. `make test-faults` has the large one.
func TestEveryAcceptedSpanIsWrittenOnce(t *testing.T) {
	for _, server := range []string{"fasttrackml", "postgres"} {
		outcomes, err := runAll(t.Context(), server, smallSize, 5, "")
		require.NoError(t, err)
		report(t.Output(), server, outcomes)
		for _, o := range outcomes {
			t.Run(server+": "+o.scenario, func(t *testing.T) {
				require.NoError(t, o.err)
				require.Positive(t, o.accepted)
				require.Zero(t, o.lost, "lost")
				require.Zero(t, o.duplicated, "duplicated")
			})
		}
	}
}
