// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// Config of a Store.
type Config struct {
	// DSN is a PostgreSQL connection string: a URL, also in the form that MLflow's --backend-store-uri has, or key=value
	// pairs.
	DSN string
	// SchemaCheck says which schemas are written to. Empty means SchemaStrict.
	SchemaCheck SchemaCheck
	// Connections is how many transactions may be under way at the same time; 0 means 4.
	Connections int
	// Timeout bounds a transaction, here and in the database; 0 means 30 seconds.
	Timeout time.Duration
}

const (
	defaultConnections = 4
	defaultTimeout     = 30 * time.Second
	// maxBatch is how many runs are written in one transaction.
	maxBatch = 500
	// maxAttempts is how often a transaction is tried in a row that others have made fail.
	maxAttempts = 4
)

// Store writes runs to one database. It is safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	check   SchemaCheck
	timeout time.Duration
	// accepted holds the heads that are not in Schemas and whose tables were found to be the same.
	accepted sync.Map // string → struct{}
	// unprepared is whether a connection pooler between has lost prepared statements, so that there must be none.
	unprepared atomic.Bool
}

// Result is what became of a run.
type Result struct {
	Existed bool // it was there, and is as it was
	Err     error
}

// CheckDSN is an error if dsn is no connection string of PostgreSQL. The error does not quote it.
func CheckDSN(dsn string) error {
	_, err := parse(dsn)
	return err
}

// parse reads a connection string. The errors of pgx quote the string, with the password if it is malformed.
func parse(dsn string) (*pgxpool.Config, error) {
	const example = "such as postgresql://otelcol_mlflow@db:5432/mlflow"
	if scheme, rest, ok := strings.Cut(dsn, "://"); ok {
		scheme, _, _ = strings.Cut(scheme, "+") // SQLAlchemy's name of a driver
		if scheme != "postgresql" && scheme != "postgres" {
			return nil, fmt.Errorf("must be the address of a PostgreSQL database, %s: runs are not written to other databases", example)
		}
		dsn = scheme + "://" + rest
	}
	if dsn == "" {
		return nil, fmt.Errorf("must be a PostgreSQL connection string, %s", example)
	}
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("is no PostgreSQL connection string, %s (the characters @ : / ? # %% of a password are written %%40 %%3A %%2F %%3F %%23 %%25), or names files that cannot be read", example)
	}
	return config, nil
}

// Open returns a Store. It does not connect: a database that is away is found by Check and Write.
func Open(ctx context.Context, config Config) (*Store, error) {
	c, err := parse(config.DSN)
	if err != nil {
		return nil, err
	}
	s := &Store{check: config.SchemaCheck, timeout: config.Timeout}
	if s.timeout == 0 {
		s.timeout = defaultTimeout
	}
	c.MaxConns = int32(config.Connections)
	if c.MaxConns == 0 {
		c.MaxConns = defaultConnections
	}
	if _, set := c.ConnConfig.RuntimeParams["application_name"]; !set {
		c.ConnConfig.RuntimeParams["application_name"] = "otelcol-mlflow"
	}
	c.BeforeConnect = func(_ context.Context, conn *pgx.ConnConfig) error {
		if s.unprepared.Load() {
			conn.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
		return nil
	}
	s.pool, err = pgxpool.NewWithConfig(ctx, c)
	return s, err
}

// Close ends the connections. No call may be under way.
func (s *Store) Close() { s.pool.Close() }

// Write writes runs, those of a transaction all or none. Result i is that of runs[i]. Every error is a *tracking.Error: a
// run of the class Permanent can never be written; one whose Gone is true has an experiment that is not active, or is not
// the one of that name.
func (s *Store) Write(ctx context.Context, runs []Run) []Result {
	results := make([]Result, len(runs))
	batch := make([]item, len(runs))
	for i := range runs {
		batch[i] = item{&runs[i], &results[i]}
	}
	// In one order everywhere, so that two collectors with the same runs wait for each other and do not deadlock.
	slices.SortStableFunc(batch, func(a, b item) int { return strings.Compare(a.run.ID, b.run.ID) })
	var twice []item // the same run again
	unique := batch[:0]
	for _, it := range batch {
		if len(unique) > 0 && unique[len(unique)-1].run.ID == it.run.ID {
			twice = append(twice, it)
			continue
		}
		unique = append(unique, it)
	}
	for part := range slices.Chunk(unique, maxBatch) {
		s.writeBatch(ctx, part)
	}
	for _, it := range twice {
		i, _ := slices.BinarySearchFunc(unique, it.run.ID, func(u item, id string) int { return strings.Compare(u.run.ID, id) })
		*it.result = *unique[i].result
	}
	return results
}

// item is a run and the place of its result.
type item struct {
	run    *Run
	result *Result
}

// writeBatch writes runs in one transaction. If the database refuses one for its values, the halves are tried by
// themselves, until only that one is left.
func (s *Store) writeBatch(ctx context.Context, batch []item) {
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error { return s.insert(ctx, tx, batch) })
	switch {
	case err == nil:
	case len(batch) > 1 && refusesValues(err):
		middle := len(batch) / 2
		s.writeBatch(ctx, batch[:middle])
		s.writeBatch(ctx, batch[middle:])
	default:
		failed := describe(err)
		for _, it := range batch {
			*it.result = Result{Err: failed}
		}
	}
}

