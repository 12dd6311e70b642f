// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
)

var roles = []string{"system", "developer", "user", "assistant", "tool", "function"}

// bound is the allowed range of a numeric parameter.
type bound struct {
	param    string
	value    *float64
	min, max float64
	integer  bool
}

const noMax = 1 << 31

// checkParameters returns the error that the real API gives for all but the messages of a request, or nil.
func (r request) checkParameters(kind modelKind) *apiError {
	if err := checkModel(r.Model, kind); err != nil {
		return err
	}
	for _, b := range []bound{
		{"n", r.N, 1, 128, true},
		{"max_tokens", r.MaxTokens, 1, noMax, true},
		{"max_completion_tokens", r.MaxCompletionTokens, 1, noMax, true},
		{"temperature", r.Temperature, 0, 2, false},
		{"top_p", r.TopP, 0, 1, false},
		{"frequency_penalty", r.FrequencyPenalty, -2, 2, false},
		{"presence_penalty", r.PresencePenalty, -2, 2, false},
	} {
		if err := b.check(); err != nil {
			return err
		}
	}
	if r.StreamOptions != nil && !r.Stream {
		return invalid("stream_options", "", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	if len(r.ToolChoice) > 0 && !bytes.Equal(r.ToolChoice, []byte("null")) && len(r.Tools) == 0 {
		return invalid("tool_choice", "", "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
	}
	return nil
}

func (b bound) check() *apiError {
	if b.value == nil {
		return nil
	}
	kind, got := "decimal", strconv.FormatFloat(*b.value, 'f', -1, 64)
	if b.integer {
		kind = "integer"
		if *b.value != float64(int(*b.value)) {
			return invalid(b.param, "invalid_type",
				fmt.Sprintf("Invalid type for '%s': expected an integer, but got a decimal number instead.", b.param))
		}
	}
	switch {
	case *b.value < b.min:
		return invalid(b.param, kind+"_below_min_value", fmt.Sprintf(
			"Invalid '%s': %s below minimum value. Expected a value >= %v, but got %s instead.", b.param, kind, b.min, got))
	case *b.value > b.max:
		return invalid(b.param, kind+"_above_max_value", fmt.Sprintf(
			"Invalid '%s': %s above maximum value. Expected a value <= %v, but got %s instead.", b.param, kind, b.max, got))
	}
	return nil
}

func (r request) checkMessages() *apiError {
	if r.Messages == nil {
		return invalid("messages", "missing_required_parameter", "Missing required parameter: 'messages'.")
	}
	if len(r.Messages) == 0 {
		return invalid("messages", "empty_array",
			"Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
	called := false // the messages so far end in a call, or in results of it
	for i, m := range r.Messages {
		if !slices.Contains(roles, m.Role) {
			param := fmt.Sprintf("messages[%d].role", i)
			return invalid(param, "invalid_value", fmt.Sprintf("Invalid value: '%s'. Supported values are: "+
				"'system', 'assistant', 'user', 'function', 'tool', and 'developer'.", m.Role))
		}
		if m.Role == "tool" && !called {
			return invalid(fmt.Sprintf("messages.[%d].role", i), "",
				"Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.")
		}
		called = len(m.ToolCalls) > 0 || (called && m.Role == "tool")
	}
	return nil
}
