// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
)

const educator = "You are a patient tech educator."

// accumulate reads a stream to its end and returns the chunks and the answer that they make.
func accumulate(t *testing.T, client openai.Client, params openai.ChatCompletionNewParams) ([]openai.ChatCompletionChunk, openai.ChatCompletionAccumulator) {
	t.Helper()
	stream := client.Chat.Completions.NewStreaming(t.Context(), params)
	defer func() { require.NoError(t, stream.Close()) }()
	var chunks []openai.ChatCompletionChunk
	var answer openai.ChatCompletionAccumulator
	for stream.Next() {
		chunks = append(chunks, stream.Current())
		require.True(t, answer.AddChunk(stream.Current()))
	}
	require.NoError(t, stream.Err())
	return chunks, answer
}

// post sends a body as it is and returns the response and its body.
func post(t *testing.T, server *openaitest.Server, body string) (*http.Response, []byte) {
	t.Helper()
	return postTo(t, server, "/chat/completions", body)
}

func postTo(t *testing.T, server *openaitest.Server, path, body string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.BaseURL()+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer test")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res, data
}

func TestPlainAnswerHasTheShapeOfTheRealAPI(t *testing.T) {
	server, client := start(t)
	answer, err := client.Chat.Completions.New(t.Context(), ask("gpt-4o-mini", educator, "Explain recursion."))
	require.NoError(t, err)

	require.Regexp(t, `^chatcmpl-[0-9a-f]{29}$`, answer.ID)
	require.EqualValues(t, "chat.completion", answer.Object)
	require.EqualValues(t, 1767225600, answer.Created)
	require.Equal(t, "gpt-4o-mini-2024-07-18", answer.Model)
	require.Regexp(t, `^fp_[0-9a-f]{10}$`, answer.SystemFingerprint) //nolint:staticcheck // deprecated, still sent
	require.EqualValues(t, "default", answer.ServiceTier)
	require.Len(t, answer.Choices, 1)
	require.Contains(t, strings.ToLower(answer.Choices[0].Message.Content), "recursi")
	require.Equal(t, "stop", answer.Choices[0].FinishReason)
	require.True(t, answer.Usage.PromptTokensDetails.JSON.CachedTokens.Valid(), "cached_tokens is present though 0")
	require.Zero(t, answer.Usage.PromptTokensDetails.CachedTokens)

	require.Equal(t, []openaitest.Call{{
		Method: http.MethodPost, Path: "/v1/chat/completions", Model: "gpt-4o-mini", Status: http.StatusOK, ID: answer.ID,
		Usage: openaitest.Usage{
			PromptTokens:     int(answer.Usage.PromptTokens),
			CompletionTokens: int(answer.Usage.CompletionTokens),
			TotalTokens:      int(answer.Usage.TotalTokens),
		},
		UsageSent: true,
	}}, server.Calls())
}

func TestSameRequestGetsTheSameBytes(t *testing.T) {
	server, _ := start(t)
	for _, request := range [][2]string{
		{"/chat/completions", `{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}`},
		{"/chat/completions", `{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}`},
		{"/responses", `{"model":"gpt-4o","input":"hi"}`},
		{"/responses", `{"model":"gpt-4o","input":"hi","stream":true}`},
		{"/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":"hi"}`},
		{"/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":"hi","stream":true}`},
		{"/embeddings", `{"model":"text-embedding-3-small","input":"hi"}`},
	} {
		_, first := postTo(t, server, request[0], request[1])
		_, second := postTo(t, server, request[0], request[1])
		require.Equal(t, string(first), string(second))
	}
}

