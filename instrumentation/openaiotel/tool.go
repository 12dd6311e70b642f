// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"context"
	"encoding/json"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// ToolCall is a tool call of a model, as an answer has it.
type ToolCall struct {
	ID          string // of the call
	Name        string // of the tool
	Description string // of the tool; may be ""
	Arguments   string // JSON; recorded only as [WithContent] says
}

// Tool calls f, which does what a model asked for, and makes the span execute_tool of it. With content on spans, the span has
// the arguments, and the result: a string as it is, anything else as JSON. Tool returns what f returns.
//
//	result, err := openaiotel.Tool(ctx, openaiotel.ToolCall{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments},
//		func(ctx context.Context) (string, error) { return weather(ctx, call.Function.Arguments) })
func Tool[T any](ctx context.Context, call ToolCall, f func(ctx context.Context) (T, error), opts ...Option) (T, error) {
	t, ctx := startTool(ctx, call, opts)
	// A panic of f is the application's: the span ends, and does not look at it.
	defer func() { t.end() }()
	result, err := f(ctx)
	t.ended(ctx, result, err)
	return result, err
}

// tool is the span of one execution of a tool.
type tool struct {
	span    trace.Span
	content contentRules
}

func startTool(ctx context.Context, call ToolCall, opts []Option) (t *tool, toolCtx context.Context) {
	toolCtx = ctx //nolint:wastedassign // it is what a panic leaves
	defer recovered("starting a tool")

	c := newConfig(opts)
	said := labelsFrom(ctx)
	if c.baggage {
		said.addBaggage(ctx)
	}
	attrs := append(make([]attribute.KeyValue, 0, 12), said.attributes...)
	attrs = append(attrs, attribute.String(semconv.GenAIOperationName, semconv.OperationExecuteTool),
		attribute.String(semconv.GenAIToolType, "function"))
	attrs = appendName(attrs, semconv.GenAIToolName, call.Name)
	attrs = appendName(attrs, semconv.GenAIToolCallID, call.ID)
	attrs = appendName(attrs, semconv.GenAIToolDescription, call.Description)
	attrs = said.appendTo(attrs)
	name := semconv.OperationExecuteTool
	if call.Name != "" && len(call.Name) <= maxNameLength {
		name += " " + call.Name
	}
	tracer := c.tracerProvider.Tracer(ScopeName, trace.WithInstrumentationVersion(Version), trace.WithSchemaURL(schemaURL))
	spanCtx, span := tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(attrs...))
	t, toolCtx = &tool{span: span, content: c.content}, spanCtx
	t.write(semconv.GenAIToolCallArguments, call.Arguments)
	return t, toolCtx
}

// ended takes what the tool gave back.
func (t *tool) ended(ctx context.Context, result any, err error) {
	if t == nil {
		return
	}
	defer recovered("ending a tool")
	if err != nil {
		kind := errorType(ctx, err)
		t.span.SetStatus(codes.Error, kind)
		t.span.SetAttributes(attribute.String(semconv.ErrorType, kind))
		return
	}
	if !t.content.mode.spans() || !t.span.IsRecording() {
		return
	}
	text, isText := result.(string)
	if !isText {
		encoded, err := json.Marshal(result)
		if err != nil {
			return // a result that JSON cannot say is the application's affair
		}
		text = string(encoded)
	}
	t.write(semconv.GenAIToolCallResult, text)
}

func (t *tool) write(key attribute.Key, text string) {
	if text == "" || !t.content.mode.spans() || !t.span.IsRecording() {
		return
	}
	if t.content.redact != nil {
		text = t.content.redact(text)
	}
	if limit := t.content.maxMessage; limit > 0 {
		text = cutText(text, limit)
	}
	t.span.SetAttributes(key.String(validText(text)))
}

func (t *tool) end() {
	if t == nil {
		return
	}
	defer recovered("ending a tool")
	t.span.End()
}
