// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// ZeroUsage says what a usage of zero tokens means beside text that is not empty.
type ZeroUsage string

const (
	// ZeroUsageMissing takes it as unknown: some instrumentations write zeros when a stream carried no usage.
	ZeroUsageMissing ZeroUsage = "missing"
	// ZeroUsageReported takes it as what the provider reported.
	ZeroUsageReported ZeroUsage = "reported"
)

// DefaultPersonaAttributes are the attributes that name the persona, the first that is set wins.
var DefaultPersonaAttributes = []string{semconv.PersonaID, "persona_id", "gen_ai.persona.id"}

// Options of a Reader.
type Options struct {
	// PersonaAttributes are looked for in this order, on the span, then on its scope, then on its resource.
	// If nil, DefaultPersonaAttributes are used.
	PersonaAttributes []string
	// ZeroUsage says what zero tokens beside a prompt or an answer mean. If empty, ZeroUsageMissing is used.
	ZeroUsage ZeroUsage
}

// Reader reads calls from spans. It is safe for concurrent use.
type Reader struct {
	names     map[string]entry
	documents []document
	keys      int // number of content attributes
	families  []*placed
	events    map[string]sides
	sources   [numSides][]*placed
	persona   []string
	zero      ZeroUsage
}

// entry is what the tables know of an attribute name.
type entry struct {
	targets  []target
	document int // index in documents plus one; zero if it is none
	content  int // index of the content attribute plus one; zero if it is none
	sides    sides
	indexed  bool // belongs to a family of indexed attributes, too
}

// document is a JSON attribute that carries several fields.
type document struct{ targets []target }

// placed is a source and its place in the tables.
type placed struct {
	*source
	dialect int
	value   int // index of the content attribute
	family  int // index of the indexed attributes
}

// sides is a set of sides.
type sides uint8

func (s sides) has(one side) bool { return s&(1<<one) != 0 }

func (s *sides) add(one side) { *s |= 1 << one }

// maxDocuments bounds the JSON attributes of the tables, so that Read needs no memory for them.
const maxDocuments = 24

// NewReader returns a Reader for all supported dialects.
func NewReader(o Options) *Reader {
	r := &Reader{names: make(map[string]entry), events: make(map[string]sides), persona: o.PersonaAttributes, zero: o.ZeroUsage}
	if r.persona == nil {
		r.persona = DefaultPersonaAttributes
	}
	rank := uint16(0)
	for i := range dialects {
		for j := range dialects[i].attributes {
			r.addAttribute(target{&dialects[i].attributes[j], rank})
			rank++
		}
		for j := range dialects[i].content {
			r.addSource(i, &dialects[i].content[j])
		}
	}
	for key, e := range r.names {
		if family, _, _ := r.family(key); family != nil {
			e.indexed = true
			r.names[key] = e
		}
	}
	return r
}

func (r *Reader) addAttribute(t target) {
	e := r.names[t.key]
	if t.path == "" {
		e.targets = append(e.targets, t)
	} else {
		if e.document == 0 {
			r.documents = append(r.documents, document{})
			e.document = len(r.documents)
		}
		d := &r.documents[e.document-1]
		d.targets = append(d.targets, t)
	}
	r.names[t.key] = e
}

func (r *Reader) addSource(dialect int, s *source) {
	p := &placed{source: s, dialect: dialect}
	switch {
	case s.indexed != nil:
		p.family = len(r.families)
		r.families = append(r.families, p)
	case s.events != nil:
		for name := range s.events {
			r.events[name] |= 1 << s.side
		}
	default:
		e := r.names[s.key]
		if e.content == 0 {
			r.keys++
			e.content = r.keys
		}
		e.sides.add(s.side)
		r.names[s.key] = e
		p.value = e.content - 1
	}
	r.sources[s.side] = append(r.sources[s.side], p)
}

// Read returns what the span says about a GenAI operation; false if it is none.
func (r *Reader) Read(resource pcommon.Resource, scope pcommon.InstrumentationScope, span ptrace.Span) (Call, bool) {
	var found fields
	var documents [maxDocuments]string
	var content sides
	var indexed *placed
	attributes := span.Attributes()
	attributes.Range(func(key string, value pcommon.Value) bool {
		e, known := r.names[key]
		if family, _, _ := r.familyOf(key, known, e); family != nil {
			indexed = family
			content.add(family.side)
		}
		for _, t := range e.targets {
			found.offer(t, value)
		}
		if e.document > 0 && value.Type() == pcommon.ValueTypeStr {
			documents[e.document-1] = value.Str()
		}
		if e.sides != 0 && notEmpty(value) {
			content |= e.sides
		}
		return true
	})
	for i := range r.documents {
		if documents[i] != "" {
			for _, t := range r.documents[i].targets {
				found.offerJSON(t, documents[i])
			}
		}
	}
	name := found.str(operation)
	if name == "" {
		if name = r.impliedOperation(indexed, span); name == "" {
			return Call{}, false
		}
	}
	call := found.call(name)
	call.reader, call.span = r, span
	call.Persona = r.personaOf(attributes, scope.Attributes(), resource.Attributes())
	failed := span.Status().Code() == ptrace.StatusCodeError
	if failed && call.ErrorType == "" {
		call.ErrorType = exceptionType(span)
	}
	call.Failed = failed || call.ErrorType != ""
	call.Aggregate = call.Aggregate || call.repeatsVercel(scope)
	if r.zero != ZeroUsageReported {
		call.forgetZeros(content)
	}
	return call, true
}

