// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// batchSize is how many spans are sent in one request.
const batchSize = 5

// batch is what one OTLP request has: LLM calls of one service.
type batch struct {
	traces ptrace.Traces
	spans  []string // their ids
}

// shape is what is special about a row's spans.
type shape struct {
	service string // tells the runs of a row from others
	persona string
	// ahead is how far the application's clock is ahead of the collector's, for the i-th span; nil means not at all.
	ahead   func(i int) time.Duration
	promptN int // bytes of the prompt
}

// newBatch makes batchSize calls, of which the first is the row's i-th.
func newBatch(s shape, i int) batch {
	b := batch{traces: ptrace.NewTraces()}
	resource := b.traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr(semconv.ServiceName, s.service)
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	for n := range batchSize {
		span := spans.AppendEmpty()
		span.SetName("chat gpt-4o")
		span.SetKind(ptrace.SpanKindClient)
		var trace pcommon.TraceID
		var id pcommon.SpanID
		_, _ = rand.Read(trace[:]) // never fails
		_, _ = rand.Read(id[:])
		span.SetTraceID(trace)
		span.SetSpanID(id)
		end := time.Now()
		if s.ahead != nil {
			end = end.Add(s.ahead(i + n))
		}
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(end.Add(-250 * time.Millisecond)))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
		attributes := span.Attributes()
		attributes.PutStr(semconv.GenAIOperationName, semconv.OperationChat)
		attributes.PutStr(semconv.GenAIProviderName, semconv.ProviderOpenAI)
		attributes.PutStr(semconv.GenAIRequestModel, "gpt-4o")
		attributes.PutStr(semconv.PersonaID, s.persona)
		attributes.PutStr(semconv.GenAIInputMessages, `[{"role":"user","parts":[{"type":"text","content":"`+strings.Repeat("a", max(s.promptN, 1))+`"}]}]`)
		attributes.PutInt(semconv.GenAIUsageInputTokens, 9)
		attributes.PutInt(semconv.GenAIUsageOutputTokens, 1)
		b.spans = append(b.spans, id.String())
	}
	return b
}

// refusal is what an OTLP client is told when its spans are not accepted.
type refusal struct {
	retryable bool // the client is told to send them again
	err       error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// httpClient keeps no connections, so that none outlives a collector.
var httpClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// sendHTTP returns nil when the collector has accepted the batch, and a refusal when it says that it has not.
func sendHTTP(ctx context.Context, collector *testbed.Collector, b batch) error {
	body, err := ptraceotlp.NewExportRequestFromTraces(b.traces).MarshalProto()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+collector.HTTP+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := httpClient.Do(req)
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
		return &refusal{retryable: true, err: fmt.Errorf("%s: %s", resp.Status, answer)}
	}
	return &refusal{err: fmt.Errorf("%s: %s", resp.Status, answer)}
}

// sendGRPC is sendHTTP over the other protocol.
func sendGRPC(ctx context.Context, collector *testbed.Collector, b batch) error {
	conn, err := grpc.NewClient(collector.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = ptraceotlp.NewGRPCClient(conn).Export(ctx, ptraceotlp.NewExportRequestFromTraces(b.traces))
	if err == nil {
		return nil
	}
	// ResourceExhausted is retryable only with a delay in its details, so it does not count here.
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.OutOfRange, codes.DataLoss:
		return &refusal{retryable: true, err: err}
	}
	return &refusal{err: err}
}
