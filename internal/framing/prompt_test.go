// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// texts is a Counter that keeps what it is asked for and takes it for nothing, so that what is counted is the framing alone.
type texts []string

func (t *texts) Count(text string) int {
	*t = append(*t, text)
	return 0
}

var sum = genai.Tool{Type: "function", Name: "get_sum", Description: "Adds two numbers.", Parameters: `{"type":"object","properties":{
	"a":{"type":"integer","description":"The first."},"b":{"type":"integer"}},"required":["a"]}`}

const sumDefinition = "namespace functions {\n\n// Adds two numbers.\ntype get_sum = (_: {\n// The first.\na: number,\nb?: number,\n}) => any;\n\n} // namespace functions"

func called(id, arguments string) genai.Part {
	return genai.Part{Kind: genai.PartToolCall, ID: id, Name: "get_sum", Arguments: arguments}
}

func returned(id, text string) genai.Message {
	return genai.Message{Role: "tool", Parts: []genai.Part{{Kind: genai.PartToolCallResponse, ID: id, Text: text}}}
}

func assistant(parts ...genai.Part) genai.Message {
	return genai.Message{Role: "assistant", Parts: parts}
}

// The numbers are those of the recordings that the rules were derived from: chats of openinference, ellmer and llm with
// GPT-4o and 4.1, responses of ellmer and ruby_llm with GPT-4.1 to GPT-5.6.
func TestFraming(t *testing.T) {
	const chat, responses = semconv.APITypeChatCompletions, semconv.APITypeResponses
	question := message("user", "2+2, 3+3?")
	tools := []genai.Tool{sum}
	single := []genai.Message{question, assistant(called("c1", `{"a": 2, "b": 2}`)), returned("c1", "4")}
	several := []genai.Message{
		question, assistant(called("c1", `{"a": 2, "b": 2}`), called("c2", `{"a":3,"b":3}`)), returned("c2", "6"), returned("c1", "4"),
	}
	const both = `{"tool_uses":[{"recipient_name":"functions.get_sum","parameters":{"a":2,"b":2}},` +
		`{"recipient_name":"functions.get_sum","parameters":{"a":3,"b":3}}]}`
	singleTexts := texts{"user", "2+2, 3+3?", "functions.get_sum", `{"a":2,"b":2}`, "functions.get_sum", "4", sumDefinition}
	bothTexts := texts{"user", "2+2, 3+3?", both, "6", "4", sumDefinition}
	listTexts := texts{"user", "2+2, 3+3?", both, "[6, 4]", sumDefinition}

	for name, test := range map[string]struct {
		api, model string
		messages   genai.Messages
		tokens     int64
		texts      texts
	}{
		"tools of a chat": {
			chat, "gpt-4o",
			genai.Messages{Input: []genai.Message{question}, Tools: tools},
			3 + 3 + 9,
			texts{"user", "2+2, 3+3?", sumDefinition},
		},
		"tools behind a system message": {
			chat, "gpt-4o",
			genai.Messages{Input: []genai.Message{message("system", "Add."), question}, Tools: tools},
			3 + 3 + 3 + 5,
			texts{"system", "Add.\n", "user", "2+2, 3+3?", sumDefinition},
		},
		"only the first system message has the tools": {
			chat, "gpt-4o",
			genai.Messages{Input: []genai.Message{message("system", "Add."), message("system", "Well."), question}, Tools: tools},
			3 + 3 + 3 + 3 + 5,
			texts{"system", "Add.\n", "system", "Well.", "user", "2+2, 3+3?", sumDefinition},
		},
		"tools of a chat, reasoning": {
			chat, "gpt-5-nano",
			genai.Messages{Input: []genai.Message{question}, Tools: tools},
			2 + 3 + 91,
			texts{"user", "2+2, 3+3?", sumDefinition},
		},
		"tools behind a developer message, reasoning": {
			chat, "gpt-5-nano",
			genai.Messages{Input: []genai.Message{message("developer", "Add."), question}, Tools: tools},
			2 + 3 + 3 + 90,
			texts{"developer", "Add.\n\n", "user", "2+2, 3+3?", sumDefinition},
		},
		"tools behind a system message, o-series": {
			chat, "o4-mini",
			genai.Messages{Input: []genai.Message{message("system", "Add."), question}, Tools: tools},
			2 + 3 + 3 + 9,
			texts{"system", "Add.\n\n", "user", "2+2, 3+3?", sumDefinition},
		},
		"tools of a response, o-series": {
			responses, "o4-mini",
			genai.Messages{Input: []genai.Message{question}, Tools: tools},
			2 + 3 + 6,
			texts{"user", "2+2, 3+3?", sumDefinition},
		},
		"tools of a response": {
			responses, "gpt-4.1",
			genai.Messages{System: question.Parts, Input: []genai.Message{question}, Tools: tools},
			3 + 3 + 3 + 3,
			texts{"system", "2+2, 3+3?", "user", "2+2, 3+3?", sumDefinition},
		},
		"tools of a response, reasoning": {
			responses, "gpt-5.4-nano",
			genai.Messages{Input: []genai.Message{question}, Tools: tools},
			2 + 3 + 9,
			texts{"user", "2+2, 3+3?", sumDefinition},
		},
		"call of a chat": {
			chat, "gpt-4o", genai.Messages{Input: single, Tools: tools}, 3 + 3 + 9 + 11, singleTexts,
		},
		"call of a response": {
			responses, "gpt-4.1", genai.Messages{Input: single, Tools: tools}, 3 + 3 + 3 + 9, singleTexts,
		},
		"call of a response, reasoning": {
			responses, "gpt-5.4", genai.Messages{Input: single, Tools: tools}, 2 + 3 + 9 + 18, singleTexts,
		},
		"call of a response, GPT-5": {
			responses, "gpt-5-mini", genai.Messages{Input: single, Tools: tools}, 2 + 3 + 9 + 15, singleTexts,
		},
		"call of a response, o-series": {
			responses, "o4-mini", genai.Messages{Input: single, Tools: tools}, 2 + 3 + 6 + 15, singleTexts,
		},
		"call of a chat, reasoning": {
			chat, "gpt-5-mini", genai.Messages{Input: single, Tools: tools}, 2 + 3 + 91 + 17, singleTexts,
		},
		"calls of a chat": {
			chat, "gpt-4o", genai.Messages{Input: several, Tools: tools}, 3 + 3 + 9 + 20, listTexts,
		},
		"calls of a chat, reasoning": {
			chat, "gpt-5", genai.Messages{Input: several, Tools: tools}, 2 + 3 + 91 + 26, listTexts,
		},
		"calls without results": {
			chat, "gpt-4o", genai.Messages{Input: several[:2]}, 3 + 3 + 20, texts{"user", "2+2, 3+3?", both, "[]"},
		},
		"calls of a response": {
			responses, "gpt-4.1",
			genai.Messages{Input: several, Tools: tools},
			3 + 3 + 3 + 2*9,
			texts{
				"user", "2+2, 3+3?", "functions.get_sum", `{"a":2,"b":2}`, "functions.get_sum", `{"a":3,"b":3}`,
				"functions.get_sum", "6", "functions.get_sum", "4", sumDefinition,
			},
		},
		"calls of a response, reasoning": {
			responses, "gpt-5.4", genai.Messages{Input: several, Tools: tools}, 2 + 3 + 9 + 16 + 2*11, bothTexts,
		},
		"calls in items of their own": {
			responses, "gpt-5.4",
			genai.Messages{Input: []genai.Message{
				question, assistant(several[1].Parts[0]), assistant(several[1].Parts[1]), several[2], several[3],
			}, Tools: tools},
			2 + 3 + 9 + 16 + 2*11, bothTexts,
		},
		"results without ids": {
			chat, "gpt-4o",
			genai.Messages{Input: []genai.Message{question, assistant(called("", `{"a":2,"b":2}`)), returned("", "4")}, Tools: tools},
			3 + 3 + 9 + 11, singleTexts,
		},
		"text before a call": {
			chat, "gpt-4o",
			genai.Messages{Input: []genai.Message{
				question, assistant(genai.Part{Kind: genai.PartText, Text: "Well."}, called("c1", `{"a":2,"b":2}`)), returned("c1", "4"),
			}, Tools: tools},
			3 + 3 + 3 + 9 + 11,
			texts{
				"user", "2+2, 3+3?", "assistant", "Well.", "functions.get_sum", `{"a":2,"b":2}`, "functions.get_sum", "4",
				sumDefinition,
			},
		},
		"arguments that are no JSON": {
			chat, "gpt-4o",
			genai.Messages{Input: []genai.Message{question, assistant(called("c1", `{"a": `)), returned("c1", "4")}, Tools: tools},
			3 + 3 + 9 + 11,
			texts{"user", "2+2, 3+3?", "functions.get_sum", `{"a": `, "functions.get_sum", "4", sumDefinition},
		},
		"history without definitions": {
			chat, "gpt-4o", genai.Messages{Input: single}, 3 + 3 + 11, singleTexts[:len(singleTexts)-1],
		},
		"result beside a text of the user": {
			chat, "gpt-4o",
			genai.Messages{Input: []genai.Message{single[0], single[1], {Role: "user", Parts: []genai.Part{
				single[2].Parts[0], {Kind: genai.PartText, Text: "So?"},
			}}}, Tools: tools},
			3 + 3 + 9 + 11,
			texts{"user", "2+2, 3+3?", "functions.get_sum", `{"a":2,"b":2}`, "functions.get_sum", "4", "So?", sumDefinition},
		},
		"result as the text of a tool's message": {
			chat, "gpt-4o",
			genai.Messages{Input: []genai.Message{single[0], single[1], message("tool", "4")}, Tools: tools},
			3 + 3 + 9 + 11, singleTexts,
		},
		"earlier answer, reasoning": {
			responses, "gpt-5.4",
			genai.Messages{Input: []genai.Message{question, message("assistant", "4, 6"), question}},
			2 + 3*3 + 2,
			texts{"user", "2+2, 3+3?", "assistant", "4, 6", "user", "2+2, 3+3?"},
		},
		"empty earlier answer": {
			chat, "gpt-4o",
			genai.Messages{Input: []genai.Message{question, {Role: "assistant"}, question}},
			3 + 3*3,
			texts{"user", "2+2, 3+3?", "assistant", "user", "2+2, 3+3?"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := call(t, test.model, &test.messages)
			c.Span.API = test.api
			var counted texts
			got := framing.Input(c, &counted)
			require.Equal(t, test.tokens, got.Tokens, "%+v", got)
			require.Equal(t, test.texts, counted)
		})
	}
}

