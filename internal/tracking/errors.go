// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tracking

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Class says what to do after an error.
type Class int

const (
	// Retryable: nothing was written that matters, the same call may succeed later.
	Retryable Class = iota
	// Permanent: the server will never take this call.
	Permanent
	// OutcomeUnknown: the call is not idempotent and may have been carried out, or may still be; look before repeating it.
	OutcomeUnknown
)

// Error is a failed call. Its text has no value that was sent, because MLflow's own messages quote params and tags.
type Error struct {
	Op         string        // what was being done, such as "creating run"
	Class      Class         // what to do
	Status     int           // HTTP status, 0 without an answer
	Code       string        // MLflow's error_code, or the SQLSTATE of a database, if the answer had one
	Hint       string        // what to change, empty if nothing is known
	RetryAfter time.Duration // how long the server asks to wait, at most five minutes, 0 if it does not
	Gone       bool          // the experiment or run named in the call is deleted or does not exist
	Err        error         // the transport's error, nil without one
}

// Error names the operation, the answer and what to change.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": HTTP %d", e.Status)
		if e.Code != "" {
			b.WriteString(" " + e.Code)
		}
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

// Unwrap returns the transport's error.
func (e *Error) Unwrap() error { return e.Err }

// MLflow's error codes that decide something.
const (
	codeAbsent = "RESOURCE_DOES_NOT_EXIST"
	codeExists = "RESOURCE_ALREADY_EXISTS"
)

// IsNotFound reports whether err says that the thing asked for does not exist.
func IsNotFound(err error) bool { return hasCode(err, codeAbsent) }

// IsAlreadyExists reports whether err says that the name is taken.
func IsAlreadyExists(err error) bool { return hasCode(err, codeExists) }

// IsUnsupported reports whether err says that the server has no such method: another implementation, or an older one.
func IsUnsupported(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Status == http.StatusNotFound && !e.Gone && e.Hint != hintWorkspace ||
		e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusNotImplemented
}

func hasCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// operation is a call of the API.
type operation struct {
	path       string
	doing      string
	unanswered Class // of an error that does not say whether the call was carried out
}

const api = "/api/2.0/mlflow/"

// name is the method of the API as MLflow's documentation has it.
func (o operation) name() string { return strings.TrimPrefix(strings.TrimPrefix(o.path, api), "/") }

var (
	opCheck             = operation{api + "experiments/search", "reaching MLflow", Retryable}
	opVersion           = operation{"/version", "asking for MLflow's version", Retryable}
	opFindExperiment    = operation{api + "experiments/get-by-name", "looking up experiment", Retryable}
	opCreateExperiment  = operation{api + "experiments/create", "creating experiment", Retryable} // a second create says so
	opRestoreExperiment = operation{api + "experiments/restore", "restoring experiment", Retryable}
	opCreateRun         = operation{api + "runs/create", "creating run", OutcomeUnknown}
	opLogBatch          = operation{api + "runs/log-batch", "logging params and metrics", Retryable}
	opUpdateRun         = operation{api + "runs/update", "finishing run", Retryable}
	opDeleteRun         = operation{api + "runs/delete", "deleting run", Retryable}
	opRestoreRun        = operation{api + "runs/restore", "restoring run", Retryable}
	opSearchRuns        = operation{api + "runs/search", "searching runs", Retryable}
	opPutArtifact       = operation{"/api/2.0/mlflow-artifacts/artifacts", "writing artifact", Retryable}
	opSendTraces        = operation{"/v1/traces", "sending traces", Retryable}
	opLinkTraces        = operation{api + "traces/link-to-run", "linking trace to run", Retryable}
	opLinkPrompts       = operation{api + "traces/link-prompts", "linking trace to prompt", Retryable}
	opAssess            = operation{"/api/3.0/mlflow/traces", "writing assessment", Retryable}
	opFindModel         = operation{api + "registered-models/get", "looking up prompt", Retryable}
	opTagModel          = operation{api + "registered-models/set-tag", "showing prompt in experiment", Retryable}
)

// noAnswer is the error of a call that got no complete answer. A connection that was never made carried nothing out.
func noAnswer(op operation, err error) *Error {
	class := op.unanswered
	var dial *net.OpError
	if errors.As(err, &dial) && (dial.Op == "dial" || dial.Op == "proxyconnect") {
		class = Retryable
	}
	return &Error{Op: op.doing, Class: class, Err: err}
}

