// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest_test

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
)

func textInput(text string) responses.ResponseNewParamsInputUnion {
	return responses.ResponseNewParamsInputUnion{OfString: openai.String(text)}
}

// stream reads the events of a response, holds them to their order, and returns the types without repetitions, the text and
// the response of the last event.
func stream(t *testing.T, client openai.Client, params responses.ResponseNewParams) (kinds []string, text string, last responses.Response) {
	t.Helper()
	events := client.Responses.NewStreaming(t.Context(), params)
	var pieces strings.Builder
	for n := int64(0); events.Next(); n++ {
		e := events.Current()
		require.Equal(t, n, e.SequenceNumber)
		if len(kinds) == 0 || kinds[len(kinds)-1] != e.Type {
			kinds = append(kinds, e.Type)
		}
		pieces.WriteString(e.Delta)
		last = e.Response
	}
	require.NoError(t, events.Err())
	require.NoError(t, events.Close())
	return kinds, pieces.String(), last
}

func TestResponseSaysWhatAChatSaysAndCostsTheSame(t *testing.T) {
	server, client := start(t)
	chat, err := client.Chat.Completions.New(t.Context(), ask("gpt-4o", educator, "Explain recursion."))
	require.NoError(t, err)
	params := responses.ResponseNewParams{Model: "gpt-4o", Instructions: openai.String(educator), Input: textInput("Explain recursion.")}
	response, err := client.Responses.New(t.Context(), params)
	require.NoError(t, err)

	require.Regexp(t, `^resp_[0-9a-f]{29}$`, response.ID)
	require.Equal(t, "gpt-4o-2024-08-06", response.Model)
	require.EqualValues(t, "completed", response.Status)
	require.Contains(t, strings.ToLower(response.OutputText()), "recursi")
	require.Equal(t, chat.Usage.PromptTokens, response.Usage.InputTokens)
	require.Positive(t, response.Usage.OutputTokens)
	require.True(t, response.Usage.JSON.OutputTokensDetails.Valid())
	call := server.Calls()[1]
	require.Equal(t, openaitest.Call{
		Method: http.MethodPost, Path: "/v1/responses", Model: "gpt-4o", Status: http.StatusOK, ID: response.ID, UsageSent: true,
		Usage: openaitest.Usage{
			PromptTokens: int(response.Usage.InputTokens), CompletionTokens: int(response.Usage.OutputTokens), TotalTokens: int(response.Usage.TotalTokens),
		},
	}, call)

	kinds, text, last := stream(t, client, params)
	require.Equal(t, []string{
		"response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
		"response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
	}, kinds)
	require.Equal(t, response.OutputText(), text)
	require.JSONEq(t, response.RawJSON(), last.RawJSON())

	fetched, err := client.Responses.Get(t.Context(), response.ID, responses.ResponseGetParams{})
	require.NoError(t, err)
	require.JSONEq(t, response.RawJSON(), fetched.RawJSON())
}

func TestResponseCallsTools(t *testing.T) {
	_, client := start(t)
	params := responses.ResponseNewParams{
		Model: "gpt-4o", Input: textInput("What is 19 + 23?"),
		Tools: []responses.ToolUnionParam{responses.ToolParamOfFunction("get_sum", map[string]any{
			"type": "object", "properties": map[string]any{"a": property("integer"), "b": property("integer")},
		}, false)},
	}
	response, err := client.Responses.New(t.Context(), params)
	require.NoError(t, err)
	require.Len(t, response.Output, 1)
	call := response.Output[0].AsFunctionCall()
	require.JSONEq(t, `{"a":19,"b":23}`, call.Arguments)
	kinds, arguments, _ := stream(t, client, params)
	require.Equal(t, []string{
		"response.created", "response.in_progress", "response.output_item.added", "response.function_call_arguments.delta",
		"response.function_call_arguments.done", "response.output_item.done", "response.completed",
	}, kinds)
	require.Equal(t, call.Arguments, arguments)

	params.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
		responses.ResponseInputItemParamOfMessage("What is 19 + 23?", responses.EasyInputMessageRoleUser),
		responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.CallID, call.Name),
		responses.ResponseInputItemParamOfFunctionCallOutput("42"),
	}}
	response, err = client.Responses.New(t.Context(), params)
	require.NoError(t, err)
	require.Contains(t, response.OutputText(), "42")
}

