// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
)

func TestModelNameSelectsAFailure(t *testing.T) {
	for model, want := range map[string]struct {
		status int
		kind   string
		code   string
	}{
		openaitest.ModelBadRequest:  {http.StatusBadRequest, "invalid_request_error", "invalid_value"},
		openaitest.ModelServerError: {http.StatusInternalServerError, "server_error", ""},
		openaitest.ModelRateLimited: {http.StatusTooManyRequests, "requests", "rate_limit_exceeded"},
	} {
		t.Run(model, func(t *testing.T) {
			server, client := start(t)
			_, err := client.Chat.Completions.New(t.Context(), ask(model, educator, "hi"), option.WithMaxRetries(0))
			var apiErr *openai.Error
			require.ErrorAs(t, err, &apiErr)
			require.Equal(t, want.status, apiErr.StatusCode)
			require.Equal(t, want.kind, apiErr.Type)
			require.Equal(t, want.code, apiErr.Code)
			require.Equal(t, []openaitest.Call{
				{Method: http.MethodPost, Path: "/v1/chat/completions", Model: model, Status: want.status},
			}, server.Calls())
		})
	}
}

func TestRateLimitedRequestSucceedsWhenRetried(t *testing.T) {
	server, client := start(t)
	answer, err := client.Chat.Completions.New(t.Context(), ask(openaitest.ModelRateLimited, educator, "hi"))
	require.NoError(t, err)
	require.NotEmpty(t, answer.Choices[0].Message.Content)
	calls := server.Calls()
	require.Len(t, calls, 2)
	require.Equal(t, []int{429, 200}, []int{calls[0].Status, calls[1].Status})

	res, _ := post(t, server, `{"model":"error-429","messages":[{"role":"user","content":"hi"}]}`)
	require.Equal(t, "1", res.Header.Get("Retry-After"))
	require.Equal(t, "10", res.Header.Get("Retry-After-Ms"))
}

func TestCutConnectionBreaksTheAnswer(t *testing.T) {
	server, client := start(t)
	params := ask(openaitest.ModelCutStream, educator, "Explain recursion.")

	stream := client.Chat.Completions.NewStreaming(t.Context(), params)
	text := ""
	var textSb64 strings.Builder
	for stream.Next() {
		textSb64.WriteString(stream.Current().Choices[0].Delta.Content)
	}
	text += textSb64.String()
	require.ErrorIs(t, stream.Err(), io.ErrUnexpectedEOF)
	require.NoError(t, stream.Close())
	require.NotEmpty(t, text)

	_, err := client.Chat.Completions.New(t.Context(), params, option.WithMaxRetries(0))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	for _, call := range server.Calls() {
		require.Equal(t, http.StatusOK, call.Status)
		require.Positive(t, call.Usage.CompletionTokens, "what was generated is billed")
	}
}

func TestInvalidRequestGetsTheErrorOfTheRealAPI(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"hi"}]`
	for name, tt := range map[string]struct {
		body   string
		status int
		error  string
	}{
		"malformed":       {`{"model":`, 400, `"We could not parse the JSON body`},
		"not JSON object": {`[]`, 400, `"We could not parse the JSON body`},
		"no model":        {`{` + messages + `}`, 400, `{"error":{"message":"you must provide a model parameter","type":"invalid_request_error","param":"model","code":null}}`},
		"unknown model": {
			`{"model":"gpt-9",` + messages + `}`, 404,
			`{"error":{"message":"The model ` + "`gpt-9`" + ` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}`,
		},
		"no messages":    {`{"model":"gpt-4o"}`, 400, `"code":"missing_required_parameter"`},
		"empty messages": {`{"model":"gpt-4o","messages":[]}`, 400, `"code":"empty_array"`},
		"unknown role":   {`{"model":"gpt-4o","messages":[{"role":"cat","content":"hi"}]}`, 400, `"param":"messages[0].role"`},
		"wrong type":     {`{"model":"gpt-4o","temperature":"hot",` + messages + `}`, 400, `Invalid type for 'temperature': expected a number, but got string instead.`},
		"negative max_tokens": {
			`{"model":"gpt-4o","max_tokens":-1,` + messages + `}`, 400,
			`Invalid 'max_tokens': integer below minimum value. Expected a value \u003e= 1, but got -1 instead.","type":"invalid_request_error","param":"max_tokens","code":"integer_below_min_value"`,
		},
		"fractional n": {`{"model":"gpt-4o","n":1.5,` + messages + `}`, 400, `"code":"invalid_type"`},
		"temperature too high": {
			`{"model":"gpt-4o","temperature":2.5,` + messages + `}`, 400,
			`Invalid 'temperature': decimal above maximum value. Expected a value \u003c= 2, but got 2.5 instead.","type":"invalid_request_error","param":"temperature","code":"decimal_above_max_value"`,
		},
		"stream_options without stream": {`{"model":"gpt-4o","stream_options":{"include_usage":true},` + messages + `}`, 400, `"param":"stream_options"`},
		"tool_choice without tools":     {`{"model":"gpt-4o","tool_choice":"auto",` + messages + `}`, 400, `"param":"tool_choice"`},
		"tool result without a call":    {`{"model":"gpt-4o","messages":[{"role":"tool","content":"4"}]}`, 400, `"param":"messages.[0].role"`},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := start(t)
			res, body := post(t, server, tt.body)
			require.Equal(t, tt.status, res.StatusCode, string(body))
			require.Contains(t, string(body), tt.error)
			require.Equal(t, "application/json", res.Header.Get("Content-Type"))
			require.Equal(t, tt.status, server.Calls()[0].Status)
		})
	}
}

func TestRequestWithoutKeyIsRefused(t *testing.T) {
	server, client := start(t)
	_, err := client.Chat.Completions.New(t.Context(), ask("gpt-4o", educator, "hi"), option.WithAPIKey(""))
	var apiErr *openai.Error
	require.ErrorAs(t, err, &apiErr)
	require.Equal(t, http.StatusUnauthorized, apiErr.StatusCode)
	require.Len(t, server.Calls(), 1)
}

func TestOtherPathsAndMethodsAreRefused(t *testing.T) {
	server, _ := start(t)
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, "/chat/completions", http.StatusMethodNotAllowed},
		{http.MethodPost, "/moderations", http.StatusNotFound},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, server.BaseURL()+tt.path, strings.NewReader("{}"))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer test")
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, tt.status, res.StatusCode)
		require.Contains(t, string(body), `"type":"invalid_request_error"`)
	}
}
