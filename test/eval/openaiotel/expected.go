// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// What a recording says, read in another way than the instrumentation does: with encoding/json into maps, whole streams at
// a time. Messages are compared as lines of text, one per part: "user text: What is 2+2?".

// expected is the answer of a recording.
type expected struct {
	model         string
	finishReasons []string
	output        []string
	errorType     string
}

func (r recording) expected() expected {
	if r.status >= http.StatusBadRequest {
		return expected{errorType: apiError(r.body, r.status)}
	}
	var e expected
	switch r.endpoint() {
	case "responses":
		e.readResponse(r.finalResponse(), r.stream)
	default:
		answer := r.answer()
		e.model = str(answer["model"])
		for _, choice := range objects(answer["choices"]) {
			e.readChoice(choice)
		}
	}
	return e
}

func apiError(body []byte, status int) string {
	var parsed struct {
		Error struct{ Code, Type any }
	}
	_ = json.Unmarshal(body, &parsed)
	for _, id := range []any{parsed.Error.Code, parsed.Error.Type} {
		if s := str(id); s != "" && !strings.ContainsAny(s, " \n") {
			return s
		}
	}
	return strconv.Itoa(status)
}

// answer is the body of an answer, put together when it was streamed.
func (r recording) answer() map[string]any {
	answer := make(map[string]any)
	if !r.stream {
		_ = json.Unmarshal(r.body, &answer)
		return answer
	}
	choices := make(map[int]map[string]any)
	for _, event := range r.events() {
		if model := str(event["model"]); model != "" {
			answer["model"] = model
		}
		for _, delta := range objects(event["choices"]) {
			index := number(delta["index"])
			choice := choices[index]
			if choice == nil {
				choice = map[string]any{"message": map[string]any{"role": "assistant"}}
				choices[index] = choice
			}
			if reason := str(delta["finish_reason"]); reason != "" {
				choice["finish_reason"] = reason
			}
			if text := str(delta["text"]); text != "" {
				choice["text"] = str(choice["text"]) + text
			}
			merge(choice["message"].(map[string]any), object(delta["delta"]))
		}
	}
	var list []any
	for i := range len(choices) {
		list = append(list, choices[i])
	}
	answer["choices"] = list
	return answer
}