func TestResponseThatFollowsAnotherIsToldWhatWasSaid(t *testing.T) {
	_, client := start(t)
	first, err := client.Responses.New(t.Context(), responses.ResponseNewParams{Model: "gpt-4o", Instructions: openai.String(educator), Input: textInput("Explain recursion.")})
	require.NoError(t, err)
	second, err := client.Responses.New(t.Context(), responses.ResponseNewParams{Model: "gpt-4o", Input: textInput("And a token?"), PreviousResponseID: openai.String(first.ID)})
	require.NoError(t, err)
	same, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "gpt-4o", Messages: []openai.ChatCompletionMessageParamUnion{
		openai.UserMessage("Explain recursion."), openai.AssistantMessage(first.OutputText()), openai.UserMessage("And a token?"),
	}})
	require.NoError(t, err)
	require.Equal(t, same.Usage.PromptTokens, second.Usage.InputTokens)
}

func TestResponseInTheBackgroundIsThereWhenFetched(t *testing.T) {
	server, client := start(t)
	queued, err := client.Responses.New(t.Context(), responses.ResponseNewParams{Model: "gpt-4o", Input: textInput("hi"), Background: openai.Bool(true)})
	require.NoError(t, err)
	require.EqualValues(t, "queued", queued.Status)
	require.False(t, queued.JSON.Usage.Valid())
	require.Empty(t, queued.Output)
	fetched, err := client.Responses.Get(t.Context(), queued.ID, responses.ResponseGetParams{})
	require.NoError(t, err)
	require.EqualValues(t, "completed", fetched.Status)
	require.EqualValues(t, server.Calls()[0].Usage.TotalTokens, fetched.Usage.TotalTokens)
	require.False(t, server.Calls()[0].UsageSent)
}

func TestResponseThatIsCutByItsLimit(t *testing.T) {
	_, client := start(t)
	params := responses.ResponseNewParams{Model: "gpt-4o", Input: textInput("hi"), MaxOutputTokens: openai.Int(3)}
	response, err := client.Responses.New(t.Context(), params)
	require.NoError(t, err)
	require.EqualValues(t, "incomplete", response.Status)
	require.Equal(t, "max_output_tokens", response.IncompleteDetails.Reason)
	require.EqualValues(t, 3, response.Usage.OutputTokens)
	kinds, _, _ := stream(t, client, params)
	require.Equal(t, "response.incomplete", kinds[len(kinds)-1])
}

func TestLegacyCompletion(t *testing.T) {
	server, client := start(t)
	params := openai.CompletionNewParams{
		Model: openai.CompletionNewParamsModelGPT3_5TurboInstruct, N: openai.Int(2),
		Prompt: openai.CompletionNewParamsPromptUnion{OfArrayOfStrings: []string{"hello world", "tiktoken is great!"}},
	}
	whole, err := client.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Regexp(t, `^cmpl-[0-9a-f]{29}$`, whole.ID)
	require.EqualValues(t, "text_completion", whole.Object)
	require.Len(t, whole.Choices, 4)
	require.EqualValues(t, 2+6, whole.Usage.PromptTokens)
	require.LessOrEqual(t, whole.Usage.CompletionTokens, int64(4*16), "16 is the limit where none is set")

	params.StreamOptions.IncludeUsage = openai.Bool(true)
	streamed := client.Completions.NewStreaming(t.Context(), params)
	texts, reasons := make([]string, 4), make([]string, 4)
	var usage openai.CompletionUsage
	for streamed.Next() {
		for _, choice := range streamed.Current().Choices {
			texts[choice.Index] += choice.Text
			if choice.FinishReason != "" {
				reasons[choice.Index] = string(choice.FinishReason)
			}
		}
		usage = streamed.Current().Usage
	}
	require.NoError(t, streamed.Err())
	require.NoError(t, streamed.Close())
	for i, choice := range whole.Choices {
		require.Equal(t, choice.Text, texts[i])
		require.EqualValues(t, choice.FinishReason, reasons[i])
	}
	require.Equal(t, whole.Usage.TotalTokens, usage.TotalTokens)
	require.Equal(t, server.Calls()[0].Usage, server.Calls()[1].Usage)
}

