// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
)

// schema is what the database of the MLflow under test says of itself.
func (s *servers) schema(t *testing.T) (head, fingerprint string) {
	conn := s.admin(t)
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT version_num FROM alembic_version").Scan(&head))
	fingerprint, err := postgres.Fingerprint(t.Context(), conn)
	require.NoError(t, err)
	return head, fingerprint
}

func TestTheSchemaOfThisMLflowIsKnown(t *testing.T) {
	s := shared(t)
	version, err := s.client(t).Version(t.Context())
	require.NoError(t, err)
	head, fingerprint := s.schema(t)
	require.Equal(t, postgres.Tables, fingerprint, "the tables are not those of other versions")
	require.True(t, slices.ContainsFunc(knownSchemas, func(known postgres.Schema) bool {
		return known.Head == head && strings.HasPrefix(version, known.MLflow+".")
	}), "if no other test fails, Schemas and docs/bulk-store.md can have that of MLflow %s: %s", version, head)
	require.NoError(t, s.open(t, postgres.Config{}).Check(t.Context()))
}

func TestTheDocumentationHasTheSchemas(t *testing.T) {
	text, err := os.ReadFile("../../../docs/bulk-store.md")
	require.NoError(t, err)
	for _, schema := range knownSchemas {
		require.Contains(t, string(text), schema.MLflow+" `"+schema.Head+"`")
	}
}

// changeSchema changes MLflow's schema until the test ends.
func (s *servers) changeSchema(t *testing.T, change, undo string) {
	conn := s.admin(t)
	run(t, conn, change)
	t.Cleanup(func() {
		_, err := conn.Exec(context.Background(), undo)
		require.NoError(t, err)
	})
}

// migrate gives the database a schema that nobody knows, until the test ends.
func (s *servers) migrate(t *testing.T) {
	head, _ := s.schema(t)
	s.changeSchema(t, "UPDATE alembic_version SET version_num = 'ffffffffffff'", "UPDATE alembic_version SET version_num = '"+head+"'")
}

func TestAnUnknownSchemaIsRefused(t *testing.T) {
	s := shared(t)
	experiment, store := s.newExperiment(t), s.open(t, postgres.Config{})
	requireWritten(t, store.Write(t.Context(), newRuns(experiment, 1)), false)
	s.migrate(t)
	for _, err := range []error{store.Write(t.Context(), newRuns(experiment, 1))[0].Err, store.Check(t.Context())} {
		e := asError(t, err)
		assert.Equal(t, tracking.Retryable, e.Class)
		for _, part := range []string{"ffffffffffff", "MLflow 3.7 (bf29a5ff90ea) to ", "`store::schema_check`", "upgraded"} {
			require.ErrorContains(t, e, part)
		}
	}
	requireComplete(t, s.admin(t), experiment, 1)
}

func TestAnUnknownSchemaWithTheSameTablesCanBeAllowed(t *testing.T) {
	s := shared(t)
	experiment := s.newExperiment(t)
	s.migrate(t)
	store := s.open(t, postgres.Config{SchemaCheck: postgres.SchemaFingerprint})
	require.NoError(t, store.Check(t.Context()))
	requireWritten(t, store.Write(t.Context(), newRuns(experiment, 1)), false)
}

func TestAnUnknownSchemaWithOtherTablesIsNeverAllowed(t *testing.T) {
	s := shared(t)
	for name, change := range map[string][2]string{
		"a new column":         {"ALTER TABLE runs ADD COLUMN project text", "ALTER TABLE runs DROP COLUMN project"},
		"another length":       {"ALTER TABLE params ALTER COLUMN value TYPE varchar(9000)", "ALTER TABLE params ALTER COLUMN value TYPE varchar(8000)"},
		"a default":            {"ALTER TABLE tags ALTER COLUMN value SET DEFAULT 'x'", "ALTER TABLE tags ALTER COLUMN value DROP DEFAULT"},
		"a check":              {"ALTER TABLE metrics ADD CONSTRAINT positive CHECK (step > -1000)", "ALTER TABLE metrics DROP CONSTRAINT positive"},
		"a unique index":       {"CREATE UNIQUE INDEX once ON runs (run_uuid, name)", "DROP INDEX once"},
		"a column may be null": {"ALTER TABLE params ALTER COLUMN value DROP NOT NULL", "ALTER TABLE params ALTER COLUMN value SET NOT NULL"},
		"a trigger": {
			"CREATE TRIGGER noted BEFORE INSERT ON latest_metrics FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
			"DROP TRIGGER noted ON latest_metrics",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.migrate(t)
			_, before := s.schema(t)
			s.changeSchema(t, change[0], change[1])
			_, after := s.schema(t)
			require.NotEqual(t, before, after)
			e := asError(t, s.open(t, postgres.Config{SchemaCheck: postgres.SchemaFingerprint}).Check(t.Context()))
			require.Equal(t, tracking.Retryable, e.Class)
			require.ErrorContains(t, e, "fingerprint "+after)
		})
	}
}

// A migration that begins while a transaction is under way, and has not come to the table that the migration changes, must
// not come between what the transaction has looked at and what it writes.
func TestAMigrationWaitsForATransaction(t *testing.T) {
	s := shared(t)
	experiment, store := s.newExperiment(t), s.open(t, postgres.Config{})
	runs := newRuns(experiment, 1)
	blocker, migration, observer := s.admin(t), s.admin(t), s.admin(t)
	tx, err := blocker.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "INSERT INTO runs (run_uuid, experiment_id) VALUES ($1, $2::int)", runs[0].ID, experiment.ID)
	require.NoError(t, err)
	written := make(chan []postgres.Result, 1)
	go func() { written <- store.Write(context.Background(), runs) }()
	waitFor(t, func() bool { return waiting(t, observer, "INSERT INTO runs%") == 1 })

	migrated := make(chan error, 1)
	go func() {
		_, err := migration.Exec(context.Background(), "ALTER TABLE latest_metrics ADD COLUMN project text")
		migrated <- err
	}()
	waitFor(t, func() bool { return waiting(t, observer, "ALTER TABLE%") == 1 })
	require.NoError(t, tx.Rollback(t.Context()))
	requireWritten(t, <-written, false)
	require.NoError(t, <-migrated)
	run(t, migration, "ALTER TABLE latest_metrics DROP COLUMN project")
}
