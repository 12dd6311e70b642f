// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"encoding/json"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
)

// The shapes of OpenAI's chat API, as MLflow's pages understand them.
type (
	chatInput struct {
		Messages []chatMessage `json:"messages"`
	}
	chatOutput struct {
		Choices []chatChoice `json:"choices"`
		// Output is what MLflow's table of traces shows, where the first choice has no content.
		Output []chatMessage `json:"output,omitempty"`
	}
	chatChoice struct {
		Index        int         `json:"index"`
		Message      chatMessage `json:"message"`
		FinishReason string      `json:"finish_reason,omitempty"`
	}
	chatMessage struct {
		Role       string     `json:"role"`
		Name       string     `json:"name,omitempty"`
		Content    string     `json:"content,omitempty"`
		ToolCalls  []chatCall `json:"tool_calls,omitempty"`
		ToolCallID string     `json:"tool_call_id,omitempty"`
	}
	chatCall struct {
		ID       string       `json:"id"`
		Type     string       `json:"type"`
		Function chatFunction `json:"function"`
	}
	chatFunction struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	}
	chatTool struct {
		Type     string           `json:"type"`
		Function chatToolFunction `json:"function"`
	}
	chatToolFunction struct {
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Parameters  json.RawMessage `json:"parameters,omitempty"`
	}
	// conversation is a call with its answer.
	conversation struct {
		chatInput
		chatOutput
	}
)

// asInput is everything that was sent.
func asInput(m genai.Messages) chatInput {
	var in chatInput
	if len(m.System) > 0 {
		in.Messages = append(in.Messages, chatMessage{Role: "system", Content: clean(partsText(m.System))})
	}
	for _, message := range m.Input {
		in.Messages = append(in.Messages, asMessages(message)...)
	}
	return in
}

// asOutput is the answer.
func asOutput(m genai.Messages) chatOutput {
	out := chatOutput{Choices: make([]chatChoice, len(m.Output))}
	for i, message := range m.Output {
		out.Choices[i] = chatChoice{Index: i, Message: chatMessage{Role: "assistant"}, FinishReason: clean(message.FinishReason)}
		if messages := asMessages(message); len(messages) > 0 {
			out.Choices[i].Message = messages[0]
		}
	}
	return out
}

// asMessages is a message as OpenAI's API has it, where the result of each tool is a message of its own.
func asMessages(message genai.Message) []chatMessage {
	main := chatMessage{Role: clean(message.Role), Name: clean(message.Name)}
	var text []genai.Part
	var results []chatMessage
	for _, part := range message.Parts {
		switch part.Kind {
		case genai.PartToolCall:
			main.ToolCalls = append(main.ToolCalls, chatCall{
				ID: clean(part.ID), Type: "function",
				Function: chatFunction{Name: clean(part.Name), Arguments: clean(part.Arguments)},
			})
		case genai.PartToolCallResponse:
			results = append(results, chatMessage{Role: "tool", ToolCallID: clean(part.ID), Content: clean(part.Text)})
		default:
			text = append(text, part)
		}
	}
	main.Content = clean(partsText(text))
	if len(results) > 0 && main.Content == "" && main.ToolCalls == nil {
		return results
	}
	return append([]chatMessage{main}, results...)
}

func asTools(tools []genai.Tool) []chatTool {
	all := make([]chatTool, len(tools))
	for i, tool := range tools {
		all[i] = chatTool{Type: "function", Function: chatToolFunction{Name: clean(tool.Name), Description: clean(tool.Description)}}
		if parameters := clean(tool.Parameters); json.Valid([]byte(parameters)) {
			all[i].Function.Parameters = json.RawMessage(parameters)
		}
	}
	return all
}
