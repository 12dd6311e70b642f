// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// backend is an OTLP back end for traces that remembers the spans it got.
type backend struct {
	mu    sync.Mutex
	spans []string // span ids
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, err := readRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, resource := range request.Traces().ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				b.spans = append(b.spans, span.SpanID().String())
			}
		}
	}
}

// readRequest reads a request as the collector's exporter sends it, in gzip.
func readRequest(r *http.Request) (ptraceotlp.ExportRequest, error) {
	request := ptraceotlp.NewExportRequest()
	unzipped, err := gzip.NewReader(r.Body)
	if err != nil {
		return request, err
	}
	body, err := io.ReadAll(unzipped)
	if err != nil {
		return request, err
	}
	return request, request.UnmarshalProto(body)
}

func (b *backend) sorted() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(slices.Values(b.spans))
}

func TestTeeSendsAllTracesToTheBackendAndCallsToMLflow(t *testing.T) {
	mlflow := testbed.SharedMLflow(t)
	var all backend
	server := httptest.NewServer(&all)
	t.Cleanup(server.Close)
	collector := startCollector(t, "otelcol-mlflow.yaml tee.yaml", mlflow, "OTLP_BACKEND="+server.URL)

	persona := newPersona()
	call := newCall(persona, "What is 2+2?")
	other, _ := newTrace("GET /orders")
	require.NoError(t, collector.SendHTTP(t.Context(), call))
	require.NoError(t, collector.SendHTTP(t.Context(), other))

	sent := []string{spanID(call), spanID(other)}
	slices.Sort(sent)
	waitFor(t, "both spans are at the back end", func() bool { return len(all.sorted()) >= len(sent) })
	require.Equal(t, sent, all.sorted())
	requireEachOnce(t, collector, mlflow, persona, []string{spanID(call)})
}
