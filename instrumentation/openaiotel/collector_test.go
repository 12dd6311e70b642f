// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// With the SDK's own pipeline, a collector that is dead or does not answer changes nothing for the caller.
func TestCollectorThatIsStuckOrDead(t *testing.T) {
	for _, name := range []string{"stuck", "dead"} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
			t.Cleanup(collector.Close)
			if name == "dead" {
				collector.Close()
			}
			exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(collector.URL),
				otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
			require.NoError(t, err)
			// A queue of one batch, so that it is full long before the last call.
			provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(8), sdktrace.WithMaxExportBatchSize(8)))
			t.Cleanup(func() {
				close(release)
				_ = provider.Shutdown(context.WithoutCancel(t.Context()))
			})
			server := serve(t, jsonAnswer(plainAnswer))
			want := callOpenAIGo(t, server, nil, plainParams(), false)
			r := newRecorder(t)
			r.TracerProvider = provider
			r.ended = make(chan struct{}, 200)
			for range 100 {
				require.Equal(t, want, callOpenAIGo(t, server, r, plainParams(), false, openaiotel.WithContent(openaiotel.ContentSpan)))
			}
			require.EqualValues(t, 100, r.ends.Load())
		})
	}
}
