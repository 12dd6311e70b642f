// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// maxRecord is the longest line of a file of records, in bytes.
const maxRecord = 64 << 20

// record is a recorded call with what the provider billed for it.
type record struct {
	id       string
	origin   string // owner/repo
	category string
	api      string // chat, responses, completions or embeddings
	host     string // empty if that was not recorded
	model    string // that answered
	openAI   bool

	prompt, completion int64
	billsCompletion    bool
	onlyText           bool   // the answer is text and nothing else
	text               string // of the answer
	hidden             bool   // the model thought

	span ptrace.Span
	// key is the same for the same request to the same model, content for requests with the same content.
	key, content string
}

// reasoning reports whether the model thinks before it answers.
func (r *record) reasoning() bool {
	for _, prefix := range []string{"gpt-5", "gpt-6", "o1", "o3", "o4"} {
		if strings.HasPrefix(r.model, prefix) && !strings.HasPrefix(r.model, "gpt-5-chat") {
			return true
		}
	}
	return false
}

// shape is the row of the table that the record counts in.
func (r *record) shape() string {
	shape := r.category + ", " + r.api
	if r.reasoning() {
		shape += ", reasoning"
	}
	return shape
}

// mock is why the record is not one of OpenAI's answers; empty if it is one.
func (r *record) mock() string {
	switch {
	case r.prompt == 0:
		return "it reports no prompt tokens"
	case r.host == "api.openai.com" && (r.model == "gpt-4o-mini" || r.model == "gpt-4o" || r.model == "gpt-3.5-turbo"):
		return "OpenAI names the dated model that answered, it names " + r.model
	}
	return ""
}

// loadRecords reads all records of a folder.
func loadRecords(folder string) ([]*record, error) {
	var all []*record
	files, err := filepath.Glob(filepath.Join(folder, "tokens", "*.jsonl"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		lines, err := readLines(file)
		if err != nil {
			return nil, err
		}
		for i, line := range lines {
			all = append(all, newRecord(fmt.Sprintf("%s:%d", filepath.Base(file), i+1), line))
		}
	}
	files, err = filepath.Glob(filepath.Join(folder, "tokens", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !gjson.ValidBytes(text) {
			return nil, fmt.Errorf("%s is not JSON", filepath.Base(file))
		}
		gjson.ParseBytes(text).ForEach(func(_, c gjson.Result) bool {
			if c.Get("usage.prompt_tokens").Exists() {
				all = append(all, newChatCase(c))
			}
			return true
		})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no records in %s", filepath.Join(folder, "tokens"))
	}
	return all, nil
}

func readLines(name string) ([]gjson.Result, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var lines []gjson.Result
	scanner := bufio.NewScanner(io.Reader(file))
	scanner.Buffer(nil, maxRecord)
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			if !gjson.Valid(line) {
				return nil, fmt.Errorf("%s: line %d is not JSON", filepath.Base(name), len(lines)+1)
			}
			lines = append(lines, gjson.Parse(line))
		}
	}
	return lines, scanner.Err()
}

// newRecord reads a line of a file of recorded usage, such as recorded_usage.jsonl.
func newRecord(id string, line gjson.Result) *record {
	request := line.Get("request")
	r := &record{
		id: id, category: line.Get("category").Str, model: line.Get("model").Str, openAI: line.Get("is_openai").Bool(),
		api: strings.TrimSuffix(line.Get("endpoint").Str, "/completions"), host: line.Get("host").Str,
	}
	r.key, r.content = r.api+" "+r.model+" "+canonical(request.Raw), r.contentOf(request)
	r.origin, _, _ = strings.Cut(line.Get("source").Str, ":")
	r.bill(line.Get("usage"))
	var answer []message
	switch {
	case r.api == "responses":
		answer = responsesAnswer(line)
	case line.Get("choices").IsArray():
		answer = choices(line.Get("choices"))
	default:
		answer = []message{textMessage("assistant", line.Get("response_text").Str)}
	}
	r.text = line.Get("response_text").Str
	r.onlyText = r.text != "" && len(line.Get("tool_calls").Array()) == 0
	r.span = spanOf(r, request, answer)
	return r
}