// call is what the fields say of an operation.
func (f *fields) call(name string) Call {
	call := Call{
		Operation:     name,
		Aggregate:     f.sums(name),
		Provider:      f.str(provider),
		RequestModel:  f.str(requestModel),
		ResponseModel: f.str(responseModel),
		Conversation:  f.str(conversation),
		User:          f.str(user),
		PromptName:    f.str(promptName),
		PromptVersion: f.str(promptVersion),
		ErrorType:     f.str(errorType),
		ServiceTier:   f.str(serviceTier),
		API:           f.str(api),
		ResponseID:    f.str(responseID),
		Request: Request{
			Temperature:      f.float(temperature),
			TopP:             f.float(topP),
			FrequencyPenalty: f.float(frequencyPenalty),
			PresencePenalty:  f.float(presencePenalty),
			TopK:             f.int(topK),
			MaxTokens:        f.int(maxTokens),
			Seed:             f.int(seed),
			Choices:          f.int(choices),
			Stream:           f.bool(stream),
			OutputType:       f.str(outputType),
			ResponseFormat:   f.str(responseFormat),
			ReasoningLevel:   f.str(reasoningLevel),
			PreviousResponse: f.str(previousResponse),
		},
		Usage:            f.usage(),
		TimeToFirstChunk: f.float(timeToFirstChunk),
		finish:           noValue,
	}
	if call.Model() == "" {
		call.RequestModel = f.str(modelInInput)
	}
	if s := &f[finishReasons]; s.set() {
		call.finish, call.finishText = s.value, s.text
	}
	return call
}

// repeatsVercel says that the span is the outer of the two that the Vercel AI SDK 7 writes for embeddings, both with the same
// attributes. Only the inner one has the usage.
func (c *Call) repeatsVercel(scope pcommon.InstrumentationScope) bool {
	return c.Operation == semconv.OperationEmbeddings && !c.Usage.Input.Set && !c.Failed && scope.Name() == "gen_ai"
}

// impliedOperation is what a span must be that carries the content of a model call and nothing that says what it is.
func (r *Reader) impliedOperation(indexed *placed, span ptrace.Span) string {
	if indexed != nil {
		if indexed.indexed.prefix == embeddingPrefix {
			return semconv.OperationEmbeddings
		}
		return semconv.OperationChat
	}
	events := span.Events()
	for i := range events.Len() {
		if r.events[events.At(i).Name()] != 0 {
			return semconv.OperationChat
		}
	}
	return ""
}

// exceptionType is the type of the last exception that the span recorded: OpenInference and OpenLLMetry give no other
// reason for an error.
func exceptionType(span ptrace.Span) string {
	events := span.Events()
	for i := events.Len() - 1; i >= 0; i-- {
		if event := events.At(i); event.Name() == "exception" {
			if v, ok := event.Attributes().Get("exception.type"); ok && v.Type() == pcommon.ValueTypeStr {
				return v.Str()
			}
		}
	}
	return ""
}

// forgetZeros takes away the counts of zero that cannot be: of an answer that has text, of a prompt that has text or was
// answered, and of a stream that did not fail, for which the Go compile-time instrumentation writes zeros when the stream
// carried no usage. A zero stays unknown beside a count that the token processor filled in.
func (c *Call) forgetZeros(content sides) {
	u := &c.Usage
	noInput, noOutput := u.Input.Set && u.Input.Value == 0, u.Output.Set && u.Output.Value == 0
	if !noInput && !noOutput {
		return
	}
	unreported := func(zero bool, source string) bool {
		_, filled := c.span.Attributes().Get(source)
		return zero || filled
	}
	if c.Request.Stream && !c.Failed && unreported(noInput, semconv.TokenInputSource) && unreported(noOutput, semconv.TokenOutputSource) {
		if noInput {
			u.Input = Optional[int64]{}
		}
		if noOutput {
			u.Output = Optional[int64]{}
		}
		return
	}
	if content == 0 && c.span.Events().Len() == 0 {
		return
	}
	asked, answered := c.sayAnything(content)
	if noInput && (asked || answered) {
		u.Input = Optional[int64]{}
	}
	if noOutput && answered {
		u.Output = Optional[int64]{}
	}
}

// maxSilent is the most content, in bytes, that is parsed to learn whether it says anything.
const maxSilent = 1 << 20

// sayAnything reports which sides of the call hold anything. Of content larger than maxSilent a side does that is not empty.
func (c *Call) sayAnything(content sides) (asked, answered bool) {
	if c.ContentSize() <= maxSilent {
		m := c.Messages()
		return sayAnything(m.Input) || m.TruncatedInput, sayAnything(m.Output) || m.TruncatedOutput
	}
	events := c.span.Events()
	for i := range events.Len() {
		content |= c.reader.events[events.At(i).Name()]
	}
	return content.has(inputSide), content.has(outputSide) && c.Operation != semconv.OperationEmbeddings
}

// personaOf returns the first persona attribute that is set, span before scope before resource.
func (r *Reader) personaOf(places ...pcommon.Map) string {
	for _, place := range places {
		for _, key := range r.persona {
			if v, ok := place.Get(key); ok {
				if persona, _ := textOf(v); persona != "" {
					return persona
				}
			}
		}
	}
	return ""
}

// IsContent reports whether an attribute of that name can carry what was said in a call, in any dialect.
func (r *Reader) IsContent(key string) bool {
	e, known := r.names[key]
	family, _, _ := r.familyOf(key, known, e)
	return family != nil || e.sides != 0
}

// notEmpty reports whether a content attribute holds anything, without parsing it.
func notEmpty(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return v.Str() != "" && v.Str() != "[]" && v.Str() != "{}"
	case pcommon.ValueTypeSlice:
		return v.Slice().Len() > 0
	case pcommon.ValueTypeMap:
		return v.Map().Len() > 0
	default:
		return false
	}
}
