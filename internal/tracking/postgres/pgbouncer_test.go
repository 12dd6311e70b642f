// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build pgbouncer

package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
)

// What holds on a connection of one's own holds on one that PgBouncer lends for each transaction.
func TestThroughPgBouncer(t *testing.T) {
	s := shared(t)
	pgBouncer, err := testbed.StartPgBouncer(t.Context(), s.Postgres, "otelcol_mlflow")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pgBouncer.Stop()) })
	s.pooler = "postgresql://otelcol_mlflow@" + pgBouncer.Address + "/postgres"
	t.Cleanup(func() { s.pooler = "" })
	for name, test := range map[string]func(*testing.T){
		"conforms":                               TestConforms,
		"rows are those of MLflow":               TestRowsAreThoseOfMLflow,
		"a span that comes again":                TestASpanThatComesAgainChangesNothing,
		"two writers of the same runs":           TestTwoWritersOfTheSameRuns,
		"a deadlock":                             TestADeadlockIsTriedAgain,
		"a poison row":                           TestAPoisonRowIsFoundAndTheOthersAreWritten,
		"an unknown schema":                      TestAnUnknownSchemaIsRefused,
		"an unknown schema with the same tables": TestAnUnknownSchemaWithTheSameTablesCanBeAllowed,
		"a migration":                            TestAMigrationWaitsForATransaction,
		"a transaction that waits too long":      TestATransactionThatWaitsTooLongIsRetryable,
		"lost connections":                       TestLostConnectionsAreMadeAnew,
		"the role's rights":                      TestTheRoleCanAddRunsAndNothingElse,
	} {
		t.Run(name, test)
	}

	t.Run("PgBouncer is started again", func(t *testing.T) {
		store, experiment := s.open(t, postgres.Config{}), s.newExperiment(t)
		requireWritten(t, store.Write(t.Context(), newRuns(experiment, 1)), false)
		require.NoError(t, pgBouncer.Kill())
		require.NoError(t, pgBouncer.Restart(t.Context()))
		requireWritten(t, store.Write(t.Context(), newRuns(experiment, 1)), false)
	})
	for name, dsn := range map[string]string{
		"a user that it does not know":    "postgresql://somebody@" + pgBouncer.Address + "/postgres",
		"a setting that it does not take": s.pooler + "?search_path=mlflow",
	} {
		t.Run(name, func(t *testing.T) {
			err := asError(t, s.open(t, postgres.Config{DSN: dsn}).Check(t.Context()))
			assert.Equal(t, tracking.Retryable, err.Class)
			require.ErrorContains(t, err, "a connection pooler between refuses this")
			require.ErrorContains(t, err, "ALTER ROLE")
		})
	}
}