func TestStreamCarriesTheSameAnswerAsPlain(t *testing.T) {
	server, client := start(t)
	params := ask("gpt-4o", "You are a viral content creator.", "Write about coffee.")
	plain, err := client.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)

	params.StreamOptions.IncludeUsage = openai.Bool(true)
	chunks, streamed := accumulate(t, client, params)
	require.Greater(t, len(chunks), 10)
	require.Equal(t, plain.ID, streamed.ID)
	require.Equal(t, plain.Model, streamed.Model)
	require.Equal(t, plain.Choices[0].Message.Content, streamed.Choices[0].Message.Content)
	require.Equal(t, plain.Choices[0].FinishReason, streamed.Choices[0].FinishReason)
	require.Equal(t, plain.Usage.TotalTokens, streamed.Usage.TotalTokens)

	calls := server.Calls()
	require.Equal(t, calls[0].Usage, calls[1].Usage)
	require.True(t, calls[1].Stream)
}

func TestUsageChunkComesOnlyWhenAskedFor(t *testing.T) {
	server, client := start(t)
	params := ask("gpt-4o", educator, "What is a token?")

	chunks, _ := accumulate(t, client, params)
	for _, chunk := range chunks {
		require.Len(t, chunk.Choices, 1)
		require.NotContains(t, chunk.RawJSON(), `"usage"`)
	}

	params.StreamOptions.IncludeUsage = openai.Bool(true)
	chunks, _ = accumulate(t, client, params)
	last := len(chunks) - 1
	for _, chunk := range chunks[:last] {
		require.Contains(t, chunk.RawJSON(), `"usage":null`)
	}
	require.Contains(t, chunks[last].RawJSON(), `"choices":[]`)
	require.Positive(t, chunks[last].Usage.CompletionTokens)

	calls := server.Calls()
	require.Equal(t, calls[0].Usage, calls[1].Usage, "the usage is billed either way")
	require.Equal(t, []bool{false, true}, []bool{calls[0].UsageSent, calls[1].UsageSent})
}

func TestStreamIsServerSentEventsUntilDone(t *testing.T) {
	server, _ := start(t)
	res, data := post(t, server, `{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"stream":true}`)
	require.Equal(t, "text/event-stream; charset=utf-8", res.Header.Get("Content-Type"))
	events := bytes.Split(bytes.TrimSuffix(data, []byte("\n\n")), []byte("\n\n"))
	require.Equal(t, "data: [DONE]", string(events[len(events)-1]))
	for _, event := range events[:len(events)-1] {
		payload, found := bytes.CutPrefix(event, []byte("data: "))
		require.True(t, found)
		require.True(t, json.Valid(payload))
	}
	require.Contains(t, string(events[0]), `"delta":{"role":"assistant","content":"","refusal":null}`)
}

func TestChoicesDifferAndAreBilledTogether(t *testing.T) {
	_, client := start(t)
	params := ask("gpt-4o", educator, "Explain recursion.")
	params.N = openai.Int(2)
	plain, err := client.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Len(t, plain.Choices, 2)
	require.NotEqual(t, plain.Choices[0].Message.Content, plain.Choices[1].Message.Content)
	require.EqualValues(t, 1, plain.Choices[1].Index)

	_, streamed := accumulate(t, client, params)
	for i := range plain.Choices {
		require.Equal(t, plain.Choices[i].Message.Content, streamed.Choices[i].Message.Content)
	}
	params.N = openai.Int(1)
	one, err := client.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, one.Usage.PromptTokens, plain.Usage.PromptTokens)
	require.Greater(t, plain.Usage.CompletionTokens, one.Usage.CompletionTokens)
}

func TestMaxTokensCutsTheAnswer(t *testing.T) {
	_, client := start(t)
	params := ask("gpt-4o", educator, "Explain recursion.")
	params.MaxCompletionTokens = openai.Int(5)
	answer, err := client.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, "length", answer.Choices[0].FinishReason)
	require.EqualValues(t, 5, answer.Usage.CompletionTokens)
}

func TestLatencyIsSpentBeforeTheFirstChunk(t *testing.T) {
	const longest = 80 * time.Millisecond
	_, client := start(t, openaitest.WithLatency(longest))
	begin := time.Now()
	stream := client.Chat.Completions.NewStreaming(t.Context(), ask("gpt-4o", educator, "Explain recursion."))
	defer func() { require.NoError(t, stream.Close()) }()
	require.True(t, stream.Next())
	require.GreaterOrEqual(t, time.Since(begin), longest/8)
}
