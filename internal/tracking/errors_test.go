// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tracking

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRefusalsAreClassified(t *testing.T) {
	const invalid = `{"error_code":"INVALID_PARAMETER_VALUE","message":"Invalid value"}`
	const refusedValue = `{"error_code":"BAD_REQUEST","message":"(psycopg2.errors.NumericValueOutOfRange) bigint out of range [parameters: '(psycopg2.errors.UndefinedTable)']"}`
	database := func(message string) string { return `{"error_code":"BAD_REQUEST","message":"` + message + `"}` }
	const inactive = `{"error_code":"INVALID_PARAMETER_VALUE","message":"The experiment 12 must be in the 'active' state. Current state is deleted."}`
	const missing = `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No Experiment with id=7 exists"}`
	const noWorkspace = `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Workspace 'nope' not found"}`
	for name, test := range map[string]struct {
		op     operation
		status int
		body   string
		class  Class
		gone   bool
		hint   string
	}{
		"values that MLflow refuses":        {opLogBatch, 400, invalid, Permanent, false, ""},
		"a deleted experiment":              {opCreateRun, 400, inactive, Retryable, true, ""},
		"a value that the database refuses": {opLogBatch, 400, refusedValue, Permanent, false, ""},
		"a database that is read-only":      {opLogBatch, 400, database("(psycopg2.errors.ReadOnlySqlTransaction) cannot execute INSERT"), Retryable, false, hintDatabase},
		"a database that is being migrated": {opLogBatch, 400, database("(psycopg2.errors.UndefinedTable) relation does not exist"), Retryable, false, hintDatabase},
		"a database without a column":       {opLogBatch, 400, database("(psycopg.errors.UndefinedColumn) column"), Retryable, false, hintDatabase},
		"a database without rights":         {opLogBatch, 400, database("(psycopg2.errors.InsufficientPrivilege) permission denied"), Retryable, false, hintDatabase},
		"a transaction that is aborted":     {opLogBatch, 400, database("(psycopg2.errors.InFailedSqlTransaction) current transaction is aborted"), Retryable, false, hintDatabase},
		"a connection that is closed":       {opCreateRun, 400, database("(psycopg2.InterfaceError) connection already closed"), OutcomeUnknown, false, hintDatabase},
		"a pool without connections":        {opLogBatch, 400, database("QueuePool limit of size 5 overflow 10 reached"), Retryable, false, hintDatabase},
		"a proxy's 400":                     {opCreateRun, 400, "<html>Bad Request</html>", Retryable, false, hintNotMLflow},
		"no credentials":                    {opCreateRun, 401, "You are not authenticated.", Retryable, false, hintLogin},
		"a user who may only read":          {opCreateRun, 403, "Permission denied", Retryable, false, hintRights},
		"MLflow's host check":               {opCreateRun, 403, "Invalid Host header - possible DNS rebinding attack detected", Retryable, false, hintHost},
		"an experiment that is not there":   {opCreateRun, 404, missing, Retryable, true, ""},
		"a workspace that is not there":     {opCreateRun, 404, noWorkspace, Retryable, false, hintWorkspace},
		"a path that is not there":          {opCreateRun, 404, "<!doctype html>", Retryable, false, hintNotMLflow},
		"another server's path":             {opCreateRun, 405, "", Retryable, false, hintNotMLflow},
		"a timeout of the server":           {opCreateRun, 408, "", Retryable, false, ""},
		"a body that is too large":          {opLogBatch, 413, "", Permanent, false, hintTooLarge},
		"too many requests":                 {opCreateRun, 429, "", Retryable, false, ""},
		"an error while creating a run":     {opCreateRun, 500, "", OutcomeUnknown, false, ""},
		"a gateway while creating a run":    {opCreateRun, 504, "", OutcomeUnknown, false, ""},
		"an error of an idempotent call":    {opLogBatch, 500, "", Retryable, false, ""},
		"a redirect that was not followed":  {opLogBatch, 304, "", Retryable, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := refused(test.op, &http.Response{StatusCode: test.status, Header: http.Header{}}, []byte(test.body))
			assert.Equal(t, test.class, e.Class)
			assert.Equal(t, test.gone, e.Gone)
			assert.Equal(t, test.hint, e.Hint)
		})
	}
}

func TestNoAnswerToACreateLeavesItsOutcomeUnknown(t *testing.T) {
	assert.Equal(t, OutcomeUnknown, noAnswer(opCreateRun, io.ErrUnexpectedEOF).Class)
	assert.Equal(t, Retryable, noAnswer(opLogBatch, io.ErrUnexpectedEOF).Class)
	assert.Equal(t, Retryable, noAnswer(opCreateRun, &net.OpError{Op: "dial", Err: errors.New("refused")}).Class)
	assert.Equal(t, OutcomeUnknown, noAnswer(opCreateRun, &net.OpError{Op: "read", Err: errors.New("reset")}).Class)
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-3": 0, "7": 7 * time.Second, "86400": 5 * time.Minute, "9999999999999": 0,
		"Mon, 23 Nov 2026 12:00:30 GMT": 30 * time.Second,
		"Mon, 23 Nov 2026 11:00:00 GMT": 0,
		"Tue, 23 Nov 2027 11:00:00 GMT": 5 * time.Minute,
	} {
		assert.Equal(t, want, retryAfter(header, now), header)
	}
}

func TestErrorText(t *testing.T) {
	require.EqualError(t, &Error{Op: "creating run", Status: 401, Hint: hintLogin},
		"creating run: HTTP 401 ("+hintLogin+")")
	require.EqualError(t, &Error{Op: "creating run", Status: 400, Code: "BAD_REQUEST"}, "creating run: HTTP 400 BAD_REQUEST")
	require.EqualError(t, &Error{Op: "creating run", Err: io.ErrUnexpectedEOF}, "creating run: unexpected EOF")
}

func TestTooOld(t *testing.T) {
	for version, want := range map[string]bool{"2.22.4": true, "3.6.0": true, "3.7.0": false, "3.17.2": false, "4.0.0rc1": false, "fml": false} {
		assert.Equal(t, want, TooOld(version), version)
	}
}
