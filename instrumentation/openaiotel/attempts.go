// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// attemptEvent is the name of the span event of one HTTP attempt. It is not in the conventions.
const attemptEvent = "openai.attempt"

type operationKey struct{}

// operation is the work of one [Do]. The span of an attempt that failed stays open until it is clear that no other follows.
type operation struct {
	mu   sync.Mutex
	held []*call
	over bool
}

// Do calls f, and makes one span of a call and all the retries that the SDK makes of it. The span has an event
// openai.attempt for each HTTP attempt, with its status or error and the Retry-After that the server asked for. Without Do
// every attempt is a span.
//
//	completion, err := openaiotel.Do(ctx, func(ctx context.Context) (*openai.ChatCompletion, error) {
//		return client.Chat.Completions.New(ctx, params)
//	})
//
// f may make several calls, one after the other: each is a span. The span of a stream ends with the stream, also after Do
// has returned. Do returns what f returns.
func Do[T any](ctx context.Context, f func(ctx context.Context) (T, error)) (T, error) {
	o := new(operation)
	defer o.end()
	return f(context.WithValue(ctx, operationKey{}, o))
}

func operationFrom(ctx context.Context) *operation {
	o, _ := ctx.Value(operationKey{}).(*operation)
	return o
}

// hold keeps an attempt that failed, and reports whether another may follow.
func (o *operation) hold(c *call) bool {
	if o == nil || !c.retriable {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return false
	}
	o.held = append(o.held, c)
	return true
}

// retried returns the failed attempt that a request repeats, and nil when it repeats none.
func (o *operation) retried(in *instrumentation, e *endpoint, model string) *call {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.held, func(c *call) bool {
		return c.instrumentation == in && c.endpoint == e && c.model == model
	})
	if i < 0 {
		return nil
	}
	c := o.held[i]
	o.held = slices.Delete(o.held, i, i+1)
	return c
}

// end finishes the attempts that nothing followed.
func (o *operation) end() {
	o.mu.Lock()
	held := o.held
	o.held, o.over = nil, true
	o.mu.Unlock()
	for _, c := range held {
		c.giveUp()
	}
}

// next is the attempt that follows a failed one, in the same span.
func (c *call) next(ctx context.Context) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &call{
		instrumentation: c.instrumentation,
		endpoint:        c.endpoint,
		ctx:             ctx,
		spanContext:     c.spanContext,
		span:            c.span,
		started:         c.started,
		model:           c.model,
		provider:        c.provider,
		server:          c.server,
		choices:         c.choices,
		stream:          c.stream,
		operation:       c.operation,
		captured:        c.captured,
		reader:          ignoredAnswer{},
		response:        response{content: contentBudget{on: c.response.content.on}},
	}
}

// giveUp finishes a failed attempt that no other followed.
func (c *call) giveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.recovered("ending a call")
	c.finish()
}

// attempted adds the event of an attempt.
func (c *call) attempted(res *http.Response, err error) {
	if c.operation == nil {
		return
	}
	var attrs []attribute.KeyValue
	if res != nil {
		attrs = append(attrs, attribute.Int(semconv.HTTPResponseStatusCode, res.StatusCode))
		if after := res.Header.Values("Retry-After"); len(after) > 0 && len(after[0]) <= maxNameLength {
			attrs = append(attrs, attribute.StringSlice(semconv.HTTPResponseRetryAfter, after[:1]))
		}
	}
	if err != nil {
		attrs = append(attrs, attribute.String(semconv.ErrorType, errorType(c.ctx, err)))
	}
	if c.resent > 0 {
		attrs = append(attrs, attribute.Int(semconv.HTTPRequestResendCount, c.resent))
	}
	c.span.AddEvent(attemptEvent, trace.WithAttributes(attrs...))
	c.retriable = err != nil && c.ctx.Err() == nil || res != nil && res.StatusCode >= http.StatusBadRequest
}
