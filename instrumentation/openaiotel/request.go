// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"math"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel/attribute"
)

// request is what the body of a request says about a call. Its zero value is a request that could not be read.
type request struct {
	model      string
	stream     bool
	choices    count
	attributes []attribute.KeyValue // parameters other than the model

	// What the call is about, not yet in the form of the conventions. It aliases the body: it must be read before the
	// request is sent.
	messages gjson.Result
	tools    []gjson.Result
}

// parameterKind is the JSON type that a request parameter must have to be recorded.
type parameterKind uint8

const (
	intParameter parameterKind = iota
	floatParameter
	stringParameter
)

// parameter says under which attribute a request parameter is recorded as it is.
type parameter struct {
	attribute attribute.Key
	kind      parameterKind
}

func (p parameter) appendTo(attrs []attribute.KeyValue, v gjson.Result) []attribute.KeyValue {
	switch {
	case p.kind == stringParameter:
		return appendName(attrs, p.attribute, name(v))
	case v.Type != gjson.Number:
		return attrs
	case p.kind == floatParameter:
		return append(attrs, p.attribute.Float64(v.Num))
	case v.Num != math.Trunc(v.Num):
		return attrs
	default:
		return append(attrs, p.attribute.Int64(v.Int()))
	}
}
