// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// recording is a request to OpenAI's API and what came back.
type recording struct {
	Interactions []struct {
		URL      string          `json:"url"`
		Request  json.RawMessage `json:"request"`
		Response json.RawMessage `json:"response"`
		SSE      string          `json:"response_sse"`
	} `json:"interactions"`
}

// truth is what a recording says, which the reader has to find in the span.
type truth struct {
	requestModel, responseModel string
	prompt                      []said
	answer                      []said
	finish                      []string
	usage                       *usage
}

// said is a message as text.
type said struct {
	role  string
	text  string
	calls []string
}

func (s said) equal(other said) bool {
	return s.role == other.role && s.text == other.text && slices.Equal(s.calls, other.calls)
}

type usage struct {
	PromptTokens     *int64  `json:"prompt_tokens"`
	CompletionTokens *int64  `json:"completion_tokens"`
	InputTokens      *int64  `json:"input_tokens"`
	OutputTokens     *int64  `json:"output_tokens"`
	PromptDetails    details `json:"prompt_tokens_details"`
	OutputDetails    details `json:"completion_tokens_details"`
	InputDetails     details `json:"input_tokens_details"`
	ResponseDetails  details `json:"output_tokens_details"`
}

type details struct {
	Cached    int64 `json:"cached_tokens"`
	Reasoning int64 `json:"reasoning_tokens"`
}

// load reads the interaction that a case is of: <origin>/<file>#<interaction>.
func loadTruth(folder, name, op string) (truth, error) {
	file, number, _ := strings.Cut(name, "#")
	var r recording
	if err := load(&r, folder, "openai_recordings", file+".json"); err != nil {
		return truth{}, err
	}
	i, err := strconv.Atoi(number)
	if err != nil || i >= len(r.Interactions) {
		return truth{}, fmt.Errorf("case %s: no such interaction", name)
	}
	var t truth
	if err := t.request(r.Interactions[i].Request, op); err != nil {
		return truth{}, fmt.Errorf("case %s: %w", name, err)
	}
	answers := [][]byte{r.Interactions[i].Response}
	if r.Interactions[i].SSE != "" {
		answers = events(r.Interactions[i].SSE)
	}
	if err := t.response(answers, op); err != nil {
		return truth{}, fmt.Errorf("case %s: %w", name, err)
	}
	return t, nil
}

// events are the data of a stream of server-sent events.
func events(stream string) [][]byte {
	var all [][]byte
	for line := range strings.Lines(stream) {
		if data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: "); ok && data != "[DONE]" {
			all = append(all, []byte(data))
		}
	}
	return all
}

// message is a message of chat completions, or an item of the Responses API.
type message struct {
	Type      string          `json:"type"`
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	ToolCalls []struct {
		Index    int      `json:"index"`
		Function function `json:"function"`
	} `json:"tool_calls"`
	function
	Output json.RawMessage `json:"output"`
}

type function struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

