// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"strings"

	"github.com/tidwall/gjson"
)

// Usage is what a call costs, in tokens.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// Costs in tokens. Those of messages and tool definitions are the cookbook's.
const (
	costMessage      = 3
	costName         = 1
	costPriming      = 3
	costProperties   = 3
	costProperty     = 3
	costEnum         = -3
	costEnumItem     = 3
	costTools        = 12
	costImage        = 85
	costCallInPrompt = 8
	costCallInAnswer = 7
)

// promptTokens counts the messages and tools of a request.
func promptTokens(req request, m model) int {
	total := costPriming
	for _, msg := range req.Messages {
		total += costMessage + m.encoding.count(msg.Role) + m.encoding.count(msg.Content.Text) + costImage*msg.Content.Images
		if msg.Name != "" {
			total += costName + m.encoding.count(msg.Name)
		}
		total += callTokens(msg.ToolCalls, m, costCallInPrompt)
	}
	return total + toolTokens(req.Tools, m)
}

// toolTokens is num_tokens_for_tools of the cookbook, for tools with and without descriptions.
func toolTokens(tools []toolParam, m model) int {
	if len(tools) == 0 {
		return 0
	}
	total := costTools
	for _, tool := range tools {
		total += m.toolCost + m.encoding.count(tool.Function.Name+":"+strings.TrimSuffix(tool.Function.Description, "."))
		properties := gjson.GetBytes(tool.Function.Parameters, "properties").Map()
		if len(properties) > 0 {
			total += costProperties
		}
		for name, property := range properties {
			description := strings.TrimSuffix(property.Get("description").String(), ".")
			total += costProperty + m.encoding.count(name+":"+property.Get("type").String()+":"+description)
			items := property.Get("enum").Array()
			if len(items) > 0 {
				total += costEnum
			}
			for _, item := range items {
				total += costEnumItem + m.encoding.count(item.String())
			}
		}
	}
	return total
}

func callTokens(calls []toolCall, m model, overhead int) int {
	total := 0
	for _, call := range calls {
		total += overhead + m.encoding.count(call.Function.Name) + m.encoding.count(call.Function.Arguments)
	}
	return total
}
