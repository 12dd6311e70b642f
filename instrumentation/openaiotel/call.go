// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// call is one observed attempt, from before the request is sent until its span ends. The application reads and closes the
// answer in its own goroutines, and the context may end in any other.
type call struct {
	instrumentation *instrumentation
	endpoint        *endpoint
	ctx             context.Context // the request's
	span            trace.Span
	started         time.Time
	choices         count // asked for
	stream          bool  // asked for

	mu          sync.Mutex
	ended       bool
	stopWaiting func() bool // for the end of ctx
	reader      answerReader
	response    response
}

// start begins a call and returns the request to send in place of req. The call is nil when nobody records it.
func (in *instrumentation) start(req *http.Request, e *endpoint) (*call, *http.Request) {
	body := newRequestBody(req, &in.buffers)
	c, ctx := in.startSpan(req, body, e)
	sent := req.WithContext(ctx)
	if body != nil {
		sent.Body = body
	}
	return c, sent
}

func (in *instrumentation) startSpan(req *http.Request, body *requestBody, e *endpoint) (c *call, ctx context.Context) {
	ctx = req.Context()
	defer recovered("reading a request")

	started := time.Now()
	var r request
	if body != nil {
		r = e.readRequest(parseObject(body.readAhead(req.ContentLength)))
	}
	provider := in.provider
	if provider == "" {
		provider = providerOf(req.URL.Hostname())
	}
	if r.model == "" {
		r.model = azureDeployment(req.URL.Path)
	}
	spanName := e.operation
	if r.model != "" {
		spanName += " " + r.model
	}

	attrs := r.attributes
	attrs = append(attrs,
		attribute.String(semconv.GenAIOperationName, e.operation),
		attribute.String(semconv.GenAIProviderName, provider),
		attribute.String(semconv.OpenAIAPIType, e.apiType))
	attrs = appendName(attrs, semconv.GenAIRequestModel, r.model)
	attrs = appendServer(attrs, req.URL)
	attrs = labelsFrom(ctx).appendTo(attrs)
	if n := resendCount(req.Header); n > 0 {
		attrs = append(attrs, attribute.Int(semconv.HTTPRequestResendCount, n))
	}

	spanCtx, span := in.tracer.Start(ctx, spanName, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	if !span.IsRecording() {
		span.End()
		return nil, spanCtx
	}
	c = &call{
		instrumentation: in,
		endpoint:        e,
		ctx:             ctx,
		span:            span,
		started:         started,
		choices:         r.choices,
		stream:          r.stream,
		reader:          ignoredAnswer{},
	}
	ctx = spanCtx
	if in.content == ContentSpan {
		c.response.content.on = true
		setContent(span, semconv.GenAIInputMessages, inputMessages(r.messages))
		setContent(span, semconv.GenAIToolDefinitions, toolDefinitions(r.tools))
	}
	return c, ctx
}

// setContent writes a list as JSON, and nothing for an empty one.
func setContent[T any](span trace.Span, key attribute.Key, list []T) {
	if len(list) == 0 {
		return
	}
	encoded, err := encode(list)
	if err != nil {
		otel.Handle(fmt.Errorf("openaiotel: encoding %s: %w", key, err))
		return
	}
	span.SetAttributes(key.String(encoded))
}

// answered takes what the transport returned. The body of the answer is observed while the application reads it.
func (c *call) answered(res *http.Response, err error) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.recovered("reading the head of an answer")

	switch {
	case err != nil:
		c.end(false, errorType(c.ctx, err))
	case res == nil:
		c.end(false, "")
	default:
		c.reader = c.newAnswerReader(res)
		if res.Body == nil || res.Body == http.NoBody || res.StatusCode == http.StatusSwitchingProtocols {
			c.end(true, "")
			return
		}
		res.Body = &answerBody{ReadCloser: res.Body, call: c}
		if c.ctx.Done() != nil {
			c.stopWaiting = context.AfterFunc(c.ctx, c.contextEnded)
		}
	}
}

// read takes what one Read of the body returned.
func (c *call) read(p []byte, n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.recovered("reading an answer")

	if c.ended {
		return
	}
	if n > 0 && c.reader.write(p[:n]) {
		c.end(true, "")
		return
	}
	switch {
	case err == nil:
	case err == io.EOF: //nolint:errorlint // only io.EOF itself is the end of a body; wrapped, it is a failure
		c.end(true, "")
	default:
		c.end(false, errorType(c.ctx, err))
	}
}

// closed is told before the body is closed.
func (c *call) closed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.recovered("closing an answer")

	if err := c.ctx.Err(); err != nil {
		c.end(false, errorType(c.ctx, err))
		return
	}
	c.end(false, "")
}

// contextEnded ends the span of an answer that nobody reads or closes any more.
func (c *call) contextEnded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.recovered("ending a call")

	c.end(false, errorType(c.ctx, c.ctx.Err()))
}

// end ends the span, once. atEnd says that the answer has no more bytes. Without it the answer was cut off, by an error if
// failure names one, unless the reader knows better: all may have been read but the end of the body.
func (c *call) end(atEnd bool, failure string) {
	if c.ended {
		return
	}
	c.ended = true
	if c.stopWaiting != nil {
		c.stopWaiting()
	}
	// Not deferred by itself: End would take a panic for the application's and record it.
	defer func() { c.span.End() }()

	if c.reader.close(atEnd) {
		failure = ""
	}
	description := failure
	if c.response.errorType != "" {
		failure = c.response.errorType
		description = cmp.Or(c.response.errorText, failure)
	}
	c.span.SetAttributes(c.response.attributes()...)
	setContent(c.span, semconv.GenAIOutputMessages, c.response.outputMessages())
	if failure != "" {
		c.span.SetAttributes(attribute.String(semconv.ErrorType, failure))
		c.span.SetStatus(codes.Error, description)
	}
}

// recovered, deferred, keeps a panic from the application, reports it and gives up the call.
func (c *call) recovered(doing string) {
	r := recover()
	if r == nil {
		return
	}
	reportPanic(doing, r)
	if !c.ended {
		defer recovered("giving up a call")
		c.reader = ignoredAnswer{}
		c.end(true, "")
	}
}

// answerBody is the body of an answer, which the application reads unchanged.
type answerBody struct {
	io.ReadCloser
	call *call
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.call.read(p, n, err)
	return n, err
}

func (b *answerBody) Close() error {
	b.call.closed()
	return b.ReadCloser.Close()
}