func TestFramingOfToolCallsAsAnswer(t *testing.T) {
	first, second := called("c1", `{"a": 2}`), called("c2", `{"a": 3}`)
	for name, test := range map[string]struct {
		api    string
		parts  []genai.Part
		tokens int64
		texts  texts
	}{
		"one, chat":         {semconv.APITypeChatCompletions, []genai.Part{first}, 6, texts{"functions.get_sum", `{"a": 2}`}},
		"one, responses":    {semconv.APITypeResponses, []genai.Part{first}, 7, texts{"functions.get_sum", `{"a": 2}`}},
		"several, chat":     {semconv.APITypeChatCompletions, []genai.Part{first, second}, 8, nil},
		"several, response": {semconv.APITypeResponses, []genai.Part{first, second}, 11, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if test.texts == nil {
				test.texts = texts{`{"tool_uses":[{"recipient_name":"functions.get_sum","parameters":{"a": 2}},` +
					`{"recipient_name":"functions.get_sum","parameters":{"a": 3}}]}`}
			}
			c := call(t, "gpt-4o", &genai.Messages{Output: []genai.Message{assistant(test.parts...)}})
			c.Span.API = test.api
			var counted texts
			require.Equal(t, framing.Count{Tokens: test.tokens, Source: semconv.SourceEstimated}, framing.Output(c, &counted))
			require.Equal(t, test.texts, counted)
		})
	}
}

