// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// labels is what the application says about the calls made with a context.
type labels struct {
	persona string
}

type labelsKey struct{}

func labelsFrom(ctx context.Context) labels {
	l, _ := ctx.Value(labelsKey{}).(labels)
	return l
}

// WithPersona returns a context whose calls carry the span attribute persona.id, the LLM persona that makes them. The last
// persona set wins; "" removes it. An id longer than 1 KiB is left out.
func WithPersona(ctx context.Context, id string) context.Context {
	l := labelsFrom(ctx)
	l.persona = id
	return context.WithValue(ctx, labelsKey{}, l)
}

func (l labels) appendTo(attrs []attribute.KeyValue) []attribute.KeyValue {
	return appendName(attrs, semconv.PersonaID, l.persona)
}
