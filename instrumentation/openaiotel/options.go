// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// captureContentEnv is the variable of the GenAI conventions that turns content on without a change of code.
const captureContentEnv = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

// ContentMode says where prompts, answers and tool definitions are recorded.
type ContentMode uint8

const (
	// ContentNone records no content. It is the default.
	ContentNone ContentMode = iota
	// ContentSpan records content as the span attributes gen_ai.input.messages, gen_ai.output.messages,
	// gen_ai.system_instructions and gen_ai.tool.definitions, each a JSON document in the form of the conventions.
	ContentSpan
	// ContentEvent records content in a log event, gen_ai.client.inference.operation.details, whose attributes are those of
	// the span and the content as structured values.
	ContentEvent
	// ContentSpanAndEvent does both.
	ContentSpanAndEvent
)

func (m ContentMode) spans() bool  { return m == ContentSpan || m == ContentSpanAndEvent }
func (m ContentMode) events() bool { return m == ContentEvent || m == ContentSpanAndEvent }

// Option configures [Middleware], [NewTransport], [Tool], [RecordCall] and [RecordBatch].
type Option interface {
	apply(*config)
}

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	tracerProvider trace.TracerProvider
	meterProvider  metric.MeterProvider
	loggerProvider log.LoggerProvider
	propagators    propagation.TextMapPropagator
	content        contentRules
	provider       string
	baggage        bool
	streamUsage    bool
}

func newConfig(opts []Option) config {
	c := config{
		tracerProvider: otel.GetTracerProvider(),
		meterProvider:  otel.GetMeterProvider(),
		loggerProvider: otel.GetLoggerProvider(),
		content:        contentRules{mode: contentModeFromEnv(os.Getenv(captureContentEnv))},
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

// WithMeterProvider sets the provider of the meter. Without it, or with nil, it is the global provider.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return optionFunc(func(c *config) {
		if provider != nil {
			c.meterProvider = provider
		}
	})
}

// WithLoggerProvider sets the provider of the logger that [ContentEvent] writes to. Without it, or with nil, it is the
// global provider.
func WithLoggerProvider(provider log.LoggerProvider) Option {
	return optionFunc(func(c *config) {
		if provider != nil {
			c.loggerProvider = provider
		}
	})
}

// WithPropagators adds headers to every request that is observed. Without it, or with nil, no header is added: trace
// context and baggage are nothing to tell a provider. It is for gateways of your own.
func WithPropagators(propagators propagation.TextMapPropagator) Option {
	return optionFunc(func(c *config) { c.propagators = propagators })
}

// WithBaggage takes the persona, the conversation and the user of a call from the W3C baggage of its context (persona.id,
// gen_ai.conversation.id, user.id) where the application did not set them itself. [ContextWithBaggage] puts them there.
// Without it baggage is not read, because anybody who calls the application may have written it.
func WithBaggage() Option {
	return optionFunc(func(c *config) { c.baggage = true })
}

// WithContent says where prompts and answers are recorded. Without it, the environment variable
// OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT decides, in any case of its letters: SPAN_ONLY, true and 1 mean
// [ContentSpan], EVENT_ONLY [ContentEvent], SPAN_AND_EVENT [ContentSpanAndEvent], everything else [ContentNone]. With it,
// the variable is ignored.
func WithContent(mode ContentMode) Option {
	return optionFunc(func(c *config) { c.content.mode = mode })
}

// WithRedactor changes every text of content before it is recorded: texts of messages, instructions, descriptions and
// schemas of tools, prompt variables, URLs, and arguments and results of tools, which it gets as JSON where they are. It is
// called in the goroutine of the call, often, and must be fast. When it panics, the content is not recorded.
func WithRedactor(redact func(text string) string) Option {
	return optionFunc(func(c *config) { c.content.redact = redact })
}

// WithMaxContentBytes bounds content: the texts of each message together, and the JSON of each attribute, in bytes. Zero
// means no limit, which is the default. A text that is cut says how much is missing; messages are left out from the middle,
// and the JSON stays JSON.
func WithMaxContentBytes(message, total int) Option {
	return optionFunc(func(c *config) { c.content.maxMessage, c.content.maxTotal = max(message, 0), max(total, 0) })
}

// WithStreamUsage makes streams of the Chat and Completions APIs end with their usage where the application did not choose:
// it adds stream_options.include_usage to the request, and takes the extra chunk out of the answer. The other chunks then
// say "usage": null. It is off by default, because it changes what is sent.
func WithStreamUsage() Option {
	return optionFunc(func(c *config) { c.streamUsage = true })
}

// WithProvider sets gen_ai.provider.name, for hosts that speak the OpenAI API for another vendor ("deepseek", "groq").
// Without it, or with "", it is azure.ai.openai for the hosts and the deployment paths of Azure OpenAI, and openai for all
// others.
func WithProvider(name string) Option {
	return optionFunc(func(c *config) { c.provider = name })
}

func contentModeFromEnv(value string) ContentMode {
	switch strings.ToUpper(strings.TrimSpace(value)) {
	case "TRUE", "1", "SPAN_ONLY":
		return ContentSpan
	case "EVENT_ONLY":
		return ContentEvent
	case "SPAN_AND_EVENT":
		return ContentSpanAndEvent
	default:
		return ContentNone
	}
}
