// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// toolsToCall returns the tools that the answer calls, none for an answer in text.
func toolsToCall(req request) []toolParam {
	if len(req.Tools) == 0 {
		return nil
	}
	wanted := gjson.ParseBytes(req.ToolChoice)
	if name := wanted.Get("function.name").String(); name != "" {
		return toolsNamed(req.Tools, func(tool string) bool { return tool == name })
	}
	last := req.lastMessage()
	if wanted.String() == "none" || (wanted.String() != "required" && last.Role != "user") {
		return nil
	}
	named := toolsNamed(req.Tools, func(tool string) bool { return strings.Contains(last.Content.Text, tool) })
	if len(named) == 0 || (req.ParallelToolCalls != nil && !*req.ParallelToolCalls) {
		return slices.Concat(named, req.Tools)[:1]
	}
	return named
}

func toolsNamed(tools []toolParam, match func(string) bool) []toolParam {
	return slices.DeleteFunc(slices.Clone(tools), func(t toolParam) bool { return !match(t.Function.Name) })
}

// callTools makes the calls of the choice with an index.
func callTools(req request, tools []toolParam, index int) []toolCall {
	calls := make([]toolCall, 0, len(tools))
	for i, tool := range tools {
		calls = append(calls, toolCall{
			ID:       req.digest.sub(index).sub(i).id("call_", 24),
			Type:     "function",
			Function: functionCall{Name: tool.Function.Name, Arguments: arguments(tool, req.lastMessage().Content.Text)},
		})
	}
	return calls
}

var (
	numberInText = regexp.MustCompile(`-?\d+(?:\.\d+)?`)
	placeInText  = regexp.MustCompile(`\b(?:in|for|at) (\p{Lu}\p{L}+)`)
)

// arguments fills the required properties of a tool's schema, or all where it requires none: numbers with those of the
// message in their order, enums with their first value, other strings with a place that the message names.
func arguments(tool toolParam, text string) string {
	numbers := numberInText.FindAllString(text, -1)
	place := "Lisbon"
	if match := placeInText.FindStringSubmatch(text); match != nil {
		place = match[1]
	}
	schema := gjson.ParseBytes(tool.Function.Parameters)
	required := schema.Get("required").Array()

	var fields []string
	schema.Get("properties").ForEach(func(name, property gjson.Result) bool {
		isThis := func(r gjson.Result) bool { return r.String() == name.String() }
		if len(required) > 0 && !slices.ContainsFunc(required, isThis) {
			return true
		}
		var value string
		switch kind := property.Get("type").String(); {
		case property.Get("enum.0").Exists():
			value = property.Get("enum.0").Raw
		case kind == "integer" || kind == "number":
			value = strconv.Itoa(len(fields) + 1)
			if len(numbers) > 0 {
				value, numbers = numbers[0], numbers[1:]
			}
			if kind == "integer" {
				value, _, _ = strings.Cut(value, ".")
			}
		case kind == "boolean":
			value = "true"
		case kind == "array":
			value = "[]"
		case kind == "object":
			value = "{}"
		default:
			value = quote(place)
		}
		fields = append(fields, quote(name.String())+":"+value)
		return true
	})
	return "{" + strings.Join(fields, ",") + "}"
}

// quote returns a text as JSON, which cannot fail for a string.
func quote(text string) string {
	data, _ := json.Marshal(text)
	return string(data)
}
