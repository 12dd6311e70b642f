// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaichat_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel/openaichat"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func ExampleChat() {
	server := openaitest.NewServer() // in place of the OpenAI API
	defer server.Close()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	client := openai.NewClient(option.WithBaseURL(server.BaseURL()), option.WithAPIKey("secret"),
		option.WithHTTPClient(&http.Client{Transport: transport}))

	answer, err := openaichat.Chat(context.Background(), client, "gpt-4o-mini", "What is 2+2?", "tech_educator")
	fmt.Println(answer != "", err)
	// Output: true <nil>
}

func TestChat(t *testing.T) {
	answers := []struct {
		status int
		body   string
	}{
		{500, `{}`},
		{200, `{"model":"m-1","choices":[{"message":{"content":"4"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`},
		{200, `{"choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]}`},
		{200, `{"choices":[]}`},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After-Ms", "1")
		w.WriteHeader(answers[0].status)
		_, _ = w.Write([]byte(answers[0].body))
		answers = answers[1:]
	}))
	t.Cleanup(server.Close)
	spans := tracetest.NewSpanRecorder()
	provider := openaiotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	client := openai.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("secret"), option.WithHTTPClient(server.Client()))
	answer, err := openaichat.Chat(t.Context(), client, "m", "What is 2+2?", "tech_educator", provider)
	require.NoError(t, err)
	require.Equal(t, "4", answer)
	_, err = openaichat.Chat(t.Context(), client, "m", "What is 2+2?", "", provider)
	require.ErrorIs(t, err, openaichat.ErrNoAnswer)
	require.ErrorContains(t, err, "No.")
	_, err = openaichat.Chat(t.Context(), client, "m", "What is 2+2?", "", provider)
	require.Equal(t, openaichat.ErrNoAnswer, err)
	require.Len(t, spans.Ended(), 3)
	first := make(map[string]string)
	for _, a := range spans.Ended()[0].Attributes() {
		first[string(a.Key)] = a.Value.String()
	}
	require.Equal(t, "tech_educator", first["persona.id"])
	require.Equal(t, "3", first["gen_ai.usage.input_tokens"])
	require.Len(t, spans.Ended()[0].Events(), 2, "one span of both attempts")
}
