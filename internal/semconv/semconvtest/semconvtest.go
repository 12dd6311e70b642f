// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package semconvtest holds spans and metrics to the GenAI semantic conventions 1.41: names, types and values of attributes to the
// registry, content to the JSON schemas. It is test equipment.
package semconvtest

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

//go:generate go run ./internal/gen

// attr is an attribute of the registry.
type attr struct {
	kind string   // as the registry calls it: string, int, double, boolean, string[], enum, any
	enum []string // the values of an enum
}

// added are the attributes that the project documents beside those of the released registry.
var added = map[string]attr{
	// Of the conventions after 1.41.
	semconv.GenAIPromptVersion:           {kind: "string"},
	semconv.GenAIRequestPreviousResponse: {kind: "string"},
	semconv.GenAIRequestReasoningLevel:   {kind: "string"},
	semconv.GenAIUsageAudioInputTokens:   {kind: "int"},
	semconv.GenAIUsageAudioOutputTokens:  {kind: "int"},
	// Our own.
	semconv.PersonaID:                       {kind: "string"},
	semconv.OpenAIBatchID:                   {kind: "string"},
	semconv.OpenAIBatchCustomID:             {kind: "string"},
	semconv.OpenAIBatchEndpoint:             {kind: "string"},
	semconv.OpenAIBatchStatus:               {kind: "string"},
	semconv.OpenAIBatchInputFileID:          {kind: "string"},
	semconv.OpenAIBatchOutputFileID:         {kind: "string"},
	semconv.OpenAIBatchErrorFileID:          {kind: "string"},
	semconv.OpenAIBatchRequestsTotal:        {kind: "int"},
	semconv.OpenAIBatchRequestsCompleted:    {kind: "int"},
	semconv.OpenAIBatchRequestsFailed:       {kind: "int"},
	semconv.OpenAIBatchUsageInputTokens:     {kind: "int"},
	semconv.OpenAIBatchUsageOutputTokens:    {kind: "int"},
	semconv.OpenAIBatchUsageCacheReadTokens: {kind: "int"},
	semconv.OpenAIBatchUsageReasoningTokens: {kind: "int"},
	semconv.HTTPResponseRetryAfter:          {kind: "string[]"}, // http.response.header.<key> of the registry
}

// operation is what the conventions ask of the spans of an operation.
type operation struct {
	kind     trace.SpanKind
	named    string   // the attribute that follows the operation in the name of the span
	required []string // beside the operation
}

var modelCall = operation{trace.SpanKindClient, semconv.GenAIRequestModel, []string{semconv.GenAIProviderName}}

// operations are those that the project writes spans of.
var operations = map[string]operation{
	semconv.OperationChat:           modelCall,
	semconv.OperationTextCompletion: modelCall,
	semconv.OperationEmbeddings:     modelCall,
	semconv.OperationFetchResponse:  {trace.SpanKindClient, "", []string{semconv.GenAIProviderName}}, // after 1.41
	semconv.OperationCreateBatch:    {trace.SpanKindClient, "", []string{semconv.GenAIProviderName}}, // ours
	semconv.OperationRetrieveBatch:  {trace.SpanKindClient, "", []string{semconv.GenAIProviderName}}, // ours
	semconv.OperationExecuteTool:    {trace.SpanKindInternal, semconv.GenAIToolName, []string{semconv.GenAIToolName}},
}

// pairs are attributes that say nothing without another one.
var pairs = map[string]string{
	semconv.ServerPort:         semconv.ServerAddress,
	semconv.GenAIPromptVersion: semconv.GenAIPromptName,
}

// CheckSpan returns everything that the conventions would have otherwise. Attributes whose names begin with one of the prefixes
// are the application's, and not looked at.
func CheckSpan(span sdktrace.ReadOnlySpan, prefixes ...string) error {
	errs := []error{CheckAttributes(span.Attributes(), prefixes...)}
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	set := attribute.NewSet(span.Attributes()...)
	said := func(key string) string {
		value, _ := set.Value(attribute.Key(key))
		return value.AsString()
	}

	name := said(semconv.GenAIOperationName)
	op, known := operations[name]
	if !known {
		wrong("operation %q is none", name)
	}
	if span.SpanKind() != op.kind {
		wrong("kind is %s, not %s", span.SpanKind(), op.kind)
	}
	if object := said(op.named); op.named != "" && object != "" {
		name += " " + object
	}
	if span.Name() != name {
		wrong("name is %q, not %q", span.Name(), name)
	}
	for _, key := range op.required {
		if said(key) == "" {
			wrong("%s is required", key)
		}
	}
	for key, other := range pairs {
		if set.HasValue(attribute.Key(key)) && !set.HasValue(attribute.Key(other)) {
			wrong("%s is there without %s", key, other)
		}
	}
	if failed := span.Status().Code == codes.Error; failed != (said(semconv.ErrorType) != "") {
		wrong("status is %s, %s is %q", span.Status().Code, semconv.ErrorType, said(semconv.ErrorType))
	}
	return errors.Join(errs...)
}