// merge adds a delta to a message: texts are joined, tool calls by their index.
func merge(message, delta map[string]any) {
	for _, key := range []string{"content", "refusal"} {
		if text := str(delta[key]); text != "" {
			message[key] = str(message[key]) + text
		}
	}
	calls, _ := message["tool_calls"].([]any)
	for _, part := range objects(delta["tool_calls"]) {
		index := number(part["index"])
		for len(calls) <= index {
			calls = append(calls, map[string]any{"function": map[string]any{}})
		}
		call := object(calls[index])
		if id := str(part["id"]); id != "" {
			call["id"] = id
		}
		function := object(call["function"])
		for _, key := range []string{"name", "arguments"} {
			function[key] = str(function[key]) + str(object(part["function"])[key])
		}
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
}

func (e *expected) readChoice(choice map[string]any) {
	reason := str(choice["finish_reason"])
	if reason == "" {
		reason = "error"
	}
	e.finishReasons = append(e.finishReasons, reason)
	if text := str(choice["text"]); text != "" {
		e.output = append(e.output, "assistant text: "+text)
	}
	e.output = append(e.output, chatLines(object(choice["message"]))...)
}

// chatLines are the lines of a message of the chat API.
func chatLines(message map[string]any) []string {
	role := str(message["role"])
	var lines []string
	if role == "tool" {
		return []string{fmt.Sprintf("tool %s: %s", str(message["tool_call_id"]), str(message["content"]))}
	}
	if text := str(message["content"]); text != "" {
		lines = append(lines, role+" text: "+text)
	}
	for _, part := range objects(message["content"]) {
		lines = append(lines, partLine(role, part))
	}
	if refusal := str(message["refusal"]); refusal != "" {
		lines = append(lines, role+" refusal: "+refusal)
	}
	audio := object(message["audio"])
	if transcript := str(audio["transcript"]); transcript != "" {
		lines = append(lines, role+" text: "+transcript)
	}
	if str(audio["data"]) != "" {
		lines = append(lines, role+" media: audio")
	}
	for _, call := range objects(message["tool_calls"]) {
		function := object(call["function"])
		lines = append(lines, callLine(str(call["id"]), str(function["name"]), str(function["arguments"])))
	}
	return lines
}

func partLine(role string, part map[string]any) string {
	switch kind := str(part["type"]); kind {
	case "text", "input_text", "output_text":
		return role + " text: " + str(part["text"])
	case "refusal":
		return role + " refusal: " + str(part["refusal"])
	case "image_url", "input_image":
		return role + " media: image"
	case "input_audio":
		return role + " media: audio"
	case "file", "input_file":
		return role + " media: document"
	default:
		return role + " " + kind
	}
}

func callLine(id, name, arguments string) string {
	return fmt.Sprintf("call %s: %s(%s)", id, name, canonical(arguments))
}

// finalResponse is the object that a call of the Responses API ends with.
func (r recording) finalResponse() map[string]any {
	response := make(map[string]any)
	if !r.stream {
		_ = json.Unmarshal(r.body, &response)
		return response
	}
	for _, event := range r.events() {
		if latest := object(event["response"]); latest != nil {
			response = latest
		}
	}
	return response
}

func (e *expected) readResponse(response map[string]any, stream bool) {
	e.model = str(response["model"])
	called := false
	for _, item := range objects(response["output"]) {
		called = called || strings.HasSuffix(str(item["type"]), "function_call")
		e.output = append(e.output, itemLines(item)...)
	}
	switch status := str(response["status"]); {
	case status == "completed" && called:
		e.finishReasons = []string{"tool_calls"}
	case status == "completed":
		e.finishReasons = []string{"stop"}
	case status == "incomplete" && str(object(response["incomplete_details"])["reason"]) == "max_output_tokens":
		e.finishReasons = []string{"length"}
	case status == "incomplete":
		e.finishReasons = []string{str(object(response["incomplete_details"])["reason"])}
	case status == "failed":
		e.finishReasons = []string{"error"}
		e.errorType = str(object(response["error"])["code"])
	case stream && status == "in_progress": // it was cut off
		e.finishReasons = []string{"error"}
	}
}

// itemLines are the lines of an input or output item of the Responses API.
func itemLines(item map[string]any) []string {
	role := str(item["role"])
	switch kind := str(item["type"]); kind {
	case "message", "":
		var lines []string
		if text := str(item["content"]); text != "" {
			lines = append(lines, role+" text: "+text)
		}
		for _, part := range objects(item["content"]) {
			lines = append(lines, partLine(role, part))
		}
		return lines
	case "function_call":
		return []string{callLine(str(item["call_id"]), str(item["name"]), str(item["arguments"]))}
	case "function_call_output":
		return []string{fmt.Sprintf("tool %s: %s", str(item["call_id"]), str(item["output"]))}
	case "reasoning":
		var lines []string
		for _, part := range append(objects(item["summary"]), objects(item["content"])...) {
			lines = append(lines, "reasoning: "+str(part["text"]))
		}
		return lines
	default:
		return []string{"item " + kind}
	}
}

// input are the lines of a request of any endpoint.
func input(request map[string]any) []string {
	var lines []string
	if instructions := str(request["instructions"]); instructions != "" {
		lines = append(lines, "instructions: "+instructions)
	}
	for _, message := range objects(request["messages"]) {
		lines = append(lines, chatLines(message)...)
	}
	if text := str(request["input"]); text != "" {
		lines = append(lines, "user text: "+text)
	}
	for _, item := range objects(request["input"]) {
		lines = append(lines, itemLines(item)...)
	}
	switch prompt := request["prompt"].(type) {
	case string:
		lines = append(lines, "user text: "+prompt)
	case []any:
		for _, p := range prompt {
			if text := str(p); text != "" {
				lines = append(lines, "user text: "+text)
			}
		}
	}
	return lines
}

// canonical is JSON with its keys in order, so that two spellings of one value are equal, and what is no JSON as it is.
func canonical(text string) string {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	encoded, _ := json.Marshal(value)
	return string(encoded)
}

func str(v any) string            { s, _ := v.(string); return s }
func object(v any) map[string]any { o, _ := v.(map[string]any); return o }
func number(v any) int            { n, _ := v.(float64); return int(n) }
func objects(v any) []map[string]any {
	list, _ := v.([]any)
	var read []map[string]any
	for _, item := range list {
		if o := object(item); o != nil {
			read = append(read, o)
		}
	}
	return read
}
