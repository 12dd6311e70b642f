// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

// bySQL writes runs as the suite of trackingtest wants it.
func bySQL(store *postgres.Store) trackingtest.Write {
	return func(ctx context.Context, experiment tracking.Experiment, run trackingtest.FinishedRun) (string, error) {
		r := newRun(experiment, run)
		return r.ID, store.Write(ctx, []postgres.Run{r})[0].Err
	}
}

// newRun gives a run the id of a new span.
func newRun(experiment tracking.Experiment, run trackingtest.FinishedRun) postgres.Run {
	var trace [16]byte
	var span [8]byte
	_, _ = rand.Read(trace[:]) // never fails
	_, _ = rand.Read(span[:])
	return postgres.Run{
		ID: postgres.RunID(trace, span, time.UnixMilli(run.StartTime)), Experiment: experiment,
		Name: run.Name, User: run.User, Start: run.StartTime, End: run.EndTime, Status: run.Status,
		Params: run.Params, Metrics: run.Metrics, Tags: run.Tags,
	}
}

func newRuns(experiment tracking.Experiment, n int) []postgres.Run {
	runs := make([]postgres.Run, n)
	for i := range runs {
		runs[i] = newRun(experiment, trackingtest.Twins["a call"])
	}
	return runs
}

func (s *servers) client(t *testing.T) *tracking.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return tracking.NewClient(&http.Client{Transport: transport}, s.MLflow.URL, "")
}

func (s *servers) newExperiment(t *testing.T) tracking.Experiment {
	name := "sql-" + rand.Text()
	id, err := s.client(t).CreateExperiment(t.Context(), name, nil)
	require.NoError(t, err)
	return tracking.Experiment{ID: id, Name: name}
}

func TestConforms(t *testing.T) {
	s := shared(t)
	trackingtest.WriterSuite(t, s.MLflow.URL, bySQL(s.open(t, postgres.Config{})))
}

// With a connection pooler between, nothing may be kept in a session.
func TestConformsWithoutPreparedStatements(t *testing.T) {
	s := shared(t)
	trackingtest.WriterSuite(t, s.MLflow.URL, bySQL(s.open(t, postgres.Config{DSN: s.dsn() + "?default_query_exec_mode=exec"})))
}

// Foreign keys are then checked by the database.
func TestConformsWithoutTheOptionalRight(t *testing.T) {
	s := shared(t)
	conn := s.admin(t)
	run(t, conn, "REVOKE SET ON PARAMETER session_replication_role FROM otelcol_mlflow")
	t.Cleanup(func() {
		_, err := conn.Exec(context.Background(), "GRANT SET ON PARAMETER session_replication_role TO otelcol_mlflow")
		require.NoError(t, err)
	})
	trackingtest.WriterSuite(t, s.MLflow.URL, bySQL(s.open(t, postgres.Config{})))
	require.True(t, lookedUp(t, s))
}

func TestRunsAreNotLookedUpAgain(t *testing.T) {
	require.False(t, lookedUp(t, shared(t)))
}

// lookedUp reports whether foreign keys are checked, which leaves the transaction's mark in a run's row.
func lookedUp(t *testing.T, s *servers) (marked bool) {
	experiment := s.newExperiment(t)
	requireWritten(t, s.open(t, postgres.Config{}).Write(t.Context(), newRuns(experiment, 1)), false)
	require.NoError(t, s.admin(t).QueryRow(t.Context(), "SELECT xmax <> '0' FROM runs WHERE experiment_id = $1::int", experiment.ID).Scan(&marked))
	return marked
}

func TestWhatAnOperatorAddsToTheTablesIsNotLeftOut(t *testing.T) {
	s := shared(t)
	conn, experiment := s.admin(t), s.newExperiment(t)
	run(t, conn, "CREATE TABLE audit (what text)", "GRANT INSERT ON audit TO otelcol_mlflow", "CREATE TABLE allowed (key text PRIMARY KEY)",
		"CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (NEW.key); RETURN NEW; END $$")
	for name, test := range map[string]struct{ make, remove string }{
		"trigger":     {"CREATE TRIGGER audit AFTER INSERT ON params FOR EACH ROW EXECUTE FUNCTION audit()", "DROP TRIGGER audit ON params"},
		"rule":        {"CREATE RULE audit AS ON INSERT TO params DO ALSO INSERT INTO audit VALUES (NEW.key)", "DROP RULE audit ON params"},
		"foreign key": {"ALTER TABLE params ADD CONSTRAINT allowed FOREIGN KEY (key) REFERENCES allowed NOT VALID", "ALTER TABLE params DROP CONSTRAINT allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, conn, "TRUNCATE audit", test.make)
			t.Cleanup(func() {
				_, err := conn.Exec(context.Background(), test.remove)
				require.NoError(t, err)
			})
			result := s.open(t, postgres.Config{}).Write(t.Context(), newRuns(experiment, 1))[0]
			if name == "foreign key" {
				require.ErrorContains(t, result.Err, "23503 params allowed")
				return
			}
			require.NoError(t, result.Err)
			var audited int
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM audit").Scan(&audited))
			require.Equal(t, 2, audited)
		})
	}
}

