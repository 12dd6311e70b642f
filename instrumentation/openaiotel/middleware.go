// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"net/http"

	"go.opentelemetry.io/otel/trace"
)

// Middleware returns a function for option.WithMiddleware of openai-go; it fits v1, v2 and v3. Give it as the last
// middleware, so that the span shows the request as it is sent. The SDK calls it once per attempt.
//
// The function returns exactly what the next one returns. What goes wrong inside is reported through otel.Handle.
//
// For clients other than openai-go use [NewTransport]. Do not use both for one client: each would make a span.
func Middleware(opts ...Option) func(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	return newInstrumentation(opts).roundTrip
}

// NewTransport returns an http.RoundTripper that sends requests with base and makes a span for each OpenAI call. A nil base
// means http.DefaultTransport.
//
// RoundTrip returns exactly what base returns. What goes wrong inside is reported through otel.Handle.
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

// instrumentation is the core that both entry points share.
type instrumentation struct {
	tracer   trace.Tracer
	content  ContentMode
	provider string
	buffers  bufferPool
}

func newInstrumentation(opts []Option) *instrumentation {
	c := newConfig(opts)
	return &instrumentation{
		tracer: c.tracerProvider.Tracer(ScopeName,
			trace.WithInstrumentationVersion(Version), trace.WithSchemaURL(schemaURL)),
		content:  c.content,
		provider: c.provider,
	}
}

func (in *instrumentation) roundTrip(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	endpoint := matchEndpoint(req)
	if endpoint == nil {
		return next(req)
	}
	c, sent := in.start(req, endpoint)
	res, err := next(sent)
	c.answered(res, err)
	return res, err
}