// CheckAttributes is [CheckSpan] for attributes of any signal. Content may be JSON, as on spans, or structured, as in events.
func CheckAttributes(attrs []attribute.KeyValue, prefixes ...string) error {
	var errs []error
	seen := make(map[attribute.Key]bool)
	for _, kv := range attrs {
		key := string(kv.Key)
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			continue
		}
		if seen[kv.Key] {
			errs = append(errs, fmt.Errorf("%s is there twice", key))
		}
		seen[kv.Key] = true
		if err := check(key, kv.Value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

func check(key string, value attribute.Value) error {
	known, found := released[key]
	if !found {
		known, found = added[key]
	}
	switch {
	case strings.HasPrefix(key, semconv.GenAIPromptVariablePrefix): // after 1.41
		known = attr{kind: "string"}
	case !found:
		return errors.New("is in no registry")
	}
	want := map[string]attribute.Type{
		"string": attribute.STRING, "enum": attribute.STRING, "int": attribute.INT64, "double": attribute.FLOAT64,
		"boolean": attribute.BOOL, "string[]": attribute.STRINGSLICE,
	}
	if known.kind == "any" {
		return checkContent(key, value)
	}
	if value.Type() != want[known.kind] {
		return fmt.Errorf("is of type %s, not %s", value.Type(), known.kind)
	}
	if known.kind == "enum" {
		return checkEnum(key, value.AsString(), known.enum)
	}
	if strings.HasPrefix(key, "gen_ai.usage.") && value.AsInt64() < 0 {
		return errors.New("is below zero")
	}
	return nil
}

// ownValues are the values of enums that the conventions leave open, and that the project documents.
var ownValues = map[string][]string{
	semconv.GenAIOperationName: {semconv.OperationFetchResponse, semconv.OperationCreateBatch, semconv.OperationRetrieveBatch},
}

// open are the enums that may have any value.
var open = []string{semconv.ErrorType, semconv.GenAIProviderName, semconv.OpenAIRequestServiceTier}

func checkEnum(key, value string, enum []string) error {
	if value == "" {
		return errors.New("is empty")
	}
	if slices.Contains(open, key) || slices.Contains(enum, value) || slices.Contains(ownValues[key], value) {
		return nil
	}
	return fmt.Errorf("%q is none of %q", value, enum)
}

//go:embed content.json
var contentSchema []byte

// schemas are those of the content attributes. What a tool is called with and gives back may be anything.
var schemas = sync.OnceValue(func() map[string]*jsonschema.Resolved {
	resolved := make(map[string]*jsonschema.Resolved)
	for key, definition := range map[string]string{
		semconv.GenAIInputMessages:      "inputMessages",
		semconv.GenAIOutputMessages:     "outputMessages",
		semconv.GenAISystemInstructions: "systemInstructions",
		semconv.GenAIToolDefinitions:    "toolDefinitions",
	} {
		var schema jsonschema.Schema
		if err := json.Unmarshal(contentSchema, &schema); err != nil {
			panic(err)
		}
		schema.Ref = "#/$defs/" + definition
		var err error
		if resolved[key], err = schema.Resolve(nil); err != nil {
			panic(err)
		}
	}
	return resolved
})

func checkContent(key string, value attribute.Value) error {
	schema := schemas()[key]
	if schema == nil {
		return nil
	}
	document := plain(value)
	if text, isText := document.(string); isText {
		if err := json.Unmarshal([]byte(text), &document); err != nil {
			return fmt.Errorf("is no JSON: %w", err)
		}
	}
	return schema.Validate(document)
}

// plain is a structured value as encoding/json would have read it.
func plain(value attribute.Value) any {
	switch value.Type() {
	case attribute.MAP:
		object := make(map[string]any)
		for _, kv := range value.AsMap() {
			object[string(kv.Key)] = plain(kv.Value)
		}
		return object
	case attribute.SLICE:
		list := []any{}
		for _, item := range value.AsSlice() {
			list = append(list, plain(item))
		}
		return list
	case attribute.INT64:
		return float64(value.AsInt64())
	default:
		return value.AsInterface()
	}
}
