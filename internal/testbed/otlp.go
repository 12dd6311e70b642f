// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// Stamp gives a span ids that no other has, and its times.
func Stamp(span ptrace.Span, start, end time.Time) {
	var trace pcommon.TraceID
	var id pcommon.SpanID
	_, _ = rand.Read(trace[:]) // never fails
	_, _ = rand.Read(id[:])
	span.SetTraceID(trace)
	span.SetSpanID(id)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
}

// Refusal is what an OTLP client is told when its spans are not accepted.
type Refusal struct {
	Retryable bool // the client is told to send them again
	err       error
}

// Error is the collector's answer.
func (r *Refusal) Error() string { return r.err.Error() }

// Unwrap returns the gRPC status error, where there is one.
func (r *Refusal) Unwrap() error { return r.err }

// otlpClient keeps no connections, so that none outlives a collector.
var otlpClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// SendHTTP sends spans by OTLP/HTTP. It returns nil when the collector has accepted them, and a *Refusal when it says that it
// has not; after any other error nobody knows.
func (c *Collector) SendHTTP(ctx context.Context, traces ptrace.Traces) error {
	body, err := ptraceotlp.NewExportRequestFromTraces(traces).MarshalProto()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.HTTP+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := otlpClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &Refusal{Retryable: true, err: fmt.Errorf("%s: %s", resp.Status, answer)}
	}
	return &Refusal{err: fmt.Errorf("%s: %s", resp.Status, answer)}
}

// SendGRPC is SendHTTP by OTLP/gRPC.
func (c *Collector) SendGRPC(ctx context.Context, traces ptrace.Traces) error {
	conn, err := grpc.NewClient(c.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = ptraceotlp.NewGRPCClient(conn).Export(ctx, ptraceotlp.NewExportRequestFromTraces(traces))
	if err == nil {
		return nil
	}
	// ResourceExhausted is retryable only with a delay in its details, so it does not count here.
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.OutOfRange, codes.DataLoss:
		return &Refusal{Retryable: true, err: err}
	}
	return &Refusal{err: err}
}
