// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// call is one observed attempt, from before the request is sent until its span ends. The application reads and closes the
// answer in its own goroutines, and the context may end in any other.
type call struct {
	instrumentation *instrumentation
	endpoint        *endpoint
	ctx             context.Context // the request's
	spanContext     context.Context
	span            trace.Span
	started         time.Time
	model           string
	provider        string
	server          *url.URL
	choices         count // asked for
	stream          bool  // asked for
	resent          int
	sent            *requestBody // one that is read while it is sent
	operation       *operation   // nil outside of Do
	captured        *captured    // for the event; nil without one

	mu          sync.Mutex
	ended       bool
	retriable   bool
	stopWaiting func() bool // for the end of ctx
	body        answerBody
	reader      answerReader
	response    response
	chunks      chunkMetrics
	failure     string
	description string
	over        time.Time // when the call was, for one that is recorded afterwards
	queued      bool      // nobody waited for it
}

// start begins a call and returns the request to send in place of req. The call is nil when nobody records it. asked says
// that the request asks for a usage that the application did not ask for.
func (in *instrumentation) start(req *http.Request, e *endpoint) (c *call, sent *http.Request, asked bool) {
	body := newRequestBody(req, &in.buffers)
	r := in.requests.get()
	defer in.requests.put(r)
	c, ctx := in.startSpan(req, body, e, r)
	sent = req.WithContext(ctx)
	if body != nil {
		sent.Body = body
	}
	return c, sent, in.change(sent, body, e, r)
}

func (in *instrumentation) startSpan(req *http.Request, body *requestBody, e *endpoint, r *request) (c *call, ctx context.Context) {
	ctx = req.Context()
	defer recovered("reading a request")

	started := time.Now()
	if body != nil {
		document := body.readAhead(req.ContentLength, e.content)
		if document == nil && body.scan != nil {
			// Where it goes on is not known, but what came before is.
			r.readStart(e, body.scan)
		} else if in.content.mode == ContentNone && !in.streamUsage {
			small := shrinker{out: in.buffers.get(), content: e.content}
			defer in.buffers.put(small.out)
			small.write(document)
			in.readRequest(r, e, parseObject(small.document()))
		} else {
			in.readRequest(r, e, parseObject(document))
		}
	}
	if r.model == "" && !e.noModel {
		r.model = azureDeployment(req.URL.Path)
	}
	operation := operationFrom(ctx)
	if failed := operation.retried(in, e, r.model); failed != nil {
		c = failed.next(ctx)
		c.resent = resendCount(req.Header)
		if body != nil && body.scan != nil {
			c.sent = body
		}
		return c, context.WithValue(trace.ContextWithSpan(ctx, c.span), observedKey{}, true)
	}

	said := labelsFrom(ctx)
	if in.baggage {
		said.addBaggage(ctx)
	}
	said.conversation = cmp.Or(said.conversation, r.conversation)
	if said.prompt.name == "" {
		said.prompt = r.prompt
	}
	c = &call{
		instrumentation: in,
		endpoint:        e,
		ctx:             ctx,
		started:         started,
		model:           r.model,
		provider:        cmp.Or(in.provider, providerOf(req.URL)),
		server:          req.URL,
		choices:         r.choices,
		stream:          r.stream,
		operation:       operation,
		reader:          ignoredAnswer{},
	}
	if body != nil && body.scan != nil {
		c.sent = body
	}
	attrs := append(r.attributes, said.attributes...)
	attrs = c.appendIdentity(attrs)
	attrs = appendName(attrs, semconv.OpenAIAPIType, e.apiType)
	attrs = said.appendTo(attrs)
	if operation == nil {
		if c.resent = resendCount(req.Header); c.resent > 0 {
			attrs = append(attrs, attribute.Int(semconv.HTTPRequestResendCount, c.resent))
		}
	}
	c.spanContext, c.span = in.tracer.Start(ctx, c.spanName(), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	c.spanContext = context.WithValue(c.spanContext, observedKey{}, true)
	if !c.span.IsRecording() && !in.metrics.enabled(ctx) {
		c.span.End()
		return nil, c.spanContext
	}
	ctx = c.spanContext
	if in.content.mode != ContentNone {
		c.response.content.on = true
		c.capture(r.input(e, said.prompt.variables), attrs)
	}
	return c, ctx
}

// observedKey marks the context of a request that has a span, so that an instrumentation below makes no other.
type observedKey struct{}

func (c *call) spanName() string {
	if c.model == "" {
		return c.endpoint.operation
	}
	return c.endpoint.operation + " " + c.model
}

// appendIdentity appends what the span and the metrics of a call have in common from the start.
func (c *call) appendIdentity(attrs []attribute.KeyValue) []attribute.KeyValue {
	attrs = append(attrs,
		attribute.String(semconv.GenAIOperationName, c.endpoint.operation),
		attribute.String(semconv.GenAIProviderName, c.provider))
	attrs = appendName(attrs, semconv.GenAIRequestModel, c.model)
	return appendServer(attrs, c.server)
}

// identity are the attributes of the metrics of a call. The model that answered is known from the first chunk on.
func (c *call) identity() []attribute.KeyValue {
	attrs := c.appendIdentity(make([]attribute.KeyValue, 0, 7))
	return appendName(attrs, semconv.GenAIResponseModel, c.response.model)
}

// readRequest reads the body of a request, which does not exist when it is no JSON object.
func (in *instrumentation) readRequest(r *request, e *endpoint, body gjson.Result) {
	if e.readRequest != nil {
		e.readRequest(body, r)
		return
	}
	r.read(e, body)
}

// readStart reads the beginning of a body: the members that are whole.
func (r *request) readStart(e *endpoint, scan *shrinker) {
	start := scan.document()
	if end := bytes.LastIndexByte(start, ','); end > 0 {
		r.read(e, parseObject(append(bytes.Clone(start[:end]), '}')))
	}
}

// readRest reads a request that was too large to be read before it was sent.
func (c *call) readRest() {
	if c.sent == nil {
		return
	}
	out := c.sent.shrunk()
	if out == nil {
		return
	}
	defer c.instrumentation.buffers.put(out)
	body := parseObject(out.Bytes())
	if !body.Exists() {
		return
	}
	var r request
	r.read(c.endpoint, body)
	if r.model != "" {
		c.model = r.model
		c.span.SetName(c.spanName())
	}
	c.span.SetAttributes(appendName(r.attributes, semconv.GenAIRequestModel, r.model)...)
}

// change writes into the request what options ask for. The request is a copy that shares its header with the caller's. It
// reports whether it now asks for its usage.
func (in *instrumentation) change(sent *http.Request, body *requestBody, e *endpoint, r *request) (asked bool) {
	defer recovered("changing a request")
	if in.propagators != nil {
		sent.Header = sent.Header.Clone()
		if sent.Header == nil {
			sent.Header = make(http.Header)
		}
		in.propagators.Inject(sent.Context(), propagation.HeaderCarrier(sent.Header))
	}
	if !in.streamUsage || body == nil || !body.whole(sent.ContentLength) || !r.lacksUsage(e) {
		return false
	}
	changed := r.withUsage(body.ahead.Bytes())
	body.replace(changed)
	if sent.ContentLength > 0 {
		sent.ContentLength = int64(len(changed))
	}
	sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(changed)), nil }
	return true
}