// A chat and a response differ by 82 tokens for the tools of GPT-5.
func TestToolsOfAReasoningModelNeedTheAPI(t *testing.T) {
	c := call(t, "gpt-5", &genai.Messages{Input: []genai.Message{message("user", "2+2?")}, Tools: []genai.Tool{sum}})
	require.Equal(t, framing.Count{Reason: framing.ReasonTools}, framing.Input(c, &texts{}))
	for id, want := range map[string]int64{"resp_1": 2 + 3 + 9, "chatcmpl-1": 2 + 3 + 91} {
		c.Span.ResponseID = id
		require.Equal(t, framing.Count{Tokens: want, Source: semconv.SourceEstimated}, framing.Input(c, &texts{}), id)
	}
}

// What tool_choice names is not on the span, but a chat's finish reason gives it away.
func TestToolThatHadToBeCalled(t *testing.T) {
	for name, test := range map[string]struct {
		model, finish string
		answer        []genai.Part
		tokens        int64
		named         bool
	}{
		"named":              {"gpt-4o", "stop", []genai.Part{called("c1", "{}")}, 3 + 3 + 9 + 7, true},
		"any":                {"gpt-4o", "tool_calls", []genai.Part{called("c1", "{}")}, 3 + 3 + 9, false},
		"an answer in words": {"gpt-4o", "stop", []genai.Part{{Kind: genai.PartText, Text: "4"}}, 3 + 3 + 9, false},
		"two":                {"gpt-4o", "stop", []genai.Part{called("c1", "{}"), called("c2", "{}")}, 3 + 3 + 9, false},
		"models that reason": {"gpt-5", "stop", []genai.Part{called("c1", "{}")}, 2 + 3 + 91, false},
	} {
		t.Run(name, func(t *testing.T) {
			answer := assistant(test.answer...)
			answer.FinishReason = test.finish
			c := call(t, test.model, &genai.Messages{
				Input: []genai.Message{message("user", "2+2?")}, Tools: []genai.Tool{sum}, Output: []genai.Message{answer},
			})
			c.Span.API = semconv.APITypeChatCompletions
			var counted texts
			require.Equal(t, framing.Count{Tokens: test.tokens, Source: semconv.SourceEstimated}, framing.Input(c, &counted))
			require.Equal(t, test.named, counted[len(counted)-1] == "get_sum")
		})
	}
}

