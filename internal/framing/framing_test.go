// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// cookbook is the example of OpenAI's cookbook, "How to count tokens with tiktoken".
var cookbook = []genai.Message{
	message("system", "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."),
	named("system", "example_user", "New synergies will help drive top-line growth."),
	named("system", "example_assistant", "Things working well together will increase revenue."),
	named("system", "example_user", "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."),
	named("system", "example_assistant", "Let's talk later when we're less busy about how to do better."),
	message("user", "This late pivot means we don't have time to boil the ocean for the client deliverable."),
}

// The numbers that the cookbook prints, beside what the API counted.
func TestInputOfTheCookbook(t *testing.T) {
	for model, want := range map[string]int64{
		"gpt-3.5-turbo-0613":     129,
		"gpt-4-0314":             129,
		"gpt-4-0613":             129,
		"gpt-4":                  129,
		"gpt-4o":                 124,
		"gpt-4o-mini-2024-07-18": 124,
		"o3-mini":                123, // one less, see the package
		"gpt-5-nano-2025-08-07":  123,
		"gpt-5.6":                123,
	} {
		c := call(t, model, &genai.Messages{Input: cookbook})
		if want == 123 { // on record for the Responses API
			c.Span.API = semconv.APITypeResponses
		}
		require.Equal(t, framing.Count{Tokens: want, Source: semconv.SourceCounted}, framing.Input(c, counter(t, model)), model)
	}
}

func TestInputOfInstructionsIsThatOfASystemMessage(t *testing.T) {
	messages := &genai.Messages{System: cookbook[0].Parts, Input: cookbook[1:]}
	got := framing.Input(call(t, "gpt-4o", messages), counter(t, "gpt-4o"))
	require.Equal(t, framing.Count{Tokens: 124, Source: semconv.SourceCounted}, got)
	require.Len(t, messages.Input, 5, "the messages are not changed")
}

func TestCountIsEstimatedWhereOnlyTheEncodingIsKnown(t *testing.T) {
	c := call(t, "o200k_base", &genai.Messages{Input: cookbook, Output: []genai.Message{message("assistant", "hello world")}})
	require.Equal(t, framing.Count{Tokens: 124, Source: semconv.SourceEstimated}, framing.Input(c, counter(t, "gpt-4o")))
	require.Equal(t, framing.Count{Tokens: 2, Source: semconv.SourceEstimated}, framing.Output(c, counter(t, "gpt-4o")))
}