func TestEmbeddings(t *testing.T) {
	server, client := start(t)
	embed := func(change func(*openai.EmbeddingNewParams)) *openai.CreateEmbeddingResponse {
		params := openai.EmbeddingNewParams{Model: "text-embedding-3-small", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"hello world", "tiktoken is great!"}}}
		change(&params)
		got, err := client.Embeddings.New(t.Context(), params)
		require.NoError(t, err)
		return got
	}
	got := embed(func(*openai.EmbeddingNewParams) {})
	require.EqualValues(t, 8, got.Usage.PromptTokens)
	require.EqualValues(t, 8, got.Usage.TotalTokens)
	require.Len(t, got.Data, 2)
	require.Len(t, got.Data[0].Embedding, 1536)
	square := 0.0
	for _, n := range got.Data[0].Embedding {
		square += n * n
	}
	require.InDelta(t, 1, math.Sqrt(square), 1e-3)
	require.Equal(t, openaitest.Usage{PromptTokens: 8, TotalTokens: 8}, server.Calls()[0].Usage)

	one := embed(func(p *openai.EmbeddingNewParams) {
		p.Input = openai.EmbeddingNewParamsInputUnion{OfString: param.NewOpt("hello world")}
	})
	require.Equal(t, got.Data[0].Embedding, one.Data[0].Embedding, "a text has one vector, whatever is beside it")
	require.Len(t, embed(func(p *openai.EmbeddingNewParams) { p.Dimensions = openai.Int(256) }).Data[1].Embedding, 256)
	tokens := embed(func(p *openai.EmbeddingNewParams) {
		p.Input = openai.EmbeddingNewParamsInputUnion{OfArrayOfTokens: []int64{1, 2, 3}}
	})
	require.EqualValues(t, 3, tokens.Usage.PromptTokens)

	_, encoded := postTo(t, server, "/embeddings", `{"model":"text-embedding-3-small","input":[[1,2],[3]],"encoding_format":"base64","dimensions":4}`)
	require.Regexp(t, `"embedding":"[A-Za-z0-9+/]{22}=="`, string(encoded))
}

