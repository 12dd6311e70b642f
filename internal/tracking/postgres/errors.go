// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// doing is the operation of every error.
const doing = "writing runs to PostgreSQL"

// SQLSTATEs, as appendix A of PostgreSQL's manual has them.
const (
	stateForeignKey    = "23503"
	stateReadOnly      = "25006"
	stateNoPrivilege   = "42501"
	stateSerialization = "40001"
	stateDeadlock      = "40P01"
	stateNoStatement   = "26000"
	stateHasStatement  = "42P05"
)

// refusesValues reports whether the database refuses a value of one of the runs, so that others of the batch may be fine. A
// foreign key is that of an experiment that was removed a moment ago: the next attempt finds so.
func refusesValues(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || answer.Code == stateForeignKey {
		return false
	}
	switch answer.Code[:2] {
	case "22", "23", "54": // data exception, integrity constraint, program limit
		return true
	}
	return false
}

// passes reports whether the same transaction may succeed at once: others were in its way, or its connection was one that
// the server had closed.
func passes(err error) bool {
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return answer.Code == stateDeadlock || answer.Code == stateSerialization || strings.HasPrefix(answer.Code, "08") ||
			strings.HasPrefix(answer.Code, "57P")
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// unprepared reports whether a prepared statement is not on the server's connection that a pooler between has lent this time,
// or is there from another time.
func unprepared(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (answer.Code == stateNoStatement || answer.Code == stateHasStatement)
}

const tookTooLong = "it took longer than `timeout`: the database is overloaded, locked by a migration, or cannot be reached"

// hints say what to change, by the beginning of the SQLSTATE; the first that fits counts.
var hints = []struct{ state, hint string }{
	{"08P01", "a connection pooler between refuses this, and its log says more: it must reach the database and know the user of `store::dsn`; settings such as search_path belong to the role (ALTER ROLE otelcol_mlflow SET …)"},
	{"22P05", "the database is not encoded in UTF8, and a character has no place in it"},
	{stateReadOnly, "this server takes no writes: `store::dsn` must name the primary, or several hosts and target_session_attrs=read-write"},
	{"28", "the user or password of `store::dsn` is wrong, or pg_hba.conf does not let it in"},
	{"3D000", "`store::dsn` names a database that is not there"},
	{stateNoPrivilege, "the user of `store::dsn` lacks rights: run deploy/postgres/role.sql in MLflow's database"},
	{"42P01", "this is not MLflow's database, or its tables are in another schema: `store::dsn` must name the one of MLflow's --backend-store-uri, and deploy/postgres/role.sql says what to do about a schema"},
	{"42703", "this is not MLflow's database: `store::dsn` must name the one of MLflow's --backend-store-uri"},
	{"53300", "the server has no connection left: lower `max_concurrency`, or raise the server's max_connections"},
	{"57014", tookTooLong},
}

// describe is the error of a run, without any of its values: PostgreSQL's detail and some of its messages quote them, and
// pgx quotes the connection string.
func describe(err error) *tracking.Error {
	e := &tracking.Error{Op: doing, Class: tracking.Retryable}
	if own, ok := errors.AsType[*tracking.Error](err); ok {
		return own
	}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		e.Code = answer.Code
		e.Err = errors.New(sqlError(answer))
		if refusesValues(err) {
			e.Class = tracking.Permanent
		}
		for _, h := range hints {
			if strings.HasPrefix(answer.Code, h.state) {
				e.Hint = h.hint
				break
			}
		}
		return e
	}
	e.Err = transportError(err)
	if errors.Is(e.Err, context.DeadlineExceeded) {
		e.Hint = tookTooLong
	}
	return e
}

// sqlError says what PostgreSQL refused: its own words only where they name nothing but tables, users and databases.
func sqlError(answer *pgconn.PgError) string {
	switch answer.Code[:2] {
	case "08", "25", "28", "3D", "3F", "42", "53", "55", "57":
		return "SQLSTATE " + answer.Code + ": " + answer.Message
	}
	return strings.TrimSpace(strings.Join([]string{"SQLSTATE", answer.Code, answer.TableName, answer.ConstraintName}, " "))
}

// transportError is what lies below pgx's error: its own texts have the connection string's user and database.
func transportError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return errors.New("connecting failed: TLS, authentication or the server's protocol")
	}
	return errors.New("the connection broke")
}