func (t *truth) request(text []byte, op string) error {
	var r struct {
		Model        string          `json:"model"`
		Messages     []message       `json:"messages"`
		Instructions string          `json:"instructions"`
		Input        json.RawMessage `json:"input"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	t.requestModel = r.Model
	if r.Instructions != "" {
		t.prompt = append(t.prompt, said{role: "system", text: r.Instructions})
	}
	for _, m := range r.Messages {
		t.prompt = append(t.prompt, m.said())
	}
	switch {
	case op == "embeddings":
		t.prompt = embedded(r.Input)
	case len(r.Input) > 0 && r.Input[0] == '"':
		t.prompt = append(t.prompt, said{role: "user", text: textOf(r.Input)})
	case len(r.Input) > 0:
		var items []message
		if err := json.Unmarshal(r.Input, &items); err != nil {
			return err
		}
		for _, m := range items {
			t.prompt = append(t.prompt, m.said())
		}
	}
	return nil
}

// embedded is the texts of an embeddings request; tokens as text.
func embedded(input json.RawMessage) []said {
	if len(input) > 0 && input[0] == '"' {
		return []said{{role: "user", text: textOf(input)}}
	}
	var texts []string
	if json.Unmarshal(input, &texts) == nil {
		all := make([]said, len(texts))
		for i, text := range texts {
			all[i] = said{role: "user", text: text}
		}
		return all
	}
	return []said{{role: "user", text: compact(input)}}
}

func (m message) said() said {
	s := said{role: m.Role, text: textOf(m.Content)}
	switch m.Type {
	case "function_call":
		return said{role: "assistant", calls: []string{m.Name + compact([]byte(m.Arguments))}}
	case "function_call_output":
		return said{role: "tool", text: textOf(m.Output)}
	}
	for _, call := range m.ToolCalls {
		s.calls = append(s.calls, call.Function.Name+compact([]byte(call.Function.Arguments)))
	}
	return s
}

// textOf is the text of a message's content, or of its parts that are text.
func textOf(content json.RawMessage) string {
	var text string
	if json.Unmarshal(content, &text) == nil {
		return text
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(content, &parts) != nil {
		return compact(content)
	}
	var texts []string
	for _, part := range parts {
		if part.Text != "" {
			texts = append(texts, part.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// compact is JSON without space, or text that is no JSON as it is.
func compact(text []byte) string {
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&tree) != nil {
		return string(text)
	}
	sorted, err := json.Marshal(tree)
	if err != nil {
		return string(text)
	}
	return string(sorted)
}

// response reads an answer, or the chunks of one.
func (t *truth) response(chunks [][]byte, op string) error {
	type choice struct {
		Index        int     `json:"index"`
		Message      message `json:"message"`
		Delta        message `json:"delta"`
		FinishReason string  `json:"finish_reason"`
	}
	var choices []*said
	var finish []string
	for _, chunk := range chunks {
		var r struct {
			Model    string          `json:"model"`
			Choices  []choice        `json:"choices"`
			Usage    *usage          `json:"usage"`
			Response json.RawMessage `json:"response"`
			Object   string          `json:"object"`
		}
		if err := json.Unmarshal(chunk, &r); err != nil {
			return err
		}
		if op == "responses" {
			body := json.RawMessage(chunk)
			if len(r.Response) > 0 {
				body = r.Response
			} else if r.Object != "response" {
				continue
			}
			if err := t.answerOf(body); err != nil {
				return err
			}
			continue
		}
		if r.Model != "" {
			t.responseModel = r.Model
		}
		if r.Usage != nil {
			t.usage = r.Usage
		}
		for _, c := range r.Choices {
			for len(choices) <= c.Index {
				choices, finish = append(choices, &said{role: "assistant"}), append(finish, "")
			}
			part := c.Message
			if len(part.Content) == 0 && part.ToolCalls == nil {
				part = c.Delta
			}
			choices[c.Index].text += textOrNone(part.Content)
			for _, call := range part.ToolCalls {
				choices[c.Index].add(call.Index, call.Function, part.Role != "" && len(c.Delta.Content) == 0 && c.Delta.Role == "")
			}
			if c.FinishReason != "" {
				finish[c.Index] = c.FinishReason
			}
		}
	}
	for _, c := range choices {
		for i := range c.calls {
			name, arguments, _ := strings.Cut(c.calls[i], "\x00")
			c.calls[i] = name + compact([]byte(arguments))
		}
		t.answer = append(t.answer, *c)
	}
	if op != "responses" {
		t.finish = finish
	}
	return nil
}

func textOrNone(content json.RawMessage) string {
	if string(content) == "null" {
		return ""
	}
	return textOf(content)
}

// add adds a tool call, or a piece of one that is streamed.
func (s *said) add(index int, f function, whole bool) {
	if whole {
		index = len(s.calls)
	}
	for len(s.calls) <= index {
		s.calls = append(s.calls, "")
	}
	name, arguments, _ := strings.Cut(s.calls[index], "\x00")
	s.calls[index] = name + f.Name + "\x00" + arguments + f.Arguments
}

// answerOf reads a response of the Responses API; of a stream, the last one counts.
func (t *truth) answerOf(body []byte) error {
	var r struct {
		Model      string    `json:"model"`
		Status     string    `json:"status"`
		Output     []message `json:"output"`
		Usage      *usage    `json:"usage"`
		Incomplete struct {
			Reason string `json:"reason"`
		} `json:"incomplete_details"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return err
	}
	t.responseModel, t.usage = r.Model, r.Usage
	answer := said{role: "assistant"}
	for _, item := range r.Output {
		switch item.Type {
		case "message":
			answer.text += textOf(item.Content)
		case "function_call":
			answer.calls = append(answer.calls, item.Name+compact([]byte(item.Arguments)))
		}
	}
	t.answer = []said{answer}
	switch {
	case r.Status == "completed" && len(answer.calls) > 0:
		t.finish = []string{"tool_calls"}
	case r.Status == "completed":
		t.finish = []string{"stop"}
	case r.Incomplete.Reason == "max_output_tokens":
		t.finish = []string{"length"}
	default:
		t.finish = []string{r.Incomplete.Reason}
	}
	return nil
}
