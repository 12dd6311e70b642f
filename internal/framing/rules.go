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
	// call frames a tool call of the history and its result. From recordings.
	call
	// parallel frames several tool calls of one message and their results, and result each of the latter where it stands for
	// itself. From recordings of two to four calls.
	parallel
	result
	// forced is what tells the model to call the one tool that tool_choice names, beside its name. From recordings of 24 calls.
	forced
	// end of an answer that is text. From recordings; chat has 0 most of the time.
	end
	// saidCall and saidCalls frame one tool call, or several, in the answer. From recordings.
	saidCall
	saidCalls
	numConstants
)

var constantNames = [numConstants]string{
	"priming", "channel", "tools", "tools beside", "call", "parallel", "result", "forced", "end", "said call", "said calls",
}

// together is what becomes of several tool calls of one message.
type together uint8

const (
	apart      together = iota // each is as if it were alone
	asOneCall                  // they are one call of the tool multi_tool_use.parallel
	asOne                      // so are their results one list
	asOneASCII                 // the same, in ASCII
)

// rules is how the calls of a kind of models to one of OpenAI's APIs are framed.
type rules struct {
	name      string
	history   string // tells how calls of the history are framed from other rules of the same name
	constants [numConstants]int64
	beside    string // ends the system message, if there is one, where tools are defined behind it; empty if they never are
	several   together
	uncertain bool // so few recordings show it that no count by it passes for exact
}

// nameOf is the name of a constant; rules that share it share its value.
func (r *rules) nameOf(c constant) string {
	name := r.name + ": " + constantNames[c]
	if r.history != "" && c == call {
		name += ", " + r.history
	}
	return name
}

var (
	chatRules = map[kind]*rules{
		plain: {name: "chat", beside: "\n", several: asOneASCII, constants: [numConstants]int64{
			priming: 3, tools: 9, toolsBeside: 5, call: 11, parallel: 20, forced: 7, saidCall: 6, saidCalls: 8,
		}},
		oSeries: {name: "chat, o-series", beside: "\n\n", several: asOne, uncertain: true, constants: [numConstants]int64{
			priming: 2, channel: 2, tools: 10, toolsBeside: 9, call: 17, parallel: 26, saidCall: 10, saidCalls: 14,
		}},
		gpt5:     chatGPT5,
		laterGPT: chatGPT5,
	}
	// That tools are 81 more than for the o-series is on record, from GPT-5 to GPT-5.4; what these are is not known.
	chatGPT5 = &rules{name: "chat, reasoning", beside: "\n\n", several: asOne, uncertain: true, constants: [numConstants]int64{
		priming: 2, channel: 2, tools: 91, toolsBeside: 90, call: 17, parallel: 26, saidCall: 10, saidCalls: 14,
	}}

	responsesRules = map[kind]*rules{
		plain: {name: "responses", constants: [numConstants]int64{
			priming: 3, tools: 3, call: 9, end: 1, saidCall: 7, saidCalls: 11,
		}},
		oSeries: {name: "responses, o-series", constants: [numConstants]int64{
			priming: 2, channel: 2, tools: 6, call: 15, end: 1, saidCall: 10, saidCalls: 14,
		}},
		gpt5: {name: "responses, reasoning", history: "GPT-5", constants: [numConstants]int64{
			priming: 2, channel: 2, tools: 9, call: 15, end: 1, saidCall: 10, saidCalls: 14,
		}},
		laterGPT: {name: "responses, reasoning", several: asOneCall, constants: [numConstants]int64{
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
	if len(m.Tools) > 0 {
		ending = t.rules.beside
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
	for _, made := range t.called.groups {
		if t.rules.several >= asOne {
			t.text(resultList(made.results, t.rules.several == asOneASCII))
		}
	}
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
			t.estimated = t.estimated || t.rules.constants[channel] != 0 // on record for three calls alone
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