// tables are those that a run has rows in.
var tables = []string{"latest_metrics", "metrics", "params", "runs", "tags"}

// rows are all rows of the whole database that have a run's id somewhere, with ID for it, by their table.
func rows(t *testing.T, conn *pgx.Conn, id string) map[string]string {
	found, err := conn.Query(t.Context(), "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
	require.NoError(t, err)
	every, err := pgx.CollectRows(found, pgx.RowTo[string])
	require.NoError(t, err)
	all := make(map[string]string)
	for _, table := range every {
		var text *string
		err := conn.QueryRow(t.Context(), "SELECT string_agg(row, E'\n' ORDER BY row COLLATE \"C\") FROM (SELECT replace(to_jsonb(x)::text, $1, 'ID') AS row FROM "+
			table+" x WHERE strpos(to_jsonb(x)::text, $1) > 0) _", id).Scan(&text)
		require.NoError(t, err)
		if text != nil {
			all[table] = *text
		}
	}
	return all
}

func TestRowsAreThoseOfMLflow(t *testing.T) {
	s := shared(t)
	conn, experiment := s.admin(t), s.newExperiment(t)
	store, client := s.open(t, postgres.Config{}), s.client(t)
	for name, run := range trackingtest.Twins {
		t.Run(name, func(t *testing.T) {
			expected, err := trackingtest.ByREST(client)(t.Context(), experiment, run)
			require.NoError(t, err)
			id, err := bySQL(store)(t.Context(), experiment, run)
			require.NoError(t, err)
			want := rows(t, conn, expected)
			require.Equal(t, want, rows(t, conn, id))
			require.Subset(t, tables, slices.Collect(maps.Keys(want)))
			require.Contains(t, want, "runs")
		})
	}
}

// contents is a hash of all rows that are written.
func contents(t *testing.T, conn *pgx.Conn) map[string]string {
	all := make(map[string]string)
	for _, table := range tables {
		var hash string
		err := conn.QueryRow(t.Context(), "SELECT count(*) || ' ' || md5(coalesce(string_agg(x::text, E'\n' ORDER BY x::text), '')) FROM "+table+" x").Scan(&hash)
		require.NoError(t, err)
		all[table] = hash
	}
	return all
}

func requireWritten(t *testing.T, results []postgres.Result, existed bool) {
	for _, r := range results {
		require.Equal(t, postgres.Result{Existed: existed}, r)
	}
}

func TestASpanThatComesAgainChangesNothing(t *testing.T) {
	s := shared(t)
	conn, experiment, store := s.admin(t), s.newExperiment(t), s.open(t, postgres.Config{})
	runs := newRuns(experiment, 20)
	requireWritten(t, store.Write(t.Context(), runs), false)

	client := s.client(t)
	require.NoError(t, client.DeleteRun(t.Context(), runs[3].ID))
	run(t, conn, "UPDATE params SET value = 'edited' WHERE key = 'prompt' AND run_uuid = '"+runs[4].ID+"'",
		"DELETE FROM tags WHERE run_uuid = '"+runs[5].ID+"'")
	before := contents(t, conn)
	requireWritten(t, store.Write(t.Context(), runs), true)
	require.Equal(t, before, contents(t, conn))

	// The same run twice in a batch, and half of a batch that is not new.
	more := newRuns(experiment, 3)
	results := store.Write(t.Context(), append(slices.Clone(runs[:2]), more[0], more[1], more[0], more[2]))
	requireWritten(t, results[:2], true)
	requireWritten(t, results[2:], false)
}

func TestTwoWritersOfTheSameRuns(t *testing.T) {
	s := shared(t)
	conn, experiment := s.admin(t), s.newExperiment(t)
	runs := newRuns(experiment, 400)
	reversed := slices.Clone(runs)
	slices.Reverse(reversed)
	var created [2]int
	var writing sync.WaitGroup
	for i, mine := range [][]postgres.Run{runs, reversed} {
		store := s.open(t, postgres.Config{})
		writing.Go(func() {
			for batch := range slices.Chunk(mine, 50) {
				for _, r := range store.Write(t.Context(), batch) {
					if assert.NoError(t, r.Err) && !r.Existed {
						created[i]++
					}
				}
			}
		})
	}
	writing.Wait()
	require.Equal(t, len(runs), created[0]+created[1])
	requireComplete(t, conn, experiment, len(runs))
}

// requireComplete requires so many runs of "a call", each with all of its rows.
func requireComplete(t *testing.T, conn *pgx.Conn, experiment tracking.Experiment, want int) {
	const query = "SELECT count(*), count(*) FILTER (WHERE (SELECT count(*) FROM params WHERE run_uuid = r.run_uuid) = 2" +
		" AND (SELECT count(*) FROM tags WHERE run_uuid = r.run_uuid) = 4" +
		" AND (SELECT count(*) FROM metrics WHERE run_uuid = r.run_uuid) = 2" +
		" AND (SELECT count(*) FROM latest_metrics WHERE run_uuid = r.run_uuid) = 2) FROM runs r WHERE experiment_id = $1::int"
	var count, complete int
	require.NoError(t, conn.QueryRow(t.Context(), query, experiment.ID).Scan(&count, &complete))
	require.Equal(t, want, count)
	require.Equal(t, want, complete)
}

// Another transaction has the second of our runs and wants the first: one of the two is ended by the database.
func TestADeadlockIsTriedAgain(t *testing.T) {
	s := shared(t)
	conn, experiment := s.admin(t), s.newExperiment(t)
	runs := newRuns(experiment, 2)
	slices.SortFunc(runs, func(a, b postgres.Run) int { return strings.Compare(a.ID, b.ID) })
	insert := func(tx pgx.Tx, run postgres.Run) error {
		_, err := tx.Exec(context.Background(), "INSERT INTO runs (run_uuid, experiment_id) VALUES ($1, $2::int)", run.ID, experiment.ID)
		return err
	}
	run(t, conn, "SET deadlock_timeout = '1h'") // so that it is the store's transaction that is ended
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, insert(tx, runs[1]))

	written := make(chan []postgres.Result, 1)
	store := s.open(t, postgres.Config{})
	go func() { written <- store.Write(context.Background(), runs) }()
	observer := s.admin(t)
	waitFor(t, func() bool { return waiting(t, observer, "INSERT INTO runs%") == 1 })
	require.NoError(t, insert(tx, runs[0])) // returns when the store's transaction is ended, which began to wait first
	require.NoError(t, tx.Rollback(t.Context()))
	requireWritten(t, <-written, false)
	requireComplete(t, conn, experiment, 2)
}