func TestBatch(t *testing.T) {
	server, client := start(t)
	lines := `{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}}
{"custom_id":"b","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}}
{"custom_id":"c","method":"POST","url":"/v1/chat/completions","body":{"model":"no-such-model","messages":[]}}
`
	file, err := client.Files.New(t.Context(), openai.FileNewParams{Purpose: openai.FilePurposeBatch, File: openai.File(strings.NewReader(lines), "b.jsonl", "application/jsonl")})
	require.NoError(t, err)
	batch, err := client.Batches.New(t.Context(), openai.BatchNewParams{
		InputFileID: file.ID, Endpoint: openai.BatchNewParamsEndpointV1ChatCompletions, CompletionWindow: openai.BatchNewParamsCompletionWindow24h,
	})
	require.NoError(t, err)
	again, err := client.Batches.Get(t.Context(), batch.ID)
	require.NoError(t, err)
	require.JSONEq(t, batch.RawJSON(), again.RawJSON())
	require.EqualValues(t, "completed", batch.Status)
	require.Equal(t, []int64{3, 2, 1}, []int64{batch.RequestCounts.Total, batch.RequestCounts.Completed, batch.RequestCounts.Failed})

	content := func(id string) []string {
		res, err := client.Files.Content(t.Context(), id)
		require.NoError(t, err)
		data, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
	require.Len(t, content(batch.InputFileID), 3)
	type result struct {
		CustomID string `json:"custom_id"`
		Response struct {
			StatusCode int `json:"status_code"`
			Body       openai.ChatCompletion
		}
	}
	results := make(map[string]result)
	for _, line := range append(content(batch.OutputFileID), content(batch.ErrorFileID)...) {
		var r result
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		results[r.CustomID] = r
	}
	require.Len(t, results, 3)
	require.Equal(t, "gpt-4o-2024-08-06", results["a"].Response.Body.Model)
	require.Equal(t, batch.Usage.TotalTokens, results["a"].Response.Body.Usage.TotalTokens+results["b"].Response.Body.Usage.TotalTokens)
	require.Equal(t, 404, results["c"].Response.StatusCode)
	require.Equal(t, batch.ID, server.Calls()[len(server.Calls())-4].ID)
}

func TestErrorsOfTheOtherEndpoints(t *testing.T) {
	server, client := start(t)
	for name, tt := range map[string]struct {
		path, body string
		status     int
		error      string
	}{
		"response without input":        {"/responses", `{"model":"gpt-4o"}`, 400, `"param":"input","code":"missing_required_parameter"`},
		"response with an empty list":   {"/responses", `{"model":"gpt-4o","input":[]}`, 400, `"param":"input"`},
		"response after none":           {"/responses", `{"model":"gpt-4o","input":"hi","previous_response_id":"resp_0"}`, 400, `"code":"previous_response_not_found"`},
		"response of an embedder":       {"/responses", `{"model":"text-embedding-3-small","input":"hi"}`, 404, "is not a chat model"},
		"response that fails":           {"/responses", `{"model":"error-500","input":"hi"}`, 500, `"type":"server_error"`},
		"completion of a chat model":    {"/completions", `{"model":"gpt-4o","prompt":"hi"}`, 404, "is not a completion model"},
		"completion without a prompt":   {"/completions", `{"model":"gpt-3.5-turbo-instruct"}`, 400, `"param":"prompt"`},
		"completion that is limited":    {"/completions", `{"model":"error-429","prompt":"hi"}`, 429, `"code":"rate_limit_exceeded"`},
		"embedding without input":       {"/embeddings", `{"model":"text-embedding-3-small"}`, 400, `"param":"input"`},
		"embedding of an unknown model": {"/embeddings", `{"model":"gpt-9","input":"hi"}`, 404, `"code":"model_not_found"`},
		"embedding that is too long":    {"/embeddings", `{"model":"text-embedding-3-small","input":"hi","dimensions":4000}`, 400, `"code":"integer_above_max_value"`},
		"embedding in another format":   {"/embeddings", `{"model":"text-embedding-3-small","input":"hi","encoding_format":"xml"}`, 400, `"param":"encoding_format"`},
		"embedding of nothing":          {"/embeddings", `{"model":"text-embedding-3-small","input":{}}`, 400, `"type":"invalid_request_error"`},
		"batch of no file":              {"/batches", `{"input_file_id":"file-0","endpoint":"/v1/responses"}`, 404, "File with id"},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := postTo(t, server, tt.path, tt.body)
			require.Equal(t, tt.status, res.StatusCode, string(body))
			require.Contains(t, string(body), tt.error)
		})
	}
	_, err := client.Responses.Get(t.Context(), "resp_0", responses.ResponseGetParams{})
	require.ErrorContains(t, err, "404")
	_, err = client.Batches.Get(t.Context(), "batch_0")
	require.ErrorContains(t, err, "404")

	events := client.Responses.NewStreaming(t.Context(), responses.ResponseNewParams{Model: openaitest.ModelCutStream, Input: textInput("hi")}, option.WithMaxRetries(0))
	for events.Next() {
	}
	require.ErrorIs(t, events.Err(), io.ErrUnexpectedEOF)
	require.NoError(t, events.Close())
}

// Azure has its own path, and its own header for the key.
func TestAzure(t *testing.T) {
	server, _ := start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(server.BaseURL(), "/v1")+"/openai/v1/responses",
		strings.NewReader(`{"model":"gpt-4o","input":"hi"}`))
	require.NoError(t, err)
	req.Header.Set("Api-Key", "test")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
}