func TestShapes(t *testing.T) {
	question := []genai.Message{message("user", "hello world")}
	answer := []genai.Message{message("assistant", "hello world")}
	counted := func(n int64) framing.Count { return framing.Count{Tokens: n, Source: semconv.SourceCounted} }
	partial := func(n int64) framing.Count {
		return framing.Count{Tokens: n, Source: semconv.SourcePartial, Reason: framing.ReasonCutOff}
	}
	estimated := func(n int64) framing.Count { return framing.Count{Tokens: n, Source: semconv.SourceEstimated} }
	without := func(r framing.Reason) framing.Count { return framing.Count{Reason: r} }
	const model = "gpt-4o"

	for name, test := range map[string]struct {
		model         string // gpt-4o if empty
		messages      genai.Messages
		change        func(*framing.Call)
		input, output framing.Count
	}{
		"text": {
			messages: genai.Messages{Input: question, Output: answer},
			input:    counted(9), output: estimated(2),
		},
		"several choices": {
			messages: genai.Messages{Input: question, Output: append(answer, answer...)},
			change:   func(c *framing.Call) { c.Span.Request.Choices = genai.Some[int64](2) },
			input:    counted(9), output: estimated(4),
		},
		"a choice is missing": {
			messages: genai.Messages{Input: question, Output: answer},
			change:   func(c *framing.Call) { c.Span.Request.Choices = genai.Some[int64](2) },
			input:    counted(9), output: without(framing.ReasonTruncated),
		},
		"no content":      {input: without(framing.ReasonNoContent), output: without(framing.ReasonNoContent)},
		"only the answer": {messages: genai.Messages{Output: answer}, input: without(framing.ReasonNoContent), output: estimated(2)},
		"message without parts": {
			messages: genai.Messages{Input: []genai.Message{{Role: "user"}}, Output: []genai.Message{{Role: "assistant"}}},
			input:    without(framing.ReasonNoContent), output: without(framing.ReasonNoContent),
		},
		"empty text": {
			messages: genai.Messages{Input: []genai.Message{message("user", "")}, Output: []genai.Message{message("assistant", "")}},
			input:    counted(7), output: estimated(0),
		},
		"truncated": {
			messages: genai.Messages{Input: question, Output: answer, Truncated: true, TruncatedInput: true, TruncatedOutput: true},
			input:    without(framing.ReasonTruncated), output: without(framing.ReasonTruncated),
		},
		"failed without an answer": {
			messages: genai.Messages{Input: question},
			change:   func(c *framing.Call) { c.Span.Failed = true },
			input:    without(framing.ReasonFailed), output: without(framing.ReasonFailed),
		},
		"failed during the answer": {
			messages: genai.Messages{Input: question, Output: answer},
			change:   func(c *framing.Call) { c.Span.Failed = true },
			input:    counted(9), output: partial(2),
		},
		"cut off": {
			messages: genai.Messages{Input: question, Output: []genai.Message{finished("error", answer[0])}},
			input:    counted(9), output: partial(2),
		},
		"filtered": {
			messages: genai.Messages{Input: question, Output: []genai.Message{finished("content_filter", answer[0])}},
			input:    counted(9), output: partial(2),
		},
		"tool definitions": {
			messages: genai.Messages{Input: question, Output: answer, Tools: []genai.Tool{{Name: "f", Parameters: "{}"}}},
			input:    estimated(32), output: estimated(2),
		},
		"tool without its parameters": {
			messages: genai.Messages{Input: question, Output: answer, Tools: []genai.Tool{{Name: "f"}}},
			input:    without(framing.ReasonTools), output: estimated(2),
		},
		"tool of the provider": {
			messages: genai.Messages{Input: question, Output: answer, Tools: []genai.Tool{{Type: "web_search"}}},
			input:    without(framing.ReasonServerTool), output: estimated(2),
		},
		"tool of the provider was used": {
			messages: genai.Messages{Input: question, Output: []genai.Message{
				{Role: "assistant", Parts: []genai.Part{{Kind: genai.PartServerToolCall}}}, answer[0],
			}},
			input: without(framing.ReasonServerTool), output: without(framing.ReasonServerTool),
		},
		"tool call as answer, without its definition": {
			messages: genai.Messages{Input: question, Output: []genai.Message{{Role: "assistant", Parts: []genai.Part{
				{Kind: genai.PartToolCall, Name: "f", Arguments: "{}"},
			}}}},
			input: without(framing.ReasonTools), output: estimated(9),
		},
		"reasoning before a tool call": {
			messages: genai.Messages{Input: question, Output: []genai.Message{{Role: "assistant", Parts: []genai.Part{
				{Kind: genai.PartReasoning, Text: "hm"}, {Kind: genai.PartToolCall, Name: "f"},
			}}}},
			input: without(framing.ReasonTools), output: without(framing.ReasonReasoning),
		},
		"tool call that only the finish reason shows": {
			messages: genai.Messages{Input: question, Output: []genai.Message{finished("tool_calls", genai.Message{})}},
			input:    without(framing.ReasonTools), output: without(framing.ReasonTools),
		},
		"tool result without its call": {
			messages: genai.Messages{
				Input: []genai.Message{question[0], {Role: "tool", Parts: []genai.Part{{Kind: genai.PartToolCallResponse, Text: "4"}}}},
			},
			input: without(framing.ReasonTools), output: without(framing.ReasonNoContent),
		},
		"continues a stored response": {
			messages: genai.Messages{Input: question, Output: answer},
			change:   func(c *framing.Call) { c.Span.Request.PreviousResponse = "resp_1" },
			input:    without(framing.ReasonPreviousResponse), output: estimated(2),
		},
		"file": {
			messages: genai.Messages{Input: []genai.Message{{Role: "user", Parts: []genai.Part{{Kind: genai.PartFile}}}}, Output: answer},
			input:    without(framing.ReasonFile), output: estimated(2),
		},
		"audio": {
			messages: genai.Messages{Input: []genai.Message{{Role: "user", Parts: []genai.Part{
				{Kind: genai.PartBlob, Modality: "audio"},
			}}}, Output: answer},
			input: without(framing.ReasonMedia), output: estimated(2),
		},
		"remote image": {
			messages: genai.Messages{Input: []genai.Message{{Role: "user", Parts: []genai.Part{
				{Kind: genai.PartText, Text: "what is this?"}, {Kind: genai.PartURI, URI: "https://example.com/a.png"},
			}}}, Output: answer},
			input: without(framing.ReasonImage), output: estimated(2),
		},
		"media as answer": {
			messages: genai.Messages{Input: question, Output: answer},
			change:   func(c *framing.Call) { c.Span.Request.OutputType = "image" },
			input:    without(framing.ReasonMedia), output: without(framing.ReasonMedia),
		},
		"JSON as answer": {
			messages: genai.Messages{Input: question, Output: answer},
			change:   func(c *framing.Call) { c.Span.Request.OutputType = semconv.OutputTypeJSON },
			input:    without(framing.ReasonJSONSchema), output: estimated(2),
		},
		"JSON as answer, without a schema": {
			messages: genai.Messages{Input: question, Output: answer},
			change: func(c *framing.Call) {
				c.Span.Request.OutputType, c.Span.Request.ResponseFormat = semconv.OutputTypeJSON, "json_object"
			},
			input: counted(9), output: estimated(2),
		},
		"text asked for": {
			messages: genai.Messages{Input: question, Output: answer},
			change:   func(c *framing.Call) { c.Span.Request.OutputType = semconv.OutputTypeText },
			input:    counted(9), output: estimated(2),
		},
		"reasoning model": {
			model:    "gpt-5-mini",
			messages: genai.Messages{Input: question, Output: answer},
			input:    estimated(8), output: without(framing.ReasonReasoning),
		},
		"reasoning model, cut off": {
			model:    "gpt-5-mini",
			messages: genai.Messages{Input: question, Output: []genai.Message{finished("error", answer[0])}},
			input:    estimated(8), output: framing.Count{Tokens: 2, Source: semconv.SourcePartial, Reason: framing.ReasonReasoning},
		},
		"cut off before the first token": {
			messages: genai.Messages{Input: question, Output: []genai.Message{finished("error", message("assistant", ""))}},
			input:    counted(9), output: without(framing.ReasonCutOff),
		},
		"reasoning in the answer": {
			messages: genai.Messages{Input: question, Output: []genai.Message{
				{Role: "assistant", Parts: append([]genai.Part{{Kind: genai.PartReasoning, Text: "hm"}}, answer[0].Parts...)},
			}},
			input: counted(9), output: without(framing.ReasonReasoning),
		},
		"reasoning reported": {
			messages: genai.Messages{Input: question, Output: answer},
			change:   func(c *framing.Call) { c.Span.Usage.Reasoning = genai.Some[int64](5) },
			input:    counted(9), output: without(framing.ReasonReasoning),
		},
		"several texts in a message": {
			messages: genai.Messages{Input: []genai.Message{{Role: "user", Parts: append(question[0].Parts, question[0].Parts...)}}},
			input:    estimated(11), output: without(framing.ReasonNoContent),
		},
		"unknown part": {
			messages: genai.Messages{Input: []genai.Message{{Role: "user", Parts: []genai.Part{{Kind: "hologram"}}}}},
			input:    without(framing.ReasonUnsupported), output: without(framing.ReasonNoContent),
		},
		"unknown role": {
			messages: genai.Messages{Input: []genai.Message{message("narrator", "once upon a time")}, Output: answer},
			input:    without(framing.ReasonUnsupported), output: estimated(2),
		},
		"name that repeats the role": {
			messages: genai.Messages{Input: []genai.Message{named("user", "user", "hello world")}, Output: answer},
			input:    estimated(10), output: estimated(2),
		},
		"long text without a break": {
			messages: genai.Messages{Input: []genai.Message{message("user", strings.Repeat("a", 100_000))}, Output: answer},
			input:    counted(12_507), output: estimated(2),
		},
		"unknown model": {
			model:    "claude-opus-4-8",
			messages: genai.Messages{Input: question, Output: answer},
			input:    without(framing.ReasonUnknownModel), output: without(framing.ReasonUnknownModel),
		},
		"model that reads search results": {
			model:    "gpt-4o-mini-search-preview-2025-03-11",
			messages: genai.Messages{Input: question, Output: answer},
			input:    without(framing.ReasonServerTool), output: without(framing.ReasonServerTool),
		},
		"embeddings": {
			model:    "text-embedding-3-small",
			messages: genai.Messages{Input: []genai.Message{question[0], question[0]}},
			change:   func(c *framing.Call) { c.Span.Operation = semconv.OperationEmbeddings },
			input:    counted(4), output: without(framing.ReasonOperation),
		},
		"legacy completion": {
			model:    "gpt-3.5-turbo-instruct",
			messages: genai.Messages{Input: question, Output: answer},
			change:   func(c *framing.Call) { c.Span.Operation = semconv.OperationTextCompletion },
			input:    estimated(2), output: estimated(2),
		},
		"no call of a model": {
			messages: genai.Messages{Input: question, Output: answer},
			change:   func(c *framing.Call) { c.Span.Operation = semconv.OperationExecuteTool },
			input:    without(framing.ReasonOperation), output: without(framing.ReasonOperation),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.model == "" {
				test.model = model
			}
			c := call(t, test.model, &test.messages)
			if test.change != nil {
				test.change(&c)
			}
			require.Equal(t, test.input, framing.Input(c, counter(t, model)), "input")
			require.Equal(t, test.output, framing.Output(c, counter(t, model)), "output")
		})
	}
}

