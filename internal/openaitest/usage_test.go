// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest_test

import (
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"
	"github.com/stretchr/testify/require"
)

// The expectations of the first two tests are the figures printed in the OpenAI cookbook, "How to count tokens with
// tiktoken", sections 6 and 7.

func named(name, text string) openai.ChatCompletionMessageParamUnion {
	return openai.ChatCompletionMessageParamUnion{OfSystem: &openai.ChatCompletionSystemMessageParam{
		Name:    openai.String(name),
		Content: openai.ChatCompletionSystemMessageParamContentUnion{OfString: openai.String(text)},
	}}
}

func TestMessagesCostWhatTheCookbookSays(t *testing.T) {
	messages := []openai.ChatCompletionMessageParamUnion{
		openai.SystemMessage("You are a helpful, pattern-following assistant that translates corporate jargon into plain English."),
		named("example_user", "New synergies will help drive top-line growth."),
		named("example_assistant", "Things working well together will increase revenue."),
		named("example_user", "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."),
		named("example_assistant", "Let's talk later when we're less busy about how to do better."),
		openai.UserMessage("This late pivot means we don't have time to boil the ocean for the client deliverable."),
	}
	_, client := start(t)
	for model, want := range map[string]int64{"gpt-3.5-turbo": 129, "gpt-4-0613": 129, "gpt-4": 129, "gpt-4o": 124, "gpt-4o-mini": 124} {
		answer, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: model, Messages: messages})
		require.NoError(t, err)
		require.Equal(t, want, answer.Usage.PromptTokens, model)
	}
}

func TestToolsCostWhatTheCookbookSays(t *testing.T) {
	params := ask("", "You are a helpful assistant that can answer to questions about the weather.",
		"What's the weather like in San Francisco?")
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name:        "get_current_weather",
		Description: openai.String("Get the current weather in a given location"),
		Parameters: shared.FunctionParameters{
			"type": "object",
			"properties": map[string]any{
				"location": map[string]any{"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
				"unit":     map[string]any{"type": "string", "description": "The unit of temperature to return", "enum": []string{"celsius", "fahrenheit"}},
			},
			"required": []string{"location"},
		},
	})}
	_, client := start(t)
	for model, want := range map[string]int64{"gpt-3.5-turbo": 105, "gpt-4": 105, "gpt-4o": 101, "gpt-4o-mini": 101} {
		params.Model = model
		answer, err := client.Chat.Completions.New(t.Context(), params)
		require.NoError(t, err)
		require.Equal(t, want, answer.Usage.PromptTokens, model)
	}
}

func TestContentPartsAreCountedWithTheirImages(t *testing.T) {
	_, client := start(t)
	prompt := func(content ...openai.ChatCompletionContentPartUnionParam) int64 {
		answer, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
			Model: "gpt-4o", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(content)},
		})
		require.NoError(t, err)
		return answer.Usage.PromptTokens
	}
	text := openai.TextContentPart("hello world")
	image := openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64,"})
	require.EqualValues(t, 3+1+2+3, prompt(text))
	require.EqualValues(t, 3+1+2+3+85, prompt(text, image))
}
