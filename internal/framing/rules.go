// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"strings"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// A message is 3 tokens, <|start|>, <|message|> and <|end|>, and those of its role and content; a name is one more and its
// own. This is the rule of OpenAI's cookbook, "How to count tokens with tiktoken".
const (
	perMessage = 3
	perName    = 1
)

// A constant is a number of tokens that a call has for one thing beside the tokens of messages, names, definitions, arguments
// and results.
type constant uint8

const (
	// priming of the answer: <|start|>assistant<|message|>. The cookbook has 3; reasoning models bill one less, on record for
	// o3-mini, o4-mini and GPT-5 to GPT-5.6.
	priming constant = iota
	// channel of an earlier answer, <|channel|>final in the harmony format, which only reasoning models have.
	channel
	// tools is the heading of the section that defines tools, toolsBeside what it is behind a system message. Those of chat
	// with models that do not reason are in hmarr/openai-chat-tokens, the others are from recordings.
	tools
	toolsBeside
	// call frames a tool call of the history and its result, where it is the only call of its message. From recordings.
	call
	// parallel frames several tool calls of one message, and result the result of each: they are one call of the tool
	// multi_tool_use.parallel. From recordings of two and of four calls.
	parallel
	result
	// end of an answer that is text. From recordings; chat has 0 most of the time.
	end
	// saidCall and saidCalls frame one tool call, or several, in the answer. From recordings.
	saidCall
	saidCalls
	numConstants
)

var constantNames = [numConstants]string{
	"priming", "channel", "tools", "tools beside", "call", "parallel", "result", "end", "said call", "said calls",
}

// rules is how the calls of a kind of models to one of OpenAI's APIs are framed.
type rules struct {
	name      string
	constants [numConstants]int64
	beside    bool // tools are defined in the system message, behind a line feed, if there is one (hmarr/openai-chat-tokens)
	parallel  bool // several tool calls of one message are one
	uncertain bool // so few recordings show it that no count by it passes for exact
}

var (
	chatRules = map[kind]*rules{
		plain: {name: "chat", beside: true, parallel: true, constants: [numConstants]int64{
			priming: 3, tools: 9, toolsBeside: 5, call: 11, parallel: 16, result: 4, saidCall: 6, saidCalls: 8,
		}},
		// That tools are 81 more than with the Responses API is on record for GPT-5 alone.
		reasoning: {name: "chat, reasoning", parallel: true, uncertain: true, constants: [numConstants]int64{
			priming: 2, channel: 2, tools: 90, call: 18, parallel: 16, result: 11, saidCall: 10, saidCalls: 14,
		}},
	}
	responsesRules = map[kind]*rules{
		plain: {name: "responses", constants: [numConstants]int64{
			priming: 3, tools: 3, call: 9, end: 1, saidCall: 7, saidCalls: 11,
		}},
		reasoning: {name: "responses, reasoning", parallel: true, constants: [numConstants]int64{
			priming: 2, channel: 2, tools: 9, call: 18, parallel: 16, result: 11, end: 1, saidCall: 10, saidCalls: 14,
		}},
	}
	// unframed are the rules of texts that stand for themselves, such as those of embeddings.
	unframed = &rules{name: "unframed"}
)

// rulesOf returns the rules of a call; for a span that does not say which API was called those of chat, and false.
func rulesOf(call Call) (*rules, bool) {
	if !operations[call.Span.Operation].conversation {
		return unframed, true
	}
	switch api := call.Span.API; {
	case api == semconv.APITypeResponses, api == "" && strings.HasPrefix(call.Span.ResponseID, "resp_"):
		return responsesRules[call.Model.kind], true
	case api == semconv.APITypeChatCompletions, api == "" && strings.HasPrefix(call.Span.ResponseID, "chatcmpl-"):
		return chatRules[call.Model.kind], true
	default:
		return chatRules[call.Model.kind], false
	}
}

// roles of messages that were measured.
var roles = map[string]bool{"system": true, "developer": true, "user": true, "assistant": true}

func isSystem(role string) bool { return role == "system" || role == "developer" }

func isResult(role string) bool { return role == "tool" || role == "function" }

// conversation adds what a conversation is framed as.
func (t *tally) conversation(m *genai.Messages) {
	t.add(priming)
	t.estimated = t.estimated || t.rules.uncertain
	heading := tools
	var ending string // of the next system message
	if len(m.Tools) > 0 && t.rules.beside {
		ending = "\n"
	}
	message := func(message *genai.Message) {
		if ending == "" || !isSystem(message.Role) {
			t.message(message, "")
			return
		}
		t.message(message, ending)
		heading, ending = toolsBeside, ""
	}
	if m.System != nil {
		message(&genai.Message{Role: "system", Parts: m.System})
	}
	for i := range m.Input {
		message(&m.Input[i])
	}
	t.calls()
	if len(m.Tools) > 0 {
		t.add(heading)
		t.definitions(m.Tools)
	}
}

// message adds a message, whose text has ending behind it.
func (t *tally) message(m *genai.Message, ending string) {
	if len(m.Parts) == 0 && m.Role != "assistant" { // whose answer can be empty
		t.miss(ReasonNoContent)
		return
	}
	said, calls := split(m.Parts)
	if len(said) > 0 || len(calls) == 0 {
		t.calls()
	}
	switch {
	case isResult(m.Role), len(said) > 0 && said[0].Kind == genai.PartToolCallResponse: // the latter also by the user
		t.results(said, isResult(m.Role))
	case len(said) > 0 || len(calls) == 0:
		if !roles[m.Role] {
			t.miss(ReasonUnsupported)
		}
		t.tokens += perMessage
		t.text(m.Role)
		if m.Role == "assistant" {
			t.add(channel)
		}
		t.name(m)
		t.parts(said, ending)
	}
	t.pending = append(t.pending, calls...)
}

// name adds the name of a message. One that repeats the role is one token less: recordings of AutoGen, the only ones of names.
func (t *tally) name(m *genai.Message) {
	if m.Name == "" {
		return
	}
	t.tokens += perName
	t.text(m.Name)
	if m.Name == m.Role {
		t.tokens--
		t.estimated = true
	}
}

// split parts the tool calls of a message from all else.
func split(parts []genai.Part) (said, calls []genai.Part) {
	first := 0
	for first < len(parts) && parts[first].Kind != genai.PartToolCall {
		first++
	}
	if first == len(parts) {
		return parts, nil
	}
	for i := range parts {
		if parts[i].Kind == genai.PartToolCall {
			calls = append(calls, parts[i])
		} else {
			said = append(said, parts[i])
		}
	}
	return said, calls
}

// choice adds a choice of the answer.
func (t *tally) choice(m *genai.Message) {
	if len(m.Parts) == 0 && t.reason == "" {
		t.miss(ReasonNoContent)
	}
	said, calls := split(m.Parts)
	t.parts(said, "")
	switch len(calls) {
	case 0:
		t.add(end)
	case 1:
		t.add(saidCall)
		t.toolCall(&calls[0], calls[0].Arguments)
	default:
		t.add(saidCalls)
		t.text(parallelCalls(calls, false))
	}
}
