// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

// A field is a fact about a call that an attribute can carry.
type field uint8

const (
	operation field = iota
	aggregate       // set at all: the span sums the calls below it
	provider
	requestModel
	responseModel
	modelInInput // stands for the model where no attribute names one
	conversation
	user
	promptName
	promptVersion
	errorType
	serviceTier
	temperature
	topP
	frequencyPenalty
	presencePenalty
	topK
	maxTokens
	seed
	choices
	stream
	outputType
	responseFormat
	reasoningLevel
	api
	responseID
	previousResponse
	finishReasons
	inputTokens
	outputTokens
	cacheReadTokens
	cacheWriteTokens
	reasoningTokens
	audioInputTokens
	audioOutputTokens
	timeToFirstChunk
	adkEvent   // see the rule in operations.go
	adkRequest // see the rule in operations.go
	numFields
)

// A dialect is the set of names that one family of emitters uses. To add one, append its table to dialects; nothing else
// changes.
type dialect struct {
	name string
	// attributes in order of preference: where two name the same field, the first that is set wins.
	attributes []attribute
	// content in order of preference: for each side of the call, the first that yields anything wins.
	content []source
}

// attribute is a name, and how to read a field from its value.
type attribute struct {
	key   string
	field field
	// path is where in the attribute's JSON the value stands, in gjson's syntax; empty if the attribute is the value.
	path string
	// values translates the value.
	values *values
	// constant is the value whatever the attribute says: that it is there is the fact.
	constant string
	// scale is what a number has to be multiplied by; zero means one.
	scale float64
	// plus adds the number to the one that another path of the same attribute gave the field.
	plus bool
	// withoutCache marks an input count that does not include the tokens read from and written to the cache.
	withoutCache bool
}

// values is a translation of the words of an emitter. Of a value with a space in it, the part before the space counts.
type values struct {
	of map[string]string
	// open passes on values that are not in the table; otherwise they say nothing.
	open bool
}

// of returns the translation of word; false if there is none.
func (v *values) translate(word string) (string, bool) {
	if translated, ok := v.of[firstWord(word)]; ok {
		return translated, true
	}
	return word, v.open
}

// side is a part of a call's content.
type side uint8

const (
	systemSide side = iota
	inputSide
	outputSide
	toolsSide
	numSides
)

// source is one place where a dialect carries content: an attribute, indexed attributes, or span events. Exactly one of
// key, indexed and events is set.
type source struct {
	side side
	// key is the name of an attribute.
	key string
	// as says what the attribute's value is.
	as format
	// more appends to what the source before it gave, as a part of the same message.
	more bool
	// indexed is a family of attributes such as gen_ai.prompt.0.role.
	indexed *indexed
	// events are span events, by name.
	events map[string]eventReader
}

// format is what the value of a content attribute is.
type format uint8

const (
	anyMessages     format = iota // messages in whatever shape, as JSON, as structured values, or as plain text
	plainText                     // the text of a message
	reasoningText                 // what the model thought
	systemParts                   // instructions, as parts or as text
	quotedTexts                   // a list of texts, each as JSON
	toolDefinitions               // a list of tools
	toolCalls                     // the tool calls of a message
	toolArguments                 // what a tool was called with, on the span of the tool
	toolResult                    // what a tool returned, on the span of the tool
	eventList                     // a JSON array of the per-message events of the conventions 1.28-1.36
)

// dialects in order of precedence.
var dialects = []dialect{
	otelCurrent,
	otelMessageEvents,
	otelContentEvents,
	openLLMetry,
	openInference,
	vercel,
	langSmith,
	pydanticAI,
	mlflowTracing,
	langfuse,
	googleADK,
	genkit,
	claudeCode,
	voltAgent,
	liveKit,
	braintrust,
	goCompileTime,
	implied,
}