// The formula for tools in OpenAI's cookbook, which was made for this very tool, gives the same numbers.
func TestToolsOfTheCookbook(t *testing.T) {
	const parameters = `{"type":"object","properties":{"location":{"type":"string","description":"The city and state, e.g. San Francisco, CA"},` +
		`"unit":{"type":"string","description":"The unit of temperature to return","enum":["celsius","fahrenheit"]}},"required":["location"]}`
	for model, want := range map[string]int64{"gpt-3.5-turbo": 106, "gpt-4": 106, "gpt-4o": 102, "gpt-4o-mini": 102} {
		c := call(t, model, &genai.Messages{
			Input: []genai.Message{
				message("system", "You are a helpful assistant that can answer to questions about the weather."),
				message("user", "What's the weather like in Pittsburgh, PA?"),
			},
			Tools: []genai.Tool{{
				Name: "get_current_weather", Description: "Get the current weather in a given location", Parameters: parameters,
			}},
		})
		require.Equal(t, framing.Count{Tokens: want, Source: semconv.SourceEstimated}, framing.Input(c, counter(t, model)), model)
	}
}

// What is not in OpenAI's harmony guide is from recordings of calls with such tools.
func TestDefinitions(t *testing.T) {
	const begin, end = "namespace functions {\n\n", "} // namespace functions"
	for name, test := range map[string]struct{ description, parameters, want string }{
		"no parameters": {"", `{"type":"object","properties":{}}`, "type f = () => any;\n\n"},
		"descriptions": {
			"\nDoes it.\n\n\tArgs:\n    s: what \n",
			`{"properties":{"s":{"type":"string","description":"What."},"t":{"type":"string"}},"required":["s"]}`,
			"// Does it.\n// Args:\n// s: what\ntype f = (_: {\n// What.\ns: string,\nt?: string,\n}) => any;\n\n",
		},
		"nothing said": {
			"",
			`{"properties":{"s":{"type":"string"},"n":{"type":"number"},"i":{"type":"integer"},"b":{"type":"boolean"},"a":{},"z":{"type":"null"}}}`,
			"type f = (_: { s?: string, n?: number, i?: number, b?: boolean, a?: any, z?: null }) => any;\n\n",
		},
		"titles": {
			"", `{"title":"f_input","properties":{"s":{"type":"string","title":"S","description":"What."}}}`,
			"type f = (_: // f_input\n{\n// S\n// What.\ns?: string,\n}) => any;\n\n",
		},
		"unions": {
			"", `{"properties":{"s":{"enum":["x","y",1]},"t":{"type":["integer","null"]},"u":{"anyOf":[{"type":"string"},{"type":"null"}]},` +
				`"v":{"oneOf":[{"type":"string"},{"type":"array"}]}}}`,
			"type f = (_: { s?: \"x\" | \"y\" | 1, t?: number | null, u?: string | null, v?: string | any[] }) => any;\n\n",
		},
		"unions with remarks": {
			"", `{"properties":{"u":{"anyOf":[{"type":"string","description":"A\nday.","format":"date"},{"type":"null"}],"default":null},` +
				`"t":{"type":["integer","null"],"description":"How many."}}}`,
			"type f = (_: {\nu?: \n | string // A day. format: date\n | null , // default: null\n" +
				"// How many.\nt?: \n | number // How many.\n | null // How many. ,\n}) => any;\n\n",
		},
		"nested": {
			"", `{"properties":{"o":{"type":"object","properties":{"s":{"type":"string","description":"In."}},"required":["s"]},` +
				`"p":{"type":"object","properties":{"s":{"type":"string"}},"additionalProperties":true}}}`,
			"type f = (_: {\no?: {\n// In.\ns: string,\n},\np?: { s?: string, [key: string]: any },\n}) => any;\n\n",
		},
		"arrays": {
			"", `{"properties":{"l":{"type":"array","items":{"type":"integer"}},"m":{"type":"array","items":{"type":"string","description":"Each."}}}}`,
			"type f = (_: {\nl?: number[],\nm?: Array<\n// Each.\nstring\n>,\n}) => any;\n\n",
		},
		"references": {
			"", `{"$defs":{"a/b":{"title":"AB","type":"object","properties":{"s":{"type":"string"}}}},` +
				`"properties":{"o":{"$ref":"#/$defs/a~1b","description":"It."},"p":{"$ref":"#/$defs/none"}}}`,
			"type f = (_: {\n// AB\n// It.\no?: // AB\n{\ns?: string,\n},\np?: any,\n}) => any;\n\n",
		},
		"limits": {
			"", `{"properties":{"n":{"type":"number","minimum":0,"exclusiveMaximum":2.5},"m":{"anyOf":[{"type":"integer","maximum":9},{"type":"null"}]},` +
				`"l":{"type":["integer","null"],"minimum":0},"s":{"type":"string","minLength":1,"pattern":"x"}}}`,
			"type f = (_: {\n// minimum: 0.0\n// exclusiveMaximum: 2.5\nn?: number,\nm?: \n | number // maximum: 9.0\n | null ,\nl?: number | null,\ns?: string,\n}) => any;\n\n",
		},
		"defaults": {
			"", `{"properties":{"s":{"type":"string","default":"x"},"n":{"type":"integer","default":1},"e":{"enum":["x"],"default":"x"}}}`,
			"type f = (_: {\ns?: string, // default: \"x\"\nn?: number, // default: 1\ne?: \"x\", // default: x\n}) => any;\n\n",
		},
		"too deep": {
			"", strings.Repeat(`{"properties":{"o":`, 100) + `{}` + strings.Repeat(`}}`, 100),
			"type f = (_: " + strings.Repeat("{ o?: ", 17) + "any" + strings.Repeat(" }", 17) + ") => any;\n\n",
		},
		"without end": {
			"", `{"properties":{"o":{"$ref":"#"}}}`,
			"type f = (_: " + strings.Repeat("{ o?: ", 17) + "any" + strings.Repeat(" }", 17) + ") => any;\n\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var counted texts
			got := framing.Input(call(t, "gpt-4o", &genai.Messages{
				Input: []genai.Message{message("user", "hi")},
				Tools: []genai.Tool{{Name: "f", Description: test.description, Parameters: test.parameters}},
			}), &counted)
			require.Equal(t, semconv.SourceEstimated, got.Source)
			require.Equal(t, begin+test.want+end, counted[len(counted)-1])
		})
	}
}