// newChatCase reads an entry of a file of chat cases, such as chat_usage.json.
func newChatCase(c gjson.Result) *record {
	r := &record{
		id: c.Get("case").Str, origin: originOf(c.Get("source").Str), api: "chat", model: c.Get("model").Str, openAI: true,
	}
	r.content = r.contentOf(c)
	r.key = r.content // has no other parameters
	r.bill(c.Get("usage"))
	tags := make(map[string]bool)
	for _, tag := range c.Get("tags").Array() {
		tags[tag.Str] = true
	}
	switch {
	case tags["audio"], tags["web_search"]:
		r.category = "other"
	case tags["image"]:
		r.category = "image"
	case tags["response_format"]:
		r.category = "schema"
	case tags["tool_result_input"]:
		r.category = "tool_history"
	case tags["tools"]:
		r.category = "tools_def"
	default:
		r.category = "text"
	}
	var answer []message
	calls := c.Get("tool_calls").Array()
	for i, text := range c.Get("completions").Array() {
		m := textMessage("assistant", text.Str)
		m["finish_reason"] = quote(c.Get(fmt.Sprintf("finish.%d", i)).Str)
		if len(calls) > 0 {
			m["tool_calls"] = json.RawMessage(c.Get("tool_calls").Raw)
		}
		r.onlyText = text.Str != "" && len(calls) == 0
		answer = append(answer, m)
	}
	request := `{"messages":` + c.Get("messages").Raw + `,"model":` + c.Get("model").Raw + `,"n":` + c.Get("n").Raw
	if tools := c.Get("tools"); tools.IsArray() {
		request += `,"tools":` + tools.Raw
	}
	if r.category == "schema" {
		request += `,"response_format":{"type":"json_schema"}`
	}
	r.span = spanOf(r, gjson.Parse(request+"}"), answer)
	return r
}

// contentOf is the model and the content of a request to the chat API.
func (r *record) contentOf(request gjson.Result) string {
	return r.model + " " + canonical(request.Get("messages").Raw) + " " + canonical(strings.TrimSuffix(request.Get("tools").Raw, "null"))
}

func (r *record) bill(usage gjson.Result) {
	r.prompt = max(usage.Get("prompt_tokens").Int(), usage.Get("input_tokens").Int())
	r.completion = max(usage.Get("completion_tokens").Int(), usage.Get("output_tokens").Int())
	r.hidden = max(usage.Get("completion_tokens_details.reasoning_tokens").Int(), usage.Get("output_tokens_details.reasoning_tokens").Int()) > 0
	r.billsCompletion = usage.Get("completion_tokens").Exists() || usage.Get("output_tokens").Exists()
}