// answered takes what the transport returned. The body of the answer is observed while the application reads it.
func (c *call) answered(res *http.Response, err error) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.recovered("reading the head of an answer")

	c.attempted(res, err)
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
		c.body = answerBody{ReadCloser: res.Body, call: c}
		res.Body = &c.body
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

// end ends the attempt, once, and with it the span, unless another attempt may follow in the same span. atEnd says that the
// answer has no more bytes. Without it the answer was cut off, by an error if failure names one, unless the reader knows
// better: all may have been read but the end of the body.
func (c *call) end(atEnd bool, failure string) {
	if c.ended {
		return
	}
	c.ended = true
	if c.stopWaiting != nil {
		c.stopWaiting()
	}
	finish := true
	defer func() {
		if finish {
			c.finish()
		}
	}()

	if c.reader.close(atEnd) {
		failure = ""
	}
	if c.endpoint.noUsage {
		c.response.usage = usage{}
	}
	c.failure, c.description = failure, failure
	if c.response.errorType != "" {
		c.failure = c.response.errorType
		c.description = cmp.Or(c.response.errorText, c.failure)
	}
	finish = !c.operation.hold(c)
}

// finish writes what is known of the call and ends its span.
func (c *call) finish() {
	// Not deferred by itself: End would take a panic for the application's and record it.
	defer func() { c.span.End(trace.WithTimestamp(c.over)) }()
	if c.over.IsZero() {
		c.over = time.Now()
	}

	if c.span.IsRecording() {
		c.readRest()
		attrs := c.response.appendTo(make([]attribute.KeyValue, 0, 14))
		if c.failure != "" {
			attrs = append(attrs, attribute.String(semconv.ErrorType, c.failure))
			c.span.SetStatus(codes.Error, c.description)
		}
		c.span.SetAttributes(attrs...)
	}
	if in := c.instrumentation; !c.endpoint.noModel && in.metrics.enabled(c.ctx) {
		known := c.identity()
		if c.failure != "" {
			known = append(known, attribute.String(semconv.ErrorType, c.failure))
		}
		if !c.queued {
			in.metrics.recordDuration(c.spanContext, c.over.Sub(c.started), known)
		}
		in.metrics.recordTokens(c.spanContext, &c.response.usage, known)
	}
	c.captureAnswer()
}

// cutOff says that the answer ended before it was complete.
func (c *call) cutOff() {
	if !c.endpoint.noChoices {
		c.response.cutOff(c.choices)
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
