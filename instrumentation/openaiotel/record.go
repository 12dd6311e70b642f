// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Call is a call of a model that was made without this instrumentation: with the SDK of another vendor, by a worker behind a
// queue, in a test.
type Call struct {
	// Persona is the persona that made the call; "" means that of the context.
	Persona string
	// Provider is gen_ai.provider.name, for example "anthropic"; "" means that of [WithProvider], or else openai.
	Provider string
	// Operation is gen_ai.operation.name; "" means chat.
	Operation string
	// Model is the model that was asked for.
	Model string
	// ResponseModel is the model that answered, ResponseID what the provider calls the answer; "" where not known.
	ResponseModel, ResponseID string
	// FinishReason says why the answer ended, in OpenAI's words ("stop", "length", "tool_calls"); "" where not known.
	FinishReason string

	// Prompt and Response are content: they are recorded only as [WithContent] says. "" means none.
	Prompt, Response string

	// InputTokens and OutputTokens are those that the provider reported; nil where it reported none.
	InputTokens, OutputTokens *int
	// CachedTokens is a part of InputTokens, ReasoningTokens of OutputTokens.
	CachedTokens, ReasoningTokens *int

	// Start is when the request was sent. The zero value means Latency ago.
	Start time.Time
	// Latency is how long it took until the answer was complete.
	Latency time.Duration
	// Err is why there is no answer; nil for success. Its type is recorded, not its text.
	Err error
}

// RecordCall makes the span and the metrics of a call that is over. They are those that [Middleware] would have made.
//
// Making the instruments takes longer than using them: for more than some hundred calls a second keep a client and its
// Middleware.
func RecordCall(ctx context.Context, made Call, opts ...Option) {
	defer recovered("recording a call")
	newInstrumentation(opts).recordCall(ctx, &made)
}

func (in *instrumentation) recordCall(ctx context.Context, made *Call) {
	if made.Start.IsZero() {
		made.Start = time.Now().Add(-made.Latency)
	}
	said := labelsFrom(ctx)
	if in.baggage {
		said.addBaggage(ctx)
	}
	said.persona = cmp.Or(made.Persona, said.persona)
	c := in.newRecord(ctx, &endpoint{operation: cmp.Or(made.Operation, semconv.OperationChat)}, made.Start, made.Start.Add(made.Latency))
	c.model = made.Model
	c.provider = cmp.Or(made.Provider, in.provider, semconv.ProviderOpenAI)
	c.response.model, c.response.id = made.ResponseModel, made.ResponseID
	c.response.usage = usage{
		input: countOf(made.InputTokens), output: countOf(made.OutputTokens),
		cacheRead: countOf(made.CachedTokens), reasoning: countOf(made.ReasoningTokens),
	}
	if made.Response != "" || made.FinishReason != "" {
		answer := c.response.choice(0)
		answer.finishReason = made.FinishReason
		answer.message.parts = []part{textPart("text", made.Response)}
	}
	if made.Err != nil {
		c.failure = errorType(context.WithoutCancel(ctx), made.Err)
		c.description = c.failure
	}
	asked := input{variables: said.prompt.variables}
	if made.Prompt != "" {
		asked.messages = []message{{Role: "user", Parts: []part{textPart("text", made.Prompt)}}}
	}
	c.write(ctx, &said, nil, asked)
}

func countOf(n *int) count {
	if n == nil || *n < 0 {
		return count{}
	}
	return count{n: int64(*n), known: true}
}

// newRecord is a call that was made already, from start to over.
func (in *instrumentation) newRecord(ctx context.Context, e *endpoint, start, over time.Time) *call {
	return &call{
		instrumentation: in, endpoint: e, ctx: ctx, started: start, over: over, server: new(url.URL), reader: ignoredAnswer{}, ended: true,
		response: response{content: contentBudget{on: in.content.mode != ContentNone}},
	}
}

// write makes the span of a call that was made already.
func (c *call) write(ctx context.Context, said *labels, attrs []attribute.KeyValue, asked input) {
	attrs = append(attrs, said.attributes...)
	attrs = c.appendIdentity(attrs)
	attrs = appendName(attrs, semconv.OpenAIAPIType, c.endpoint.apiType)
	attrs = said.appendTo(attrs)
	c.spanContext, c.span = c.instrumentation.tracer.Start(ctx, c.spanName(),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...), trace.WithTimestamp(c.started))
	defer c.finish()
	if c.instrumentation.content.mode != ContentNone {
		c.capture(asked, attrs)
	}
}
