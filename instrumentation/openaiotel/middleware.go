// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"net/http"

	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Middleware returns a function for option.WithMiddleware of openai-go; it fits v1, v2 and v3. Give it as the last
// middleware, so that the span shows the request as it is sent. The SDK calls it once per attempt.
//
// The function returns exactly what the next one returns; [WithStreamUsage] is the exception. What goes wrong inside is reported
// through otel.Handle.
//
// For clients other than openai-go use [NewTransport]. Where a client has both, the outer one makes the span.
func Middleware(opts ...Option) func(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	return newInstrumentation(opts).roundTrip
}

// NewTransport returns an http.RoundTripper that sends requests with base and makes a span for each OpenAI call. A nil base
// means http.DefaultTransport.
//
// RoundTrip returns exactly what base returns; [WithStreamUsage] is the exception. What goes wrong inside is reported through
// otel.Handle.
//
// For openai-go prefer [Middleware], which needs no http.Client of its own.
func NewTransport(base http.RoundTripper, opts ...Option) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{base: base, instrumentation: newInstrumentation(opts)}
}

type transport struct {
	base            http.RoundTripper
	instrumentation *instrumentation
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.instrumentation.roundTrip(req, t.base.RoundTrip)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the base transport.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// instrumentation is the core that all entry points share.
type instrumentation struct {
	tracer      trace.Tracer
	logger      log.Logger
	metrics     metrics
	propagators propagation.TextMapPropagator // nil for none
	content     contentRules
	provider    string
	baggage     bool
	streamUsage bool
	requests    requestPool
	buffers     bufferPool
}

func newInstrumentation(opts []Option) *instrumentation {
	c := newConfig(opts)
	return &instrumentation{
		tracer: c.tracerProvider.Tracer(ScopeName,
			trace.WithInstrumentationVersion(Version), trace.WithSchemaURL(schemaURL)),
		logger: c.loggerProvider.Logger(ScopeName,
			log.WithInstrumentationVersion(Version), log.WithSchemaURL(schemaURL)),
		metrics: newMetrics(c.meterProvider.Meter(ScopeName,
			metric.WithInstrumentationVersion(Version), metric.WithSchemaURL(schemaURL))),
		propagators: c.propagators,
		content:     c.content,
		provider:    c.provider,
		baggage:     c.baggage,
		streamUsage: c.streamUsage,
	}
}

func (in *instrumentation) roundTrip(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	endpoint := matchEndpoint(req)
	if endpoint == nil || req.Context().Value(observedKey{}) != nil {
		return next(req)
	}
	c, sent, asked := in.start(req, endpoint)
	res, err := next(sent)
	c.answered(res, err)
	if asked {
		hideUsage(res)
	}
	return res, err
}