func TestFinishReasonOfTheSpanMeansCutOff(t *testing.T) {
	span := ptrace.NewSpan()
	span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	span.Attributes().PutEmptySlice(semconv.GenAIResponseFinishReasons).AppendEmpty().SetStr(semconv.FinishReasonError)
	read, ok := genai.NewReader(genai.Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
	require.True(t, ok)
	c := call(t, "gpt-4o", &genai.Messages{Output: []genai.Message{message("assistant", "hello world")}})
	c.Span = &read
	require.Equal(t, framing.Count{Tokens: 2, Source: semconv.SourcePartial, Reason: framing.ReasonCutOff}, framing.Output(c, counter(t, "gpt-4o")))
}

func call(t *testing.T, model string, messages *genai.Messages) framing.Call {
	t.Helper()
	known, _ := framing.ModelNamed(model)
	return framing.Call{Model: known, Span: chat(t), Messages: messages}
}

// chat is a call as a span without attributes but its operation has it.
func chat(t *testing.T) *genai.Call {
	t.Helper()
	span := ptrace.NewSpan()
	span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	read, ok := genai.NewReader(genai.Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
	require.True(t, ok)
	return &read
}

func counter(t *testing.T, model string) framing.Counter {
	t.Helper()
	encoding, ok := tiktoken.ForModel(model)
	require.True(t, ok)
	tokenizer, err := tiktoken.Get(encoding)
	require.NoError(t, err)
	return tokenizer
}

func message(role, text string) genai.Message {
	return genai.Message{Role: role, Parts: []genai.Part{{Kind: genai.PartText, Text: text}}}
}

func named(role, name, text string) genai.Message {
	m := message(role, text)
	m.Name = name
	return m
}

func finished(reason string, m genai.Message) genai.Message {
	m.FinishReason = reason
	return m
}