// waiting is how many statements like this wait for a lock.
func waiting(t *testing.T, conn *pgx.Conn, statement string) (n int) {
	err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND ltrim(query, E' \n') LIKE $1", statement).Scan(&n)
	require.NoError(t, err)
	return n
}

func waitFor(t *testing.T, condition func() bool) {
	require.Eventually(t, condition, time.Minute, 10*time.Millisecond)
}

func TestAPoisonRowIsFoundAndTheOthersAreWritten(t *testing.T) {
	s := shared(t)
	conn, experiment, store := s.admin(t), s.newExperiment(t), s.open(t, postgres.Config{})
	const secret = "the-launch-code-is-0000"
	runs := newRuns(experiment, 50)
	runs[7].Name = strings.Repeat(secret, 20) // longer than the column
	runs[20].Params = []tracking.KeyValue{{Key: "prompt", Value: secret + "\x00"}}
	runs[21].Tags = append(slices.Clone(runs[21].Tags), runs[21].Tags...)
	runs[49].Status = secret // no status of MLflow's
	poison := []int{7, 20, 21, 49}
	for i, r := range store.Write(t.Context(), runs) {
		if !slices.Contains(poison, i) {
			require.Equal(t, postgres.Result{}, r, i)
			continue
		}
		e := asError(t, r.Err)
		require.Equal(t, tracking.Permanent, e.Class, "%v", r.Err)
		require.NotContains(t, fmt.Sprintf("%v %+v", r.Err, r.Err), secret)
	}
	requireComplete(t, conn, experiment, len(runs)-len(poison))
}

