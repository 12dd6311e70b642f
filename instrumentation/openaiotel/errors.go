// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"strings"
	"syscall"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Values of error.type for errors that have a name apart from their Go type.
const (
	errorTypeCanceled = "context_canceled"
	errorTypeTimeout  = "timeout"
)

var namedErrors = []struct {
	err  error
	name string
}{
	{context.Canceled, errorTypeCanceled},
	{context.DeadlineExceeded, errorTypeTimeout},
	{io.ErrUnexpectedEOF, "unexpected_eof"},
	{syscall.ECONNREFUSED, "connection_refused"},
	{syscall.ECONNRESET, "connection_reset"},
	{syscall.EPIPE, "connection_reset"},
}

// errorType is the error.type of a failed request or read. The end of the context is told first: what a transport returns
// then is anything from the context's error to that of the connection it closed.
func errorType(ctx context.Context, err error) string {
	if ctxErr := ctx.Err(); ctxErr != nil {
		err = ctxErr
	}
	for _, named := range namedErrors {
		if errors.Is(err, named.err) {
			return named.name
		}
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return errorTypeTimeout
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	for ; err != nil; err = errors.Unwrap(err) {
		// The types of package errors and fmt say nothing about what happened.
		if t := fmt.Sprintf("%T", err); !strings.HasPrefix(t, "*errors.") && !strings.HasPrefix(t, "*fmt.") {
			return t
		}
	}
	return semconv.ErrorTypeOther
}

// apiErrorType is the identifier of an API error object, its code or else its type, and "" when it has neither. A value
// that does not look like an identifier could carry a part of the prompt, so it does not count.
func apiErrorType(apiError gjson.Result) string {
	for _, key := range []string{"code", "type"} {
		if id := name(apiError.Get(key)); isIdentifier(id) {
			return id
		}
	}
	return ""
}

func isIdentifier(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:/", r))
	}) < 0
}

// recovered, deferred, keeps a panic of the instrumentation from the application and reports it.
func recovered(doing string) {
	if r := recover(); r != nil {
		reportPanic(doing, r)
	}
}

func reportPanic(doing string, r any) {
	// An error handler of the application that panics must not break the call either, and there is nobody left to tell.
	defer func() { _ = recover() }()
	if err, ok := r.(runtime.Error); ok {
		otel.Handle(fmt.Errorf("openaiotel: panic while %s: %w", doing, err))
		return
	}
	// A panic with any other value was not made here, and the value may hold content.
	otel.Handle(fmt.Errorf("openaiotel: panic while %s: %T", doing, r))
}
