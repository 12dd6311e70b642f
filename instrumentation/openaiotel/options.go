// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// captureContentEnv is the variable of the GenAI conventions that turns content on without a change of code.
const captureContentEnv = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

// ContentMode says where prompts, answers and tool definitions are recorded.
type ContentMode uint8

const (
	// ContentNone records no content. It is the default.
	ContentNone ContentMode = iota
	// ContentSpan records content as the span attributes gen_ai.input.messages, gen_ai.output.messages and
	// gen_ai.tool.definitions, each a JSON document in the form of the conventions.
	ContentSpan
)

// Option configures [Middleware] and [NewTransport].
type Option interface {
	apply(*config)
}

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	tracerProvider trace.TracerProvider
	content        ContentMode
	provider       string
}

func newConfig(opts []Option) config {
	c := config{
		tracerProvider: otel.GetTracerProvider(),
		content:        contentModeFromEnv(os.Getenv(captureContentEnv)),
	}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&c)
		}
	}
	return c
}

// WithTracerProvider sets the provider of the tracer. Without it, or with nil, it is the global provider.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return optionFunc(func(c *config) {
		if provider != nil {
			c.tracerProvider = provider
		}
	})
}

// WithContent says where prompts and answers are recorded. Without it, the environment variable
// OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT decides (true, 1, SPAN_ONLY and SPAN_AND_EVENT in any case mean
// [ContentSpan], everything else [ContentNone]). With it, the variable is ignored.
func WithContent(mode ContentMode) Option {
	return optionFunc(func(c *config) { c.content = mode })
}

// WithProvider sets gen_ai.provider.name, for hosts that speak the OpenAI API for another vendor ("deepseek", "groq").
// Without it, or with "", it is azure.ai.openai for the hosts of Azure OpenAI and openai for all others.
func WithProvider(name string) Option {
	return optionFunc(func(c *config) { c.provider = name })
}

func contentModeFromEnv(value string) ContentMode {
	switch strings.ToUpper(strings.TrimSpace(value)) {
	case "TRUE", "1", "SPAN_ONLY", "SPAN_AND_EVENT":
		return ContentSpan
	default:
		return ContentNone
	}
}
