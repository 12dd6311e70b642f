// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
)

func ExampleMiddleware() {
	server, provider, spans := exampleEnvironment()
	defer server.Close()

	client := openai.NewClient(
		option.WithAPIKey("sk-…"),
		option.WithBaseURL(server.URL),
		option.WithMiddleware(openaiotel.Middleware(openaiotel.WithTracerProvider(provider))),
	)
	completion, err := client.Chat.Completions.New(context.Background(), openai.ChatCompletionNewParams{
		Model:    openai.ChatModelGPT5_4Mini,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is 2+2?")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(completion.Choices[0].Message.Content)
	printSpans(spans)
	// Output:
	// It is 4, née "four" 😀.
	// chat gpt-5.4-mini: 24 tokens in, 9 out
}

func ExampleNewTransport() {
	server, provider, spans := exampleEnvironment()
	defer server.Close()

	client := &http.Client{Transport: openaiotel.NewTransport(http.DefaultTransport, openaiotel.WithTracerProvider(provider))}
	defer client.CloseIdleConnections()
	res, err := client.Post(server.URL+"/chat/completions", "application/json",
		strings.NewReader(`{"model":"gpt-5.4-mini","messages":[{"role":"user","content":"What is 2+2?"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	printSpans(spans)
	// Output:
	// chat gpt-5.4-mini: 24 tokens in, 9 out
}

func ExampleWithPersona() {
	ctx := openaiotel.WithPersona(context.Background(), "tech_educator")
	fmt.Println(ask(ctx)["persona.id"]) // ask makes a call and returns the attributes of its span
	// Output:
	// tech_educator
}

func ExampleWithConversation() {
	ctx := openaiotel.WithConversation(context.Background(), "thread-7")
	fmt.Println(ask(ctx)["gen_ai.conversation.id"])
	// Output:
	// thread-7
}

func ExampleWithUser() {
	ctx := openaiotel.WithUser(context.Background(), "u-42")
	fmt.Println(ask(ctx)["user.id"])
	// Output:
	// u-42
}

func ExampleWithPrompt() {
	ctx := openaiotel.WithPrompt(context.Background(), "explain", "3", map[string]string{"topic": "sums"})
	attributes := ask(ctx, openaiotel.WithContent(openaiotel.ContentSpan))
	fmt.Println(attributes["gen_ai.prompt.name"], attributes["gen_ai.prompt.version"], attributes["gen_ai.prompt.variable.topic"])
	// Output:
	// explain 3 sums
}

func ExampleWithAttributes() {
	ctx := openaiotel.WithAttributes(context.Background(), attribute.String("team", "search"))
	fmt.Println(ask(ctx)["team"])
	// Output:
	// search
}

func ExampleWithTracerProvider() {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	ask(context.Background(), openaiotel.WithTracerProvider(provider))
	fmt.Println(spans.Ended()[0].Name())
	// Output:
	// chat gpt-5.4-mini
}

func ExampleWithMeterProvider() {
	reader := sdkmetric.NewManualReader()
	ask(context.Background(), openaiotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		fmt.Println(m.Name)
	}
	// Unordered output:
	// gen_ai.client.operation.duration
	// gen_ai.client.token.usage
}

func ExampleWithLoggerProvider() {
	var events logs // a LoggerProvider, as of go.opentelemetry.io/otel/sdk/log
	ask(context.Background(), openaiotel.WithContent(openaiotel.ContentEvent), openaiotel.WithLoggerProvider(&events))
	fmt.Println(events.records[0].EventName())
	// Output:
	// gen_ai.client.inference.operation.details
}

func ExampleWithContent() {
	fmt.Println(ask(context.Background(), openaiotel.WithContent(openaiotel.ContentSpan))["gen_ai.input.messages"])
	// Output:
	// [{"role":"user","parts":[{"type":"text","content":"What is 2+2?"}]}]
}

func ExampleWithRedactor() {
	digits := regexp.MustCompile(`[0-9]`)
	fmt.Println(ask(context.Background(),
		openaiotel.WithContent(openaiotel.ContentSpan),
		openaiotel.WithRedactor(func(text string) string { return digits.ReplaceAllString(text, "#") }),
	)["gen_ai.input.messages"])
	// Output:
	// [{"role":"user","parts":[{"type":"text","content":"What is #+#?"}]}]
}

func ExampleWithMaxContentBytes() {
	const perMessage, perAttribute = 7, 10_000
	fmt.Println(ask(context.Background(),
		openaiotel.WithContent(openaiotel.ContentSpan),
		openaiotel.WithMaxContentBytes(perMessage, perAttribute),
	)["gen_ai.input.messages"])
	// Output:
	// [{"role":"user","parts":[{"type":"text","content":"What is…[5 bytes cut]…"}]}]
}

func ExampleWithProvider() {
	fmt.Println(ask(context.Background(), openaiotel.WithProvider("deepseek"))["gen_ai.provider.name"])
	// Output:
	// deepseek
}

func ExampleWithStreamUsage() {
	server := openaitest.NewServer() // in place of the OpenAI API
	defer server.Close()
	spans := tracetest.NewSpanRecorder()
	client := openai.NewClient(option.WithAPIKey("sk-…"), option.WithBaseURL(server.BaseURL()), option.WithMiddleware(openaiotel.Middleware(
		openaiotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))),
		openaiotel.WithStreamUsage(),
	)))
	stream := client.Chat.Completions.NewStreaming(context.Background(), openai.ChatCompletionNewParams{
		Model: "gpt-4o", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is 2+2?")},
	})
	for stream.Next() {
		if len(stream.Current().Choices) == 0 {
			fmt.Println("the application does not see the chunk that it did not ask for")
		}
	}
	printSpans(spans)
	// Output:
	// chat gpt-4o: 14 tokens in, 24 out
}

func ExampleWithBaggage() {
	// What otelhttp, or the headers of a queue's message, brought along:
	ctx := propagation.Baggage{}.Extract(context.Background(), propagation.MapCarrier{"baggage": "persona.id=tech_educator"})
	fmt.Println(ask(ctx, openaiotel.WithBaggage())["persona.id"])
	// Output:
	// tech_educator
}

func ExampleWithPropagators() {
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Header.Get("Traceparent") != "")
	}))
	defer gateway.Close()
	client := &http.Client{Transport: openaiotel.NewTransport(nil,
		openaiotel.WithTracerProvider(sdktrace.NewTracerProvider()), openaiotel.WithPropagators(propagation.TraceContext{}))}
	defer client.CloseIdleConnections()
	res, err := client.Post(gateway.URL+"/v1/responses", "application/json", strings.NewReader(`{}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = res.Body.Close()
	// Output:
	// true
}

func ExampleDo() {
	server, provider, spans := exampleEnvironment()
	defer server.Close()

	client := openai.NewClient(
		option.WithAPIKey("sk-…"),
		option.WithBaseURL(server.URL),
		option.WithMiddleware(openaiotel.Middleware(openaiotel.WithTracerProvider(provider))),
	)
	_, err := openaiotel.Do(context.Background(), func(ctx context.Context) (*openai.ChatCompletion, error) {
		return client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: openai.ChatModelGPT5_4Mini})
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, event := range spans.Ended()[0].Events() {
		fmt.Println(event.Name, event.Attributes[0].Value.AsInt64())
	}
	// Output:
	// openai.attempt 200
}

func ExampleTool() {
	server, provider, spans := exampleEnvironment()
	defer server.Close()

	call := openaiotel.ToolCall{ID: "call_1", Name: "get_sum", Arguments: `{"a":2,"b":2}`}
	sum, err := openaiotel.Tool(context.Background(), call, func(context.Context) (int, error) {
		return 2 + 2, nil
	}, openaiotel.WithTracerProvider(provider), openaiotel.WithContent(openaiotel.ContentSpan))
	fmt.Println(sum, err, spans.Ended()[0].Name())
	printAttribute(spans, "gen_ai.tool.call.result")
	// Output:
	// 4 <nil> execute_tool get_sum
	// gen_ai.tool.call.result: 4
}

func ExampleRecordCall() {
	server, provider, spans := exampleEnvironment()
	defer server.Close()

	openaiotel.RecordCall(context.Background(), openaiotel.Call{
		Persona: "tech_educator", Provider: "anthropic", Model: "claude-x", InputTokens: new(24), OutputTokens: new(9), Latency: time.Second,
	}, openaiotel.WithTracerProvider(provider))
	printSpans(spans)
	// Output:
	// chat claude-x: 24 tokens in, 9 out
}

func ExampleRecordBatch() {
	server, provider, spans := exampleEnvironment()
	defer server.Close()

	input := strings.NewReader(`{"custom_id":"1","url":"/v1/chat/completions","body":{"model":"gpt-5.4-mini","metadata":{"persona_id":"tech_educator"}}}`)
	output := strings.NewReader(`{"custom_id":"1","response":{"status_code":200,"body":{"usage":{"prompt_tokens":24,"completion_tokens":9}}}}`)
	n, err := openaiotel.RecordBatch(context.Background(), openaiotel.Batch{
		ID: "batch_1", CreatedAt: time.Unix(1, 0), CompletedAt: time.Unix(2, 0),
	}, input, output, openaiotel.WithTracerProvider(provider))
	fmt.Println(n, err)
	printSpans(spans)
	printAttribute(spans, "persona.id")
	// Output:
	// 1 <nil>
	// chat gpt-5.4-mini: 24 tokens in, 9 out
	// persona.id: tech_educator
}

func ExampleContextWithBaggage() {
	ctx := openaiotel.WithPersona(context.Background(), "tech_educator")
	headers := make(http.Header)
	propagation.Baggage{}.Inject(openaiotel.ContextWithBaggage(ctx), propagation.HeaderCarrier(headers))
	fmt.Println(headers.Get("Baggage"))
	// Output:
	// persona.id=tech_educator
}

// ask makes a call with the options and returns the attributes of its span.
func ask(ctx context.Context, opts ...openaiotel.Option) map[string]string {
	server, provider, spans := exampleEnvironment()
	defer server.Close()
	client := openai.NewClient(option.WithAPIKey("sk-…"), option.WithBaseURL(server.URL), option.WithMiddleware(
		openaiotel.Middleware(append([]openaiotel.Option{openaiotel.WithTracerProvider(provider)}, opts...)...)))
	_, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
		Model:    openai.ChatModelGPT5_4Mini,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is 2+2?")},
	})
	if err != nil {
		fmt.Println(err)
	}
	values := make(map[string]string)
	for _, s := range spans.Ended() {
		for _, a := range s.Attributes() {
			values[string(a.Key)] = a.Value.String()
		}
	}
	return values
}

// exampleEnvironment stands in for OpenAI and for the tracing pipeline of an application.
func exampleEnvironment() (*httptest.Server, *sdktrace.TracerProvider, *tracetest.SpanRecorder) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, plainAnswer)
	}))
	spans := tracetest.NewSpanRecorder()
	return server, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)), spans
}

func printSpans(spans *tracetest.SpanRecorder) {
	for _, s := range spans.Ended() {
		values := make(map[string]string)
		for _, a := range s.Attributes() {
			values[string(a.Key)] = a.Value.String()
		}
		fmt.Printf("%s: %s tokens in, %s out\n", s.Name(), values["gen_ai.usage.input_tokens"], values["gen_ai.usage.output_tokens"])
	}
}

func printAttribute(spans *tracetest.SpanRecorder, key string) {
	for _, s := range spans.Ended() {
		for _, a := range s.Attributes() {
			if string(a.Key) == key {
				fmt.Printf("%s: %s\n", key, a.Value.String())
			}
		}
	}
}