// transact does something in a transaction. It tries again one that others have made fail, or whose connection was no longer
// one. That a transaction may have been committed all the same does no harm: the next finds its runs.
func (s *Store) transact(ctx context.Context, do func(context.Context, pgx.Tx) error) (err error) {
	for range maxAttempts {
		err = s.attempt(ctx, do)
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case unprepared(err):
			if s.unprepared.CompareAndSwap(false, true) {
				s.pool.Reset()
			}
		case !passes(err):
			return err
		}
	}
	return err
}

func (s *Store) attempt(ctx context.Context, do func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return do(ctx, tx) })
}

// insert writes runs.
func (s *Store) insert(ctx context.Context, tx pgx.Tx, batch []item) error {
	experiments, unchecked, err := s.begin(ctx, tx, batch)
	if err != nil {
		return err
	}
	runs := newRunRows(len(batch))
	for _, it := range batch {
		location, err := experiments.location(it.run)
		*it.result = Result{Err: err}
		if err == nil {
			runs.add(it.run, experiments[it.run.Experiment.ID].id, location)
		}
	}
	created, err := runs.insert(ctx, tx)
	if err != nil {
		return err
	}
	var children childRows
	for _, it := range batch {
		if it.result.Err != nil {
			continue
		}
		if _, isNew := created[it.run.ID]; isNew {
			children.add(it.run)
		} else {
			it.result.Existed = true
		}
	}
	return children.insert(ctx, tx, unchecked)
}

// writeLock is the lock that inserts take anyway. Taken first, it makes a migration of these tables wait until the
// transaction has ended, so that the schema that is looked at next stays what it is.
const writeLock = "LOCK TABLE runs, params, tags, metrics, latest_metrics IN ROW EXCLUSIVE MODE"

