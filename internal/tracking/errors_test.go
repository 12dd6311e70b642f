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
		"values that MLflow refuses":       {opLogBatch, 400, invalid, Permanent, false, ""},
		"a deleted experiment":             {opCreateRun, 400, inactive, Retryable, true, ""},
		"a proxy's 400":                    {opCreateRun, 400, "<html>Bad Request</html>", Retryable, false, hintNotMLflow},
		"no credentials":                   {opCreateRun, 401, "You are not authenticated.", Retryable, false, hintLogin},
		"a user who may only read":         {opCreateRun, 403, "Permission denied", Retryable, false, hintRights},
		"MLflow's host check":              {opCreateRun, 403, "Invalid Host header - possible DNS rebinding attack detected", Retryable, false, hintHost},
		"an experiment that is not there":  {opCreateRun, 404, missing, Retryable, true, ""},
		"a workspace that is not there":    {opCreateRun, 404, noWorkspace, Retryable, false, hintWorkspace},
		"a path that is not there":         {opCreateRun, 404, "<!doctype html>", Retryable, false, hintNotMLflow},
		"another server's path":            {opCreateRun, 405, "", Retryable, false, hintNotMLflow},
		"a timeout of the server":          {opCreateRun, 408, "", Retryable, false, ""},
		"a body that is too large":         {opLogBatch, 413, "", Permanent, false, hintTooLarge},
		"too many requests":                {opCreateRun, 429, "", Retryable, false, ""},
		"an error while creating a run":    {opCreateRun, 500, "", OutcomeUnknown, false, ""},
		"a gateway while creating a run":   {opCreateRun, 504, "", OutcomeUnknown, false, ""},
		"an error of an idempotent call":   {opLogBatch, 500, "", Retryable, false, ""},
		"a redirect that was not followed": {opLogBatch, 304, "", Retryable, false, ""},
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
		"": 0, "soon": 0, "-3": 0, "7": 7 * time.Second,
		"Mon, 23 Nov 2026 12:00:30 GMT": 30 * time.Second,
		"Mon, 23 Nov 2026 11:00:00 GMT": 0,
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