func TestSchemasThatGrowWithoutEndAreNotCounted(t *testing.T) {
	for name, parameters := range map[string]string{
		"references": `{"properties":{"o":{"$ref":"#"},"p":{"$ref":"#"}}}`,
		"a circle":   `{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"properties":{"o":{"$ref":"#/$defs/a"}}}`,
		"types":      strings.Repeat(`{"type":["object","object","object"],"properties":{"o":`, 20) + `{}` + strings.Repeat(`}}`, 20),
	} {
		t.Run(name, func(t *testing.T) {
			got := framing.Input(call(t, "gpt-4o", &genai.Messages{
				Input: []genai.Message{message("user", "hi")}, Tools: []genai.Tool{{Name: "f", Parameters: parameters}},
			}), &texts{})
			require.Equal(t, framing.Count{Reason: framing.ReasonUnsupported}, got)
		})
	}
}

// The right side is what Python's json.dumps makes of the values.
func TestResultsOfSeveralCalls(t *testing.T) {
	for name, test := range map[string]struct {
		results         []string
		want, reasoning string
	}{
		"text":   {[]string{"50 degrees\tand \"raining\"", "72\u00b0F \U0001f600\x7f\\"}, `["50 degrees\tand \"raining\"", "72\u00b0F \ud83d\ude00\u007f\\"]`, "[\"50 degrees\\tand \\\"raining\\\"\", \"72°F 😀\x7f\\\\\"]"},
		"JSON":   {[]string{`{"city":"NYC", "t":[72.5,true,null]}`, `{"\u00b0\/\"":"\u00b0\/"}`}, `[{"city": "NYC", "t": [72.5, true, null]}, {"\u00b0/\"": "\u00b0/"}]`, `[{"city": "NYC", "t": [72.5, true, null]}, {"°/\"": "°/"}]`},
		"values": {[]string{"5", `"a"`, "", "{"}, `[5, "a", "", "{"]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			messages := genai.Messages{Input: []genai.Message{message("user", "hi"), {Role: "assistant"}}}
			for i, result := range test.results {
				id := string(rune('a' + i))
				messages.Input[1].Parts = append(messages.Input[1].Parts, called(id, "{}"))
				messages.Input = append(messages.Input, returned(id, result))
			}
			var counted texts
			framing.Input(call(t, "gpt-4o", &messages), &counted)
			require.Equal(t, test.want, counted[len(counted)-1])
			framing.Input(call(t, "gpt-5", &messages), &counted)
			require.Equal(t, cmp.Or(test.reasoning, test.want), counted[len(counted)-1])
		})
	}
}

// Sizes and numbers are from OpenAI's guide, recordings and published measurements; what is one off is said so.
func TestImages(t *testing.T) {
	for _, test := range []struct {
		model         string
		width, height int
		want          int64
	}{
		{"gpt-4o", 128, 128, 255},               // recorded
		{"gpt-4o", 3008, 2000, 1105},            // recorded
		{"gpt-4o", 1024, 1024, 765},             // guide
		{"gpt-4o", 2048, 4096, 1105},            // guide
		{"gpt-4o-mini", 1, 1, 8500},             // recorded
		{"gpt-4.1", 1024, 1024, 765},            // measured
		{"gpt-4.1-mini", 300, 346, 180},         // recorded: 179 and 181
		{"gpt-4.1-mini", 1800, 2400, 2354},      // guide: 1452 patches, 2353
		{"gpt-4.1-mini", 4000, 1474, 2349},      // guide: 2348; measured: 2489
		{"gpt-4.1-nano", 128, 128, 41},          // recorded
		{"gpt-4.1-nano", 540, 360, 503},         // recorded
		{"gpt-5-nano-2025-08-07", 128, 128, 25}, // recorded: 24
		{"o3", 128, 64, 225},                    // measured
		{"o4-mini", 128, 64, 15},                // measured
		{"gpt-4o", 1, 1 << 30, 765},
		{"gpt-4.1-nano", 1, 1 << 30, 3780},
	} {
		c := call(t, test.model, &genai.Messages{Input: []genai.Message{{Role: "user", Parts: []genai.Part{
			{Kind: genai.PartBlob, Modality: "image", Width: test.width, Height: test.height},
		}}}})
		got := framing.Input(c, &texts{})
		require.Equal(t, semconv.SourceEstimated, got.Source)
		without := framing.Input(call(t, test.model, &genai.Messages{Input: []genai.Message{message("user", "")}}), &texts{})
		require.Equal(t, test.want, got.Tokens-without.Tokens, "%+v", test)
	}
	for _, model := range []string{"gpt-4", "gpt-5.6", "o3-mini", "o200k_base"} {
		c := call(t, model, &genai.Messages{Input: []genai.Message{{Role: "user", Parts: []genai.Part{
			{Kind: genai.PartBlob, Modality: "image", Width: 8, Height: 8},
		}}}})
		require.Equal(t, framing.Count{Reason: framing.ReasonImage}, framing.Input(c, &texts{}), model)
	}
}

func TestLowerBounds(t *testing.T) {
	messages := &genai.Messages{
		Input: []genai.Message{{Role: "user", Parts: []genai.Part{
			{Kind: genai.PartText, Text: "hello world"}, {Kind: genai.PartURI, Modality: "image"},
		}}},
		Output: []genai.Message{message("assistant", "hello world")},
	}
	c := call(t, "gpt-5", messages)
	require.Equal(t, framing.Count{Reason: framing.ReasonImage}, framing.Input(c, counter(t, "gpt-5")))
	require.Equal(t, framing.Count{Reason: framing.ReasonReasoning}, framing.Output(c, counter(t, "gpt-5")))
	c.LowerBounds = true
	partial := func(n int64, r framing.Reason) framing.Count {
		return framing.Count{Tokens: n, Source: semconv.SourcePartial, Reason: r}
	}
	require.Equal(t, partial(8, framing.ReasonImage), framing.Input(c, counter(t, "gpt-5")))
	require.Equal(t, partial(2, framing.ReasonReasoning), framing.Output(c, counter(t, "gpt-5")))

	messages.Output = []genai.Message{message("assistant", "")}
	require.Equal(t, framing.Count{Reason: framing.ReasonReasoning}, framing.Output(c, counter(t, "gpt-5")), "no bound is better than 0")
}

// TestCutContentHasNoMoreTokens cuts messages, as emitters write them, at every byte. Only a word that was cut in the middle can
// have a few tokens more.
func TestCutContentHasNoMoreTokens(t *testing.T) {
	image := `data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7`
	for _, messages := range []string{
		`[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"Wie groß ist Grönland?"}]}]`,
		`[{"parts":[{"content":"Be brief, please, and polite.","type":"text"}],"role":"system"},{"parts":[{"content":"Wie groß?","type":"text"}],"role":"user"}]`,
		`[{"role":"user","content":"What is it?"},{"role":"assistant","content":[{"text":"A cat\n\n\n\n\n\n.","type":"text"}]}]`,
		`[{"role":"user","parts":[{"content":"` + image + `","mime_type":"image/gif","modality":"image","type":"blob"},{"type":"text","content":"What is it?"}]}]`,
		`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + image + `"}},{"text":"What is it?","type":"text"}]}]`,
		`[{"role":"user","parts":[{"content":"Where?","type":"text"}]},{"role":"assistant","parts":[{"arguments":{"city":"\u5317\u4eac\u5317\u4eac"},"name":"find","id":"call_1","type":"tool_call"}]},` +
			`{"role":"tool","parts":[{"response":{"a":"\u5317\u4eac\u5317\u4eac\u5317\u4eac"},"id":"call_1","type":"tool_call_response"}]}]`,
		`[{"role":"user","parts":[{"type":"text","content":"Where?"}]},{"role":"assistant","parts":[{"type":"tool_call","id":"call_1","name":"find","arguments":"{\"city\":\"Rome\"}"}]},` +
			`{"role":"tool","parts":[{"type":"tool_call_response","id":"call_1","response":"\u5317\u4eac\u5317\u4eac"}]}]`,
	} {
		span := ptrace.NewSpan()
		span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationChat)
		span.Attributes().PutStr(semconv.GenAIRequestModel, "gpt-4o")
		count := func(messages string) framing.Count {
			span.Attributes().PutStr(semconv.GenAIInputMessages, messages)
			read, _ := genai.NewReader(genai.Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
			model, _ := framing.ModelNamed("gpt-4o")
			content := read.Messages()
			return framing.Input(framing.Call{Model: model, Span: &read, Messages: &content, LowerBounds: true}, counter(t, "gpt-4o"))
		}
		whole, bounds := count(messages), 0
		require.True(t, whole.Known(), messages)
		for n := range messages {
			if cut := count(messages[:n]); cut.Known() {
				bounds++
				require.Equal(t, semconv.SourcePartial, cut.Source, messages[:n])
				require.LessOrEqual(t, cut.Tokens, whole.Tokens+2, messages[:n])
			}
		}
		require.NotZero(t, bounds, messages)
	}
}

