// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// captured is what the event of a call says that is known before its answer.
type captured struct {
	attributes []attribute.KeyValue
}

// input is what a model was asked, in the form of the conventions.
type input struct {
	messages     []message
	instructions []part
	tools        []toolDefinition
	variables    map[string]string // of a prompt template
}

// capture records the content of a request: on the span now, in the event when the call is over. attrs are those that the
// span started with.
func (c *call) capture(asked input, attrs []attribute.KeyValue) {
	rules := &c.instrumentation.content
	if rules.mode.events() {
		c.captured = &captured{attributes: slices.Clone(attrs)}
	}
	writeContent(c, semconv.GenAIInputMessages, rules.messages(asked.messages))
	writeContent(c, semconv.GenAISystemInstructions, rules.instructions(asked.instructions))
	writeContent(c, semconv.GenAIToolDefinitions, rules.tools(asked.tools))
	c.captureVariables(asked.variables)
}

// captureVariables records what was filled into a prompt template.
func (c *call) captureVariables(variables map[string]string) {
	rules := &c.instrumentation.content
	names := slices.Sorted(maps.Keys(variables))
	for _, name := range names[:min(len(names), maxPromptVariables)] {
		value := variables[name]
		if rules.redact != nil {
			value = rules.redact(value)
		}
		if rules.maxMessage > 0 {
			value = cutText(value, rules.maxMessage)
		}
		variable := attribute.String(semconv.GenAIPromptVariablePrefix+validText(name), validText(value))
		if rules.mode.spans() {
			c.span.SetAttributes(variable)
		}
		if c.captured != nil {
			c.captured.attributes = append(c.captured.attributes, variable)
		}
	}
}

// captureAnswer records the content of an answer, and sends the event.
func (c *call) captureAnswer() {
	in := c.instrumentation
	if in.content.mode == ContentNone {
		return
	}
	writeContent(c, semconv.GenAIOutputMessages, in.content.messages(c.response.outputMessages()))
	if c.captured == nil {
		return
	}
	var record log.Record
	record.SetEventName(semconv.EventInferenceDetails)
	record.SetTimestamp(time.Now())
	record.AddAttributes(c.captured.attributes...)
	record.AddAttributes(c.response.appendTo(nil)...)
	if c.failure != "" {
		record.AddAttributes(attribute.String(semconv.ErrorType, c.failure))
	}
	in.logger.Emit(trace.ContextWithSpan(c.spanContext, c.span), record)
}

// writeContent records a list: as JSON on the span, because not every backend takes anything else there, and as it is in
// the event, as the conventions ask. An empty list is not recorded.
func writeContent[T any](c *call, key attribute.Key, list []T) {
	if len(list) == 0 {
		return
	}
	encoded, err := encode(list)
	if err != nil {
		otel.Handle(fmt.Errorf("openaiotel: encoding %s: %w", key, err))
		return
	}
	if c.instrumentation.content.mode.spans() {
		c.span.SetAttributes(key.String(encoded))
	}
	if c.captured != nil {
		c.captured.attributes = append(c.captured.attributes, attribute.KeyValue{Key: key, Value: jsonValue(gjson.Parse(encoded))})
	}
}

// jsonValue is a JSON value as a value of OpenTelemetry.
func jsonValue(v gjson.Result) attribute.Value {
	switch {
	case v.IsObject():
		var members []attribute.KeyValue
		v.ForEach(func(key, value gjson.Result) bool {
			members = append(members, attribute.KeyValue{Key: attribute.Key(text(key)), Value: jsonValue(value)})
			return true
		})
		return attribute.MapValue(members...)
	case v.IsArray():
		var items []attribute.Value
		v.ForEach(func(_, value gjson.Result) bool {
			items = append(items, jsonValue(value))
			return true
		})
		return attribute.SliceValue(items...)
	case v.Type == gjson.String:
		return attribute.StringValue(text(v))
	case v.Type == gjson.Number:
		if n := readCount(v); n.known {
			return attribute.Int64Value(n.n)
		}
		return attribute.Float64Value(v.Num)
	case v.IsBool():
		return attribute.BoolValue(v.Bool())
	default:
		return attribute.Value{}
	}
}
