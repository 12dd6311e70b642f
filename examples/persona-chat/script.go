// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"
)

// The personas, by id, with their system prompts.
var systemPrompts = map[string]string{
	"viral_content_creator": "You are a viral content creator. Write short, punchy posts with a strong hook.",
	"tech_educator":         "You are a patient tech educator. Explain with one everyday analogy, in two or three sentences.",
	"support_agent":         "You are a friendly support agent of a software company. Be brief and tell the next step.",
}

// The two models to compare.
const (
	large openai.ChatModel = "gpt-4o"
	small openai.ChatModel = "gpt-4o-mini"
)

// exchange is one question to one persona.
type exchange struct {
	persona     string
	model       openai.ChatModel
	question    string
	stream      streamMode
	temperature float64
	wantRefusal bool // the API must answer 400
}

// streamMode says how an answer is asked for.
type streamMode int

const (
	plain streamMode = iota
	// streamed asks for a stream that ends with the token usage.
	streamed
	// streamedNoUsage asks for a stream as many applications do: without stream_options.include_usage the API never says
	// what the answer cost. The collector's token processor counts it.
	streamedNoUsage
)

var script = []exchange{
	{persona: "viral_content_creator", model: large, question: "Write a post that launches our cold brew coffee."},
	{persona: "viral_content_creator", model: small, question: "Give me a hook for a video about working from home."},
	{persona: "viral_content_creator", model: small, question: "Write a thread about growing an audience.", stream: streamed},
	{persona: "tech_educator", model: large, question: "What is recursion?"},
	{persona: "tech_educator", model: small, question: "What is recursion?"}, // the same, to compare the models
	{persona: "tech_educator", model: small, question: "How is a goroutine different from a thread?", stream: streamed},
	{persona: "tech_educator", model: large, question: "What is a token in a language model?", stream: streamedNoUsage},
	{persona: "support_agent", model: small, question: "I cannot reset my password, the mail never arrives."},
	{persona: "support_agent", model: small, question: "Why is there a second charge on my invoice?", stream: streamedNoUsage},
	// A temperature above 2 is refused. It becomes a failed run, so that a persona's error rate can be seen.
	{persona: "support_agent", model: large, question: "Where is my refund?", temperature: 2.5, wantRefusal: true},
}

// runScript makes every call of the script and then those of sum, and returns the errors of all that went wrong.
func (c chat) runScript(ctx context.Context) error {
	var errs []error
	for _, e := range script {
		params := openai.ChatCompletionNewParams{
			Model:    e.model,
			Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(systemPrompts[e.persona]), openai.UserMessage(e.question)},
		}
		if e.temperature != 0 {
			params.Temperature = openai.Float(e.temperature)
		}
		_, err := c.call(ctx, e.persona, params, e.stream)
		if e.wantRefusal {
			err = wantRefusal(err)
		}
		errs = append(errs, err)
	}
	errs = append(errs, c.sum(ctx))
	return errors.Join(errs...)
}

var getSum = openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
	Name:        "get_sum",
	Description: openai.String("Add two integers"),
	Parameters: shared.FunctionParameters{
		"type": "object",
		"properties": map[string]any{
			"a": map[string]string{"type": "integer", "description": "The first number"},
			"b": map[string]string{"type": "integer", "description": "The second number"},
		},
		"required": []string{"a", "b"},
	},
})

// sum lets the educator call a tool, and answer with its result.
func (c chat) sum(ctx context.Context) error {
	const persona = "tech_educator"
	params := openai.ChatCompletionNewParams{
		Model: small,
		Messages: []openai.ChatCompletionMessageParamUnion{
			openai.SystemMessage(systemPrompts[persona]),
			openai.UserMessage("What is 19 + 23?"),
		},
		Tools:      []openai.ChatCompletionToolUnionParam{getSum},
		ToolChoice: openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("required")},
	}
	asked, err := c.call(ctx, persona, params, plain)
	if err != nil {
		return err
	}
	params.Messages = append(params.Messages, asked.ToParam())
	for _, toolCall := range asked.ToolCalls {
		result, err := addArguments(toolCall.Function.Arguments)
		if err != nil {
			return err
		}
		params.Messages = append(params.Messages, openai.ToolMessage(result, toolCall.ID))
	}
	params.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("none")}
	_, err = c.call(ctx, persona, params, plain)
	return err
}