func asError(t *testing.T, err error) *tracking.Error {
	var e *tracking.Error
	require.ErrorAs(t, err, &e)
	return e
}

func TestOnlyTheRunsOfAnExperimentThatIsNotActiveWait(t *testing.T) {
	s := shared(t)
	conn, store := s.admin(t), s.open(t, postgres.Config{})
	good, deleted, renamed := s.newExperiment(t), s.newExperiment(t), s.newExperiment(t)
	run(t, conn, "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id = "+deleted.ID,
		"UPDATE experiments SET name = name || '-renamed' WHERE experiment_id = "+renamed.ID)
	results := store.Write(t.Context(), slices.Concat(newRuns(good, 1), newRuns(deleted, 1), newRuns(renamed, 1),
		newRuns(tracking.Experiment{ID: "not a number"}, 1)))
	require.NoError(t, results[0].Err)
	for i, want := range []string{"was deleted", "renamed", "is not the database of the server at `endpoint`"} {
		e := asError(t, results[i+1].Err)
		assert.True(t, e.Gone)
		assert.Equal(t, tracking.Retryable, e.Class)
		require.ErrorContains(t, e, want)
	}
	requireComplete(t, conn, good, 1)
	requireComplete(t, conn, deleted, 0)
}

func TestAnArtifactLocationThatCannotBeExtendedMakesRunsWait(t *testing.T) {
	s := shared(t)
	conn, store, experiment := s.admin(t), s.open(t, postgres.Config{}), s.newExperiment(t)
	for _, location := range []string{"s3://bucket/a?x=..", "hdfs:///mlflow", "s3://" + strings.Repeat("b", 160)} {
		run(t, conn, "UPDATE experiments SET artifact_location = '"+location+"' WHERE experiment_id = "+experiment.ID)
		e := asError(t, store.Write(t.Context(), newRuns(experiment, 1))[0].Err)
		assert.Equal(t, tracking.Retryable, e.Class)
		require.ErrorContains(t, e, "artifact location")
		require.ErrorContains(t, e, "set `store::type` to rest")
	}
	requireComplete(t, conn, experiment, 0)
}

func TestLostConnectionsAreMadeAnew(t *testing.T) {
	s := shared(t)
	conn, store, experiment := s.admin(t), s.open(t, postgres.Config{}), s.newExperiment(t)
	requireWritten(t, store.Write(t.Context(), newRuns(experiment, 1)), false)
	run(t, conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'otelcol-mlflow'")
	requireWritten(t, store.Write(t.Context(), newRuns(experiment, 1)), false)
}

func TestATransactionThatWaitsTooLongIsRetryable(t *testing.T) {
	s := shared(t)
	conn, experiment := s.admin(t), s.newExperiment(t)
	store := s.open(t, postgres.Config{Timeout: 200 * time.Millisecond})
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE runs") // as a migration does
	require.NoError(t, err)
	e := asError(t, store.Write(t.Context(), newRuns(experiment, 1))[0].Err)
	require.Equal(t, tracking.Retryable, e.Class)
	require.ErrorContains(t, e, "locked by a migration")
	require.NoError(t, tx.Rollback(t.Context()))
	waitFor(t, func() bool { return store.Write(t.Context(), newRuns(experiment, 1))[0].Err == nil })
}

func TestRunID(t *testing.T) {
	trace, span := [16]byte{0x5b, 0x8e}, [8]byte{0xee}
	start := time.Date(2026, 11, 23, 12, 0, 0, 1, time.UTC)
	id := postgres.RunID(trace, span, start)
	require.Equal(t, id, postgres.RunID(trace, span, start.In(time.FixedZone("", 3600))))
	require.Regexp(t, "^[0-9a-f]{12}8[0-9a-f]{3}[89ab][0-9a-f]{15}$", id)
	require.Equal(t, fmt.Sprintf("%012x", start.UnixMilli()), id[:12])
	for _, other := range []string{
		postgres.RunID([16]byte{0x5b}, span, start), postgres.RunID(trace, [8]byte{0xef}, start),
		postgres.RunID(trace, span, start.Add(1)), postgres.RunID(trace, span, time.Time{}),
	} {
		require.Len(t, other, 32)
		require.NotEqual(t, id, other)
	}
	require.Less(t, id, postgres.RunID([16]byte{}, [8]byte{}, start.Add(time.Millisecond)))
}
