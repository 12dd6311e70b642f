// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// maxBodyBytes bounds a request. It is above any prompt that the tests send.
const maxBodyBytes = 64 << 20

// request is what the stand-in reads of a chat completion request. The requests of the other endpoints become one.
type request struct {
	Model               string          `json:"model"`
	Messages            []message       `json:"messages"`
	Stream              bool            `json:"stream"`
	StreamOptions       *streamOptions  `json:"stream_options"`
	N                   *float64        `json:"n"`
	MaxTokens           *float64        `json:"max_tokens"`
	MaxCompletionTokens *float64        `json:"max_completion_tokens"`
	Temperature         *float64        `json:"temperature"`
	TopP                *float64        `json:"top_p"`
	FrequencyPenalty    *float64        `json:"frequency_penalty"`
	PresencePenalty     *float64        `json:"presence_penalty"`
	Tools               []toolParam     `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`

	digest digest
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

func (o *streamOptions) includeUsage() bool { return o != nil && o.IncludeUsage }

type message struct {
	Role      string     `json:"role"`
	Name      string     `json:"name"`
	Content   content    `json:"content"`
	ToolCalls []toolCall `json:"tool_calls"`
}

type toolParam struct {
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// content is the content of a message: a string, or a list of parts, or null.
type content struct {
	Text   string // the text parts, joined
	Images int
}

// UnmarshalJSON takes any of the three forms.
func (c *content) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '[' {
		return json.Unmarshal(data, &c.Text)
	}
	var parts []struct {
		Type    string `json:"type"`
		Text    string `json:"text"`
		Refusal string `json:"refusal"`
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	for _, part := range parts {
		if part.Type == "image_url" || part.Type == "input_image" {
			c.Images++
		}
		c.Text += part.Text + part.Refusal
	}
	return nil
}

// lastMessage returns the message that is to be answered.
func (r request) lastMessage() message { return r.Messages[len(r.Messages)-1] }

// systemPrompt returns the first system or developer message.
func (r request) systemPrompt() string {
	for _, m := range r.Messages {
		if m.Role == "system" || m.Role == "developer" {
			return m.Content.Text
		}
	}
	return ""
}

// maxTokens returns the limit of an answer, or 0 for none.
func (r request) maxTokens() int {
	for _, limit := range []*float64{r.MaxCompletionTokens, r.MaxTokens} {
		if limit != nil {
			return int(*limit)
		}
	}
	return 0
}

// choices returns how many answers are asked for.
func (r request) choices() int {
	if r.N == nil {
		return 1
	}
	return int(*r.N)
}

// decode reads a body and hashes it.
func decode(body []byte, to any, d *digest) *apiError {
	if err := json.Unmarshal(body, to); err != nil {
		if wrongType := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrongType) && wrongType.Field != "" {
			return invalid(wrongType.Field, "invalid_type", fmt.Sprintf("Invalid type for '%s': expected %s, but got %s instead.",
				wrongType.Field, jsonType(wrongType), wrongType.Value))
		}
		return errMalformed
	}
	var err error
	if *d, err = digestOf(body); err != nil {
		return errMalformed
	}
	return nil
}

// jsonType names the wanted type as the API does, roughly.
func jsonType(e *json.UnmarshalTypeError) string {
	switch e.Type.Kind().String() {
	case "float64":
		return "a number"
	case "bool":
		return "a boolean"
	case "slice":
		return "an array"
	case "string":
		return "a string"
	default:
		return "an object"
	}
}

// digestOf hashes a request without what says only how to send the answer, so that a streamed and a plain request get the
// same one. White space and the order of keys do not count.
func digestOf(data []byte) (digest, error) {
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return digest{}, err
	}
	delete(fields, "stream")
	delete(fields, "stream_options")
	canonical, err := json.Marshal(fields)
	if err != nil {
		return digest{}, err
	}
	return newDigest(canonical), nil
}