// originOf is the owner and repository of a GitHub address.
func originOf(address string) string {
	parts := strings.SplitN(strings.TrimPrefix(address, "https://github.com/"), "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// canonical is a JSON text with its keys in order.
func canonical(text string) string {
	decoder := json.NewDecoder(strings.NewReader(text))
	var b bytes.Buffer
	for {
		var v any
		if decoder.Decode(&v) != nil {
			return b.String()
		}
		sorted, _ := json.Marshal(v) // what was decoded can be encoded
		b.Write(sorted)
	}
}

// message is a message of OpenAI's API.
type message map[string]json.RawMessage

func quote(text string) json.RawMessage {
	quoted, _ := json.Marshal(text) // a string can be encoded
	return quoted
}

func textMessage(role, text string) message {
	return message{"role": quote(role), "content": quote(text)}
}

// choices are the messages of the choices of a chat or a legacy completion.
func choices(list gjson.Result) []message {
	var all []message
	for _, choice := range list.Array() {
		m := message{"role": quote("assistant"), "finish_reason": quote(choice.Get("finish_reason").Str)}
		if text := choice.Get("text"); text.Exists() {
			m["content"] = json.RawMessage(text.Raw)
		}
		choice.Get("message").ForEach(func(key, v gjson.Result) bool {
			m[key.Str] = json.RawMessage(v.Raw)
			return true
		})
		all = append(all, m)
	}
	return all
}

// responsesAnswer is the one message of a response: what was said and called; items of other kinds stand for themselves.
func responsesAnswer(line gjson.Result) []message {
	items := line.Get("output").Array()
	if len(items) == 0 {
		return []message{textMessage("assistant", line.Get("response_text").Str)}
	}
	var said, called []json.RawMessage
	var others []message
	for _, item := range items {
		switch item.Get("type").Str {
		case "message":
			for _, part := range item.Get("content").Array() {
				said = append(said, json.RawMessage(part.Raw))
			}
		case "function_call":
			called = append(called, json.RawMessage(item.Raw))
		case "reasoning":
			said = append(said, json.RawMessage(`{"type":"reasoning","text":""}`))
		default:
			var m message
			if json.Unmarshal([]byte(item.Raw), &m) == nil {
				others = append(others, m)
			}
		}
	}
	m := message{"role": quote("assistant")}
	m["content"], _ = json.Marshal(said) // raw messages were valid
	if called != nil {
		m["tool_calls"], _ = json.Marshal(called)
	}
	return append([]message{m}, others...)
}

var apiTypes = map[string]string{"chat": semconv.APITypeChatCompletions, "responses": semconv.APITypeResponses}

var apiOperations = map[string]string{
	"chat": semconv.OperationChat, "responses": semconv.OperationChat,
	"completions": semconv.OperationTextCompletion, "embeddings": semconv.OperationEmbeddings,
}

// spanOf is the span of a call without usage, as an instrumentation writes it that records all of the request's messages
// and tools, and neither the schema of a JSON answer nor other parameters.
func spanOf(r *record, request gjson.Result, answer []message) ptrace.Span {
	span := ptrace.NewSpan()
	a := span.Attributes()
	a.PutStr(semconv.GenAIOperationName, apiOperations[r.api])
	a.PutStr(semconv.GenAIProviderName, semconv.ProviderOpenAI)
	a.PutStr(semconv.GenAIRequestModel, request.Get("model").Str)
	a.PutStr(semconv.GenAIResponseModel, r.model)
	if api, ok := apiTypes[r.api]; ok {
		a.PutStr(semconv.OpenAIAPIType, api)
	}
	if n := request.Get("n"); n.Exists() {
		a.PutInt(semconv.GenAIRequestChoiceCount, n.Int())
	}
	if id := request.Get("previous_response_id").Str; id != "" {
		a.PutStr(semconv.GenAIRequestPreviousResponse, id)
	}
	for _, path := range []string{"response_format.type", "text.format.type"} {
		if kind := request.Get(path).Str; strings.HasPrefix(kind, semconv.OutputTypeJSON) {
			a.PutStr(semconv.GenAIOutputType, semconv.OutputTypeJSON)
			a.PutStr("gen_ai.openai.request.response_format", kind) // of the conventions before 1.37
		}
	}
	if instructions := request.Get("instructions").Str; instructions != "" {
		part, _ := json.Marshal([]map[string]string{{"type": "text", "content": instructions}})
		a.PutStr(semconv.GenAISystemInstructions, string(part))
	}
	if tools := definitionsOf(request); tools != "" {
		a.PutStr(semconv.GenAIToolDefinitions, tools)
	}
	a.PutStr(semconv.GenAIInputMessages, inputOf(request))
	if apiOperations[r.api] != semconv.OperationEmbeddings {
		text, _ := json.Marshal(answer)
		a.PutStr(semconv.GenAIOutputMessages, string(text))
	}
	return span
}

// definitionsOf is the tools of a request, or its functions, as they were called before November 2023.
func definitionsOf(request gjson.Result) string {
	if tools := request.Get("tools"); tools.IsArray() && tools.Raw != "[]" {
		return tools.Raw
	}
	var functions []map[string]json.RawMessage
	for _, function := range request.Get("functions").Array() {
		functions = append(functions, map[string]json.RawMessage{"type": quote("function"), "function": json.RawMessage(function.Raw)})
	}
	if functions == nil {
		return ""
	}
	all, _ := json.Marshal(functions) // raw messages were valid
	return string(all)
}

// inputOf is the messages of a request.
func inputOf(request gjson.Result) string {
	for _, name := range []string{"messages", "input", "prompt"} {
		list := request.Get(name)
		switch {
		case list.IsArray() && len(list.Array()) > 0 && list.Array()[0].Type == gjson.String:
			var messages []message
			for _, text := range list.Array() {
				messages = append(messages, textMessage("user", text.Str))
			}
			all, _ := json.Marshal(messages)
			return string(all)
		case list.IsArray():
			return list.Raw
		case list.Type == gjson.String:
			all, _ := json.Marshal([]message{textMessage("user", list.Str)})
			return string(all)
		}
	}
	return "[]"
}

// reader reads spans as the processor does.
var reader = genai.NewReader(genai.Options{})

// framed is a span as the rules want it; false if no rule is for its model.
func framed(models *framing.Models, span ptrace.Span) (framing.Call, framing.Counter, bool) {
	call, ok := reader.Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
	if !ok {
		return framing.Call{}, nil, false
	}
	model, ok := models.Of(&call)
	if !ok {
		return framing.Call{}, nil, false
	}
	counter, err := tiktoken.Get(model.Encoding)
	if err != nil {
		return framing.Call{}, nil, false
	}
	messages := call.Messages()
	return framing.Call{Model: model, Span: &call, Messages: &messages}, counter, true
}
