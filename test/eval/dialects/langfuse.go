// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/test/eval/evaluation"
)

// langfusePayload is OTLP, and what Langfuse's tests expect of it.
type langfusePayload struct {
	Test    string          `json:"test"`
	Dialect string          `json:"dialect"`
	Traces  json.RawMessage `json:"traces"`
	Expect  []struct {
		Path    string          `json:"path"`
		Matcher string          `json:"matcher"`
		Value   json.RawMessage `json:"value"`
	} `json:"langfuse_expect"`
}

// isGeneration reports whether Langfuse takes the payload's span for a call to a model, as far as the test says.
func (p *langfusePayload) isGeneration() bool {
	for _, e := range p.Expect {
		if e.Matcher == "toBe" && (string(e.Value) == `"generation-create"` || string(e.Value) == `"embedding-create"`) {
			return true
		}
		if strings.HasSuffix(e.Path, `"generation-create").length`) && string(e.Value) == "1" ||
			strings.HasSuffix(e.Path, `"generation-create")`) && e.Matcher == "toBeDefined" {
			return true
		}
	}
	return false
}

// isSomethingElse is what Langfuse takes the payload's span for, where the test says that it is no call.
func (p *langfusePayload) isSomethingElse() string {
	for _, e := range p.Expect {
		kind := ""
		switch {
		case e.Matcher == "toBe" && strings.HasSuffix(string(e.Value), `-create"`):
			kind = strings.Trim(string(e.Value), `"`)
		case strings.HasSuffix(e.Path, `"generation-create").length`) && string(e.Value) == "0":
			return "no generation"
		case e.Matcher == "toBeDefined" && strings.HasSuffix(e.Path, `=== "span-create")`) && !strings.Contains(e.Path, "||"):
			kind = "span-create"
		}
		if kind != "" && kind != "generation-create" && kind != "embedding-create" && kind != "trace-create" {
			return kind
		}
	}
	return ""
}

// What a payload can carry, by attribute or event: a list independent of the reader's tables.
var (
	kindKeys = map[string][]string{
		"gen_ai.operation.name":     {"chat", "text_completion", "generate_content", "embeddings"},
		"llm.request.type":          {"chat", "completion", "embedding"},
		"openinference.span.kind":   {"LLM", "EMBEDDING"},
		"langfuse.observation.type": {"generation", "embedding"},
		"genkit:metadata:subtype":   {"model"},
	}
	modelKeys = []string{
		"gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "ai.model.id", "langfuse.observation.model.name",
		"genkit:name", "mlflow.llm.model",
	}
	inputKeys = []string{
		"gen_ai.prompt.", "gen_ai.input.messages", "gen_ai.prompt", "llm.input_messages.", "langfuse.observation.input",
		"genkit:input", "ai.prompt", "gcp.vertex.agent.llm_request", "input.value",
	}
	outputKeys = []string{
		"gen_ai.completion.", "gen_ai.output.messages", "gen_ai.completion", "llm.output_messages.",
		"langfuse.observation.output", "genkit:output", "ai.response.text", "gcp.vertex.agent.llm_response", "output.value",
	}
	inputTokenKeys  = []string{"gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"}
	outputTokenKeys = []string{"gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"}
	usageJSON       = map[string][2]string{
		"langfuse.observation.usage_details": {"input_tokens", "output_tokens"},
		"genkit:output":                      {"inputTokens", "outputTokens"},
	}
)

// tally counts, for each dialect, what was found of what is there.
type tally struct{ payloads, calls, found, have, met int }

func evaluateLangfuse(folder string, w io.Writer) ([]evaluation.Bar, error) {
	var payloads []langfusePayload
	if err := load(&payloads, folder, "otlp_dialects", "langfuse_payloads.json"); err != nil {
		return nil, err
	}
	perDialect := map[string]*tally{}
	var total tally
	differences := map[difference][]string{}
	for i := range payloads {
		p := &payloads[i]
		readings, err := readAll(p.Traces)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("payload %d", i), err)
		}
		t := perDialect[p.Dialect]
		if t == nil {
			t = &tally{}
			perDialect[p.Dialect] = t
		}
		t.payloads++
		for j := range readings {
			if d, ok := t.add(p, &readings[j], len(readings) == 1); ok {
				differences[d] = append(differences[d], strconv.Itoa(i))
			}
		}
	}
	rows := [][]string{{"dialect", "payloads", "LLM calls", "found", "facts in them", "read"}}
	for _, name := range slices.Sorted(maps.Keys(perDialect)) {
		t := perDialect[name]
		total.calls, total.found, total.have, total.met = total.calls+t.calls, total.found+t.found, total.have+t.have, total.met+t.met
		rows = append(rows, []string{
			name, strconv.Itoa(t.payloads), strconv.Itoa(t.calls), strconv.Itoa(t.found), strconv.Itoa(t.have), strconv.Itoa(t.met),
		})
	}
	fmt.Fprint(w, "### Payloads of Langfuse's tests\n\n")
	table(w, rows)
	rows = nil
	for d, payloads := range differences {
		rows = append(rows, []string{d.theirs, d.ours, d.why, strings.Join(payloads, ", ")})
	}
	slices.SortFunc(rows, slices.Compare[[]string])
	table(w, append([][]string{{"Langfuse", "here", "why", "payloads by position"}}, rows...))
	return []evaluation.Bar{
		{Name: "langfuse calls found", Met: total.found, Of: total.calls, Percent: 100},
		{Name: "langfuse model, input, output, usage", Met: total.met, Of: total.have, Percent: 100},
	}, nil
}