func TestCutContent(t *testing.T) {
	messages := &genai.Messages{
		Input:  []genai.Message{message("user", "hello world")},
		Output: []genai.Message{message("assistant", "hello world")},
	}
	c := call(t, "gpt-4o", messages)
	whole, answer := framing.Input(c, counter(t, "gpt-4o")), framing.Output(c, counter(t, "gpt-4o"))
	none := framing.Count{Reason: framing.ReasonTruncated}
	partial := func(c framing.Count) framing.Count {
		return framing.Count{Tokens: c.Tokens, Source: semconv.SourcePartial, Reason: framing.ReasonTruncated}
	}
	for _, test := range []struct {
		input, output, broken, bounds bool
		choices                       int64
		wantInput, wantOutput         framing.Count
	}{
		{wantInput: whole, wantOutput: answer},
		{input: true, wantInput: none, wantOutput: answer},
		{output: true, wantInput: whole, wantOutput: none},
		{choices: 2, wantInput: whole, wantOutput: none},
		{input: true, bounds: true, wantInput: partial(whole), wantOutput: answer},
		{output: true, bounds: true, wantInput: whole, wantOutput: partial(answer)},
		{choices: 2, bounds: true, wantInput: whole, wantOutput: partial(answer)},
		{input: true, output: true, broken: true, bounds: true, wantInput: none, wantOutput: none},
	} {
		messages.TruncatedInput, messages.TruncatedOutput, messages.Broken = test.input, test.output, test.broken
		c.LowerBounds = test.bounds
		c.Span.Request.Choices = genai.Optional[int64]{Value: test.choices, Set: test.choices > 0}
		require.Equal(t, test.wantInput, framing.Input(c, counter(t, "gpt-4o")), "%+v", test)
		require.Equal(t, test.wantOutput, framing.Output(c, counter(t, "gpt-4o")), "%+v", test)
	}
	messages.Input, messages.TruncatedInput, messages.Broken, c.LowerBounds = nil, true, false, true
	require.Equal(t, none, framing.Input(c, counter(t, "gpt-4o")), "nothing is left to count")
}
