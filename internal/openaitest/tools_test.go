// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest_test

import (
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"
	"github.com/stretchr/testify/require"
)

func property(kind string) map[string]any { return map[string]any{"type": kind} }

func tool(name string, properties map[string]any) openai.ChatCompletionToolUnionParam {
	return openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name:       name,
		Parameters: shared.FunctionParameters{"type": "object", "properties": properties},
	})
}

var (
	getSum     = tool("get_sum", map[string]any{"a": property("integer"), "b": property("integer")})
	getWeather = tool("get_weather", map[string]any{
		"city": property("string"),
		"unit": map[string]any{"type": "string", "enum": []string{"celsius", "fahrenheit"}},
	})
)

type called struct{ name, arguments string }

func callsOf(message openai.ChatCompletionMessage) []called {
	var calls []called
	for _, call := range message.ToolCalls {
		calls = append(calls, called{call.Function.Name, call.Function.Arguments})
	}
	return calls
}

func TestUserMessageCallsTools(t *testing.T) {
	choose := func(choice string) openai.ChatCompletionToolChoiceOptionUnionParam {
		return openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String(choice)}
	}
	chooseWeather := openai.ToolChoiceOptionFunctionToolChoice(openai.ChatCompletionNamedToolChoiceFunctionParam{Name: "get_weather"})
	const (
		question = "What is 19 + 23?"
		both     = "get_sum of 19 and 23, get_weather in Porto"
	)
	sum := called{"get_sum", `{"a":19,"b":23}`}
	weather := called{"get_weather", `{"city":"Porto","unit":"celsius"}`}
	for name, tt := range map[string]struct {
		message string
		params  openai.ChatCompletionNewParams // ToolChoice and ParallelToolCalls
		want    []called
	}{
		"the first":          {message: question, want: []called{sum}},
		"the one it names":   {message: "Use get_weather for Porto.", want: []called{weather}},
		"all that it names":  {message: both, want: []called{sum, weather}},
		"one, not parallel":  {message: both, params: openai.ChatCompletionNewParams{ParallelToolCalls: openai.Bool(false)}, want: []called{sum}},
		"none when told so":  {message: question, params: openai.ChatCompletionNewParams{ToolChoice: choose("none")}},
		"one where required": {message: question, params: openai.ChatCompletionNewParams{ToolChoice: choose("required")}, want: []called{sum}},
		"the one chosen":     {message: "And in Porto?", params: openai.ChatCompletionNewParams{ToolChoice: chooseWeather}, want: []called{weather}},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := start(t)
			params := ask("gpt-4o", educator, tt.message)
			params.Tools = []openai.ChatCompletionToolUnionParam{getSum, getWeather}
			params.ToolChoice, params.ParallelToolCalls = tt.params.ToolChoice, tt.params.ParallelToolCalls
			plain, err := client.Chat.Completions.New(t.Context(), params)
			require.NoError(t, err)
			require.Equal(t, tt.want, callsOf(plain.Choices[0].Message))
			finish := "stop"
			if tt.want != nil {
				finish = "tool_calls"
				require.NotContains(t, plain.RawJSON(), `"content":"`, "content is null")
			}
			require.Equal(t, finish, plain.Choices[0].FinishReason)

			_, streamed := accumulate(t, client, params)
			require.Equal(t, tt.want, callsOf(streamed.Choices[0].Message))
			require.Equal(t, finish, streamed.Choices[0].FinishReason)
			for i, call := range plain.Choices[0].Message.ToolCalls {
				require.Equal(t, call.ID, streamed.Choices[0].Message.ToolCalls[i].ID)
			}
		})
	}
}

func TestToolResultIsAnsweredInText(t *testing.T) {
	_, client := start(t)
	params := ask("gpt-4o", educator, "What is 19 + 23?")
	params.Tools = []openai.ChatCompletionToolUnionParam{getSum}
	first, err := client.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)
	message := first.Choices[0].Message

	params.Messages = append(params.Messages, message.ToParam(), openai.ToolMessage("42", message.ToolCalls[0].ID))
	second, err := client.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Contains(t, second.Choices[0].Message.Content, "42")
	require.Empty(t, second.Choices[0].Message.ToolCalls)
	require.Greater(t, second.Usage.PromptTokens, first.Usage.PromptTokens)
}
