// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// maxPromptVariables bounds the variables of a prompt that are recorded.
const maxPromptVariables = 64

// labels is what the application says about the calls made with a context.
type labels struct {
	persona      string
	conversation string
	user         string
	prompt       prompt
	attributes   []attribute.KeyValue
}

// prompt is a prompt template and what was filled into it.
type prompt struct {
	name, version string
	variables     map[string]string
}

type labelsKey struct{}

func labelsFrom(ctx context.Context) labels {
	l, _ := ctx.Value(labelsKey{}).(labels)
	return l
}

func withLabels(ctx context.Context, set func(*labels)) context.Context {
	l := labelsFrom(ctx)
	set(&l)
	return context.WithValue(ctx, labelsKey{}, l)
}

// WithPersona returns a context whose calls carry the span attribute persona.id, the LLM persona that makes them. The last
// persona set wins; "" removes it. An id longer than 1 KiB is left out.
func WithPersona(ctx context.Context, id string) context.Context {
	return withLabels(ctx, func(l *labels) { l.persona = id })
}

// WithConversation returns a context whose calls carry gen_ai.conversation.id, the conversation, session or thread that
// they belong to. It wins over the conversation of a request to the Responses API. The last one set wins; "" removes it.
func WithConversation(ctx context.Context, id string) context.Context {
	return withLabels(ctx, func(l *labels) { l.conversation = id })
}

// WithUser returns a context whose calls carry user.id, the end user that they are made for. The user parameter of the API
// is never recorded. The last one set wins; "" removes it.
func WithUser(ctx context.Context, id string) context.Context {
	return withLabels(ctx, func(l *labels) { l.user = id })
}

// WithPrompt returns a context whose calls carry gen_ai.prompt.name and gen_ai.prompt.version, the prompt template that the
// application fills in; version may be "". The variables are content: they are recorded as gen_ai.prompt.variable.{name}
// where [WithContent] puts content on spans. It wins over a prompt that OpenAI stores. A name of "" removes it.
func WithPrompt(ctx context.Context, name, version string, variables map[string]string) context.Context {
	variables = maps.Clone(variables)
	return withLabels(ctx, func(l *labels) { l.prompt = prompt{name: name, version: version, variables: variables} })
}

// WithAttributes returns a context whose calls carry the attributes, after those that it carries already. An attribute that
// the instrumentation writes itself wins over one with the same key.
func WithAttributes(ctx context.Context, attrs ...attribute.KeyValue) context.Context {
	return withLabels(ctx, func(l *labels) { l.attributes = append(slices.Clip(l.attributes), attrs...) })
}

// inBaggage are the labels that travel in W3C baggage, by their key there.
var inBaggage = []struct {
	key   string
	label func(*labels) *string
}{
	{semconv.PersonaID, func(l *labels) *string { return &l.persona }},
	{semconv.GenAIConversationID, func(l *labels) *string { return &l.conversation }},
	{semconv.UserID, func(l *labels) *string { return &l.user }},
}

// ContextWithBaggage returns a context whose W3C baggage has the persona, the conversation and the user of the context, so
// that the application's own propagators (otelhttp, a queue's headers) take them to the next process. There,
// [WithBaggage] reads them. Baggage goes to whatever the application calls with the context: use it for calls inside your
// own systems.
func ContextWithBaggage(ctx context.Context) context.Context {
	l, bag := labelsFrom(ctx), baggage.FromContext(ctx)
	for _, b := range inBaggage {
		value := *b.label(&l)
		if value == "" || len(value) > maxNameLength {
			continue
		}
		member, err := baggage.NewMemberRaw(b.key, validText(value))
		if err != nil {
			continue
		}
		if with, err := bag.SetMember(member); err == nil {
			bag = with
		}
	}
	return baggage.ContextWithBaggage(ctx, bag)
}

// addBaggage takes from the baggage what the application did not say itself.
func (l *labels) addBaggage(ctx context.Context) {
	bag := baggage.FromContext(ctx)
	for _, b := range inBaggage {
		label := b.label(l)
		*label = cmp.Or(*label, bag.Member(b.key).Value())
	}
}

func (l *labels) appendTo(attrs []attribute.KeyValue) []attribute.KeyValue {
	attrs = appendName(attrs, semconv.PersonaID, l.persona)
	attrs = appendName(attrs, semconv.GenAIConversationID, l.conversation)
	attrs = appendName(attrs, semconv.UserID, l.user)
	if l.prompt.name == "" {
		return attrs
	}
	attrs = appendName(attrs, semconv.GenAIPromptName, l.prompt.name)
	return appendName(attrs, semconv.GenAIPromptVersion, l.prompt.version)
}
