// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

func clientOf(server *httptest.Server, r *recorder) openai.Client {
	return openai.NewClient(option.WithBaseURL(server.URL+"/v1"), option.WithAPIKey("secret"), option.WithHTTPClient(server.Client()),
		option.WithMiddleware(r.middleware()))
}

func tooManyRequests() answer {
	a := errorAnswer(429, `{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`)
	a.header.Set("Retry-After-Ms", "1")
	a.header.Set("Retry-After", "0")
	return a
}

// attempts are the attributes of the events of a span.
func attempts(t testing.TB, s sdktrace.ReadOnlySpan) []map[string]any {
	var got []map[string]any
	for _, event := range s.Events() {
		require.Equal(t, "openai.attempt", event.Name)
		attrs := make(map[string]any)
		for _, a := range event.Attributes {
			attrs[string(a.Key)] = a.Value.AsInterface()
		}
		got = append(got, attrs)
	}
	return got
}

func attributeOf(s sdktrace.ReadOnlySpan, key string) any {
	for _, a := range s.Attributes() {
		if string(a.Key) == key {
			return a.Value.AsInterface()
		}
	}
	return nil
}

func TestDoMakesOneSpanOfAllAttempts(t *testing.T) {
	server, r := serve(t, tooManyRequests(), tooManyRequests(), jsonAnswer(plainAnswer)), newRecorder(t)
	client := clientOf(server, r)
	completion, err := openaiotel.Do(t.Context(), func(ctx context.Context) (*openai.ChatCompletion, error) {
		return client.Chat.Completions.New(ctx, plainParams())
	})
	require.NoError(t, err)
	require.Equal(t, "chatcmpl-1", completion.ID)

	require.Len(t, r.spans.Ended(), 1)
	s := r.spans.Ended()[0]
	require.Equal(t, sdktrace.Status{}, s.Status())
	require.Equal(t, int64(24), attributeOf(s, "gen_ai.usage.input_tokens"))
	require.Nil(t, attributeOf(s, "error.type"))
	require.Equal(t, []map[string]any{
		{"http.response.status_code": int64(429), "http.response.header.retry-after": []string{"0"}},
		{"http.response.status_code": int64(429), "http.response.header.retry-after": []string{"0"}, "http.request.resend_count": int64(1)},
		{"http.response.status_code": int64(200), "http.request.resend_count": int64(2)},
	}, attempts(t, s))
}

func TestDoWhenEveryAttemptFails(t *testing.T) {
	server, r := serve(t, tooManyRequests()), newRecorder(t)
	client := clientOf(server, r)
	_, err := openaiotel.Do(t.Context(), func(ctx context.Context) (*openai.ChatCompletion, error) {
		return client.Chat.Completions.New(ctx, plainParams())
	})
	require.Error(t, err)
	require.Len(t, r.spans.Ended(), 1)
	s := r.spans.Ended()[0]
	require.Equal(t, codes.Error, s.Status().Code)
	require.Equal(t, "rate_limit_exceeded", attributeOf(s, "error.type"))
	require.Len(t, attempts(t, s), 3)
	require.EqualValues(t, 1, r.ends.Load())
}

func TestDoWithSeveralCallsAndAStreamThatOutlivesIt(t *testing.T) {
	server, r := serve(t, jsonAnswer(plainAnswer), tooManyRequests(), streamAnswer(plainStream(true))), newRecorder(t)
	client := clientOf(server, r)
	stream, err := openaiotel.Do(t.Context(), func(ctx context.Context) (*ssestream.Stream[openai.ChatCompletionChunk], error) {
		if _, err := client.Chat.Completions.New(ctx, plainParams()); err != nil {
			return nil, err
		}
		return client.Chat.Completions.NewStreaming(ctx, plainParams()), nil
	})
	require.NoError(t, err)
	require.Len(t, r.spans.Ended(), 1)
	for stream.Next() {
	}
	require.NoError(t, stream.Err())
	require.Len(t, r.spans.Ended(), 2)
	require.Len(t, attempts(t, r.spans.Ended()[1]), 2)
	require.Equal(t, int64(9), attributeOf(r.spans.Ended()[1], "gen_ai.usage.output_tokens"))
}

func TestDoWithoutACall(t *testing.T) {
	want := errors.New("no")
	_, err := openaiotel.Do(t.Context(), func(context.Context) (int, error) { return 0, want })
	require.Equal(t, want, err)
}