// begin makes sure that the schema is known and reads the experiments of the batch, and whether childRows may be inserted
// unchecked.
func (s *Store) begin(ctx context.Context, tx pgx.Tx, batch []item) (found experiments, unchecked bool, err error) {
	var ids []int64
	for _, it := range batch {
		if id, err := strconv.ParseInt(it.run.Experiment.ID, 10, 64); err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	milliseconds := strconv.FormatInt(s.timeout.Milliseconds(), 10)
	found = make(experiments)
	var heads []string
	var b pgx.Batch
	// If this process is cut off, its locks must not outlive its next attempt.
	b.Queue("SELECT set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $1, true)", milliseconds)
	b.Queue(writeLock)
	b.Queue("SELECT version_num FROM alembic_version").Query(func(rows pgx.Rows) (err error) {
		heads, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	b.Queue("SELECT experiment_id, name, lifecycle_stage, artifact_location FROM experiments WHERE experiment_id = ANY($1::bigint[])", ids).
		Query(found.read)
	var major int
	if _, err := fmt.Sscan(tx.Conn().PgConn().ParameterStatus("server_version"), &major); err == nil && major >= 15 { // has_parameter_privilege
		b.Queue(mayBeUnchecked).QueryRow(func(row pgx.Row) error { return row.Scan(&unchecked) })
	}
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return nil, false, err
	}
	return found, unchecked, s.checkSchema(ctx, tx, heads)
}

// experiments are those of a batch, by their id as MLflow's API has it.
type experiments map[string]experiment

type experiment struct {
	id       int64
	name     string
	active   bool
	location string
}

func (e experiments) read(rows pgx.Rows) error {
	var x experiment
	var name, stage, location *string
	_, err := pgx.ForEachRow(rows, []any{&x.id, &name, &stage, &location}, func() error {
		x.name, x.active, x.location = deref(name), deref(stage) == "active", deref(location)
		e[strconv.FormatInt(x.id, 10)] = x
		return nil
	})
	return err
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// location is where the run has its artifacts, or an error if its experiment takes no runs.
func (e experiments) location(r *Run) (string, error) {
	x, ok := e[r.Experiment.ID]
	switch {
	case !ok || x.name != r.Experiment.Name:
		return "", &tracking.Error{
			Op: doing, Class: tracking.Retryable, Gone: true,
			Hint: fmt.Sprintf("experiment %s of the database is not %q: it was removed or renamed, or `store::dsn` is not the database of the server at `endpoint`",
				r.Experiment.ID, r.Experiment.Name),
		}
	case !x.active:
		return "", &tracking.Error{
			Op: doing, Class: tracking.Retryable, Gone: true,
			Hint: fmt.Sprintf("experiment %q was deleted in MLflow", x.name),
		}
	}
	location, ok := artifactURI(x.location, r.ID)
	if !ok {
		return "", &tracking.Error{
			Op: doing, Class: tracking.Retryable,
			Hint: fmt.Sprintf("the artifact location of experiment %q is of a kind that only MLflow itself can extend, or too long: set `store::type` to rest", x.name),
		}
	}
	return location, nil
}

// rights are whether the server takes writes, and what deploy/postgres/role.sql grants and the user does not have.
const rights = `
SELECT current_setting('transaction_read_only') = 'on', coalesce(string_agg(privilege || ' on ' || "table", ', '), '')
FROM (VALUES ('alembic_version', 'SELECT'), ('experiments', 'SELECT'),
             ('runs', 'INSERT'), ('params', 'INSERT'), ('tags', 'INSERT'), ('metrics', 'INSERT'), ('latest_metrics', 'INSERT'))
     AS needed ("table", privilege)
WHERE NOT has_table_privilege("table", privilege)`

// Check reports whether runs can be written now: the database can be reached, is MLflow's, has a schema that is written to,
// and the user has the privileges.
func (s *Store) Check(ctx context.Context) error {
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var readOnly bool
		var missing string
		if err := tx.QueryRow(ctx, rights).Scan(&readOnly, &missing); err != nil {
			return err
		}
		if readOnly {
			return &pgconn.PgError{Code: stateReadOnly, Message: "transactions are read-only"}
		}
		if missing != "" {
			return &tracking.Error{
				Op: doing, Class: tracking.Retryable, Code: stateNoPrivilege,
				Hint: "the user of `store::dsn` lacks " + missing + ": run deploy/postgres/role.sql in MLflow's database",
			}
		}
		_, _, err := s.begin(ctx, tx, nil)
		return err
	})
	if err != nil {
		return describe(err)
	}
	return nil
}