// difference is what Langfuse and we take a span for.
type difference struct{ theirs, ours, why string }

// add counts a span. It returns the difference of opinion, if there is one.
func (t *tally) add(p *langfusePayload, r *reading, alone bool) (difference, bool) {
	elsewhere := ""
	if alone {
		elsewhere = p.isSomethingElse()
	}
	says := saysCall(r.span.Attributes())
	isCall := elsewhere == "" && (says || alone && p.isGeneration())
	if isCall {
		t.calls++
		if r.isCall {
			t.found++
		}
	}
	if r.isCall {
		t.compare(r)
	}
	switch {
	case isCall && !r.isCall:
		return difference{"call", here(r), "**missed**"}, true
	case r.isCall && elsewhere != "" && says:
		return difference{elsewhere, here(r), "two dialects disagree about the kind: the first in the order of dialects decides"}, true
	case r.isCall && !isCall:
		return difference{cmp.Or(elsewhere, "not said"), here(r), "no kind, but a model, a usage or messages, which only a call has"}, true
	case r.Aggregate && valuesOf(r.span.Attributes(), append(slices.Clone(inputTokenKeys), modelKeys...)) != nil:
		return difference{cmp.Or(elsewhere, "not said"), here(r), "the span sums the calls below it"}, true
	}
	return difference{}, false
}

func here(r *reading) string {
	switch {
	case r.isCall:
		return r.Operation
	case r.Operation != "":
		return r.Operation + ", no call"
	default:
		return "nothing"
	}
}

// compare counts the facts that the payload of a call carries, and those that were read.
func (t *tally) compare(r *reading) {
	attributes := r.span.Attributes()
	check := func(there, read bool) {
		if there {
			t.have++
			if read {
				t.met++
			}
		}
	}
	models := valuesOf(attributes, modelKeys)
	check(len(models) > 0, slices.Contains(models, r.Model()))
	check(hasContent(r.span, inputKeys, "gen_ai.user.message", "gen_ai.system.message", "gen_ai.content.prompt"), speaks(r.messages.Input))
	check(hasContent(r.span, outputKeys, "gen_ai.choice", "gen_ai.content.completion"), speaks(r.messages.Output))
	for i, side := range []struct {
		keys []string
		have genai.Optional[int64]
	}{{inputTokenKeys, r.Usage.Input}, {outputTokenKeys, r.Usage.Output}} {
		want := valuesOf(attributes, side.keys)
		for key, names := range usageJSON {
			if v, ok := attributes.Get(key); ok {
				want = append(want, findNumbers(v.Str(), names[i])...)
			}
		}
		check(len(want) > 0, side.have.Set && slices.Contains(want, strconv.FormatInt(side.have.Value, 10)))
	}
}

func speaks(messages []genai.Message) bool {
	return slices.ContainsFunc(messages, func(m genai.Message) bool { return len(m.Parts) > 0 })
}

// saysCall reports whether an attribute says in so many words that the span is a call to a model.
func saysCall(attributes pcommon.Map) bool {
	for key, kinds := range kindKeys {
		if v, ok := attributes.Get(key); ok && slices.Contains(kinds, v.AsString()) {
			return true
		}
	}
	return false
}

func valuesOf(attributes pcommon.Map, keys []string) []string {
	var all []string
	for _, key := range keys {
		if v, ok := attributes.Get(key); ok && v.AsString() != "" {
			all = append(all, v.AsString())
		}
	}
	return all
}

// hasContent reports whether the span has one of the attributes, or of the indexed attributes that end in "content", or
// one of the events with text.
func hasContent(span ptrace.Span, keys []string, events ...string) bool {
	found := false
	span.Attributes().Range(func(key string, v pcommon.Value) bool {
		for _, k := range keys {
			found = found || key == k && hasText(v.AsString()) || strings.HasSuffix(k, ".") && strings.HasPrefix(key, k) &&
				strings.HasSuffix(key, "content") && v.AsString() != ""
		}
		return true
	})
	for _, event := range span.Events().All() {
		for _, key := range []string{"content", "message", "gen_ai.prompt", "gen_ai.completion", "gen_ai.event.content"} {
			_, there := event.Attributes().Get(key)
			found = found || there && slices.Contains(events, event.Name())
		}
	}
	return found
}

// hasText reports whether a content attribute is not an envelope around nothing.
func hasText(text string) bool {
	return text != "" && text != "{}" && text != "[]" && !strings.HasPrefix(text, `{"completion":null`)
}

// findNumbers are the numbers under a name anywhere in a JSON text.
func findNumbers(text, name string) []string {
	var tree any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&tree) != nil {
		return nil
	}
	var all []string
	var walk func(any)
	walk = func(v any) {
		object, _ := v.(map[string]any)
		for key, inner := range object {
			if n, ok := inner.(json.Number); ok && key == name {
				all = append(all, n.String())
			}
			walk(inner)
		}
	}
	walk(tree)
	return all
}