const (
	hintNotMLflow = "the answer is not MLflow's: `endpoint` must be the address of the MLflow server itself, without a path that the server does not have"
	hintLogin     = "MLflow asks for credentials: set `auth` to a basicauth, bearertokenauth or oauth2client extension"
	hintRights    = "the user may not do this: give it the right to create experiments and to edit them"
	hintHost      = "MLflow's host check refuses this address: start the server with --allowed-hosts naming the host of `endpoint`"
	hintWorkspace = "`workspace` names no workspace of this server"
	hintDatabase  = "MLflow's database does not take it now: it may be read-only, in the middle of a migration, without the rights that MLflow needs, or out of connections; MLflow's log says more"
	hintTooLarge  = "a proxy before MLflow refuses bodies of this size: raise its limit"
)

// A rule tells one kind of refusal from the others. The first that fits decides; a zero condition fits everything.
type rule struct {
	status  int            // HTTP status
	code    string         // MLflow's error_code; anyCode fits an answer that has one
	message string         // in the answer
	begins  *regexp.Regexp // how the message begins; where it goes on, messages can quote what was sent
	class   Class
	unsure  bool // whether the call was carried out
	gone    bool
	hint    string
	means   string // the error_code that fits better than the answer's
}

const anyCode = "*"

// databaseFails is how MLflow's message begins when its database refuses what it would take at another time. All errors of
// SQLAlchemy but OperationalError are answered with 400 (mlflow/store/db/utils.py).
var databaseFails = regexp.MustCompile(`^(\(psycopg2?\.(InterfaceError|errors\.(ReadOnlySqlTransaction|UndefinedTable|UndefinedColumn|` +
	`InsufficientPrivilege|InFailedSqlTransaction|IdleInTransactionSessionTimeout|TransactionTimeout))\)|QueuePool limit )`)

func (r rule) fits(status int, code, message string) bool {
	return r.status == status && strings.Contains(message, r.message) && (r.begins == nil || r.begins.MatchString(message)) &&
		(r.code == "" || r.code == code || r.code == anyCode && code != "")
}

var rules = []rule{
	{status: 400, message: "must be in the 'active' state", class: Retryable, gone: true},
	{status: 400, message: "violates unique constraint", class: Permanent, means: codeExists}, // a second assessment of an id,
	{status: 400, message: "UNIQUE constraint failed", class: Permanent, means: codeExists},   // before 3.17
	{status: 400, code: "BAD_REQUEST", begins: databaseFails, unsure: true, hint: hintDatabase},
	{status: 400, code: anyCode, class: Permanent},
	{status: 400, class: Retryable, hint: hintNotMLflow},
	{status: 401, class: Retryable, hint: hintLogin},
	{status: 403, message: "Invalid Host header", class: Retryable, hint: hintHost},
	{status: 403, class: Retryable, hint: hintRights},
	{status: 404, message: "Workspace", code: codeAbsent, class: Retryable, hint: hintWorkspace},
	{status: 404, code: codeAbsent, class: Retryable, gone: true},
	{status: 404, class: Retryable, hint: hintNotMLflow},
	{status: 405, class: Retryable, hint: hintNotMLflow},
	{status: 413, class: Permanent, hint: hintTooLarge},
	{status: 422, class: Permanent},
	{status: 500, message: "due to a constraint violation", class: Permanent, means: codeExists}, // the same
	{status: 408, class: Retryable},
	{status: 429, class: Retryable},
}

// refused is the error of a call that was answered with anything but 200. What no rule covers, such as a 5xx or a
// redirect, does not say whether the call was carried out.
func refused(op operation, resp *http.Response, answer []byte) *Error {
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &body) != nil {
		body.Message = string(answer) // plain text or HTML
	}
	e := &Error{
		Op: op.doing, Class: op.unanswered, Status: resp.StatusCode, Code: body.Code,
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	for _, r := range rules {
		if r.fits(resp.StatusCode, body.Code, body.Message) {
			e.Gone, e.Hint = r.gone, r.hint
			if !r.unsure {
				e.Class = r.class
			}
			if r.means != "" {
				e.Code = r.means
			}
			break
		}
	}
	return e
}

// maxRetryAfter is the longest that a server's wish is followed. Nobody who sets up a proxy means days.
const maxRetryAfter = 5 * time.Minute

// retryAfter reads the header of that name: seconds or an HTTP date (RFC 9110, section 10.2.3).
func retryAfter(header string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseInt(header, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(header); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
