// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/test/eval/evaluation"
)

// spanCase is a recorded interaction as an instrumentation emitted it.
type spanCase struct {
	Case   string          `json:"case"`
	Op     string          `json:"op"`
	Status int             `json:"status"`
	OTLP   json.RawMessage `json:"otlp"`
}

// verdict on one aspect of a case.
type verdict int

const (
	equal      verdict = iota
	notCarried         // what was recorded stands nowhere in the span
	different
)

// aspects of a case, in the order of the table.
var aspects = []string{"model", "prompt", "response", "tool calls", "usage", "finish reasons"}

func evaluateSpans(folder string, w io.Writer) ([]evaluation.Bar, error) {
	files, err := filepath.Glob(filepath.Join(folder, "spans", "*.json"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(errors.New("no spans/*.json"), err)
	}
	header := append([]string{"spans", "cases", "all equal", "equal as far as carried", "different"}, aspects...)
	rows := [][]string{header}
	var bars []evaluation.Bar
	var notes []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		var cases []spanCase
		if err := load(&cases, file); err != nil {
			return nil, err
		}
		cases = slices.DeleteFunc(cases, func(c spanCase) bool {
			return c.Status != 200 || !slices.Contains([]string{"chat", "responses", "embeddings"}, c.Op)
		})
		score, more, err := scoreFile(folder, name, cases)
		if err != nil {
			return nil, err
		}
		rows, notes = append(rows, score.row(name)), append(notes, more...)
		if score.content {
			bars = append(bars, evaluation.Bar{
				Name: "spans/" + name, Met: score.cases[equal] + score.cases[notCarried], Of: len(cases), Percent: 98,
			})
		}
	}
	fmt.Fprint(w, "### Spans of recorded traffic\n\n")
	table(w, rows)
	for _, note := range notes {
		fmt.Fprintln(w, "- "+note)
	}
	fmt.Fprintln(w)
	return bars, nil
}

// score counts the verdicts on the cases of a file, and on each aspect.
type score struct {
	cases   [different + 1]int
	aspects [6][different + 1]int
	content bool // some span carries a prompt and a response
}

func (s *score) row(name string) []string {
	row := []string{name}
	for _, n := range []int{s.cases[equal] + s.cases[notCarried] + s.cases[different], s.cases[equal], s.cases[notCarried], s.cases[different]} {
		row = append(row, strconv.Itoa(n))
	}
	for _, a := range s.aspects {
		cell := strconv.Itoa(a[equal])
		if a[notCarried] > 0 {
			cell += fmt.Sprintf(" (+%d not carried)", a[notCarried])
		}
		row = append(row, cell)
	}
	return row
}

func scoreFile(folder, name string, cases []spanCase) (score, []string, error) {
	var total score
	var notes []string
	missing := map[string][]string{}
	for _, c := range cases {
		t, err := loadTruth(folder, c.Case, c.Op)
		if err != nil {
			return score{}, nil, err
		}
		readings, err := readAll(c.OTLP)
		if err != nil || len(readings) != 1 {
			return score{}, nil, errors.Join(fmt.Errorf("case %s: want one span, have %d", c.Case, len(readings)), err)
		}
		r := &readings[0]
		total.content = total.content || len(r.messages.Input) > 0 && len(r.messages.Output) > 0
		worst := equal
		for i, v := range compare(&t, r, c.Op) {
			total.aspects[i][v]++
			worst = max(worst, v)
			switch v {
			case notCarried:
				missing[aspects[i]+" of "+c.Op] = append(missing[aspects[i]+" of "+c.Op], c.Case)
			case different:
				notes = append(notes, fmt.Sprintf("%s: %s: different %s", name, c.Case, aspects[i]))
			}
		}
		total.cases[worst]++
	}
	for _, what := range slices.Sorted(maps.Keys(missing)) {
		list := missing[what]
		shown := strings.Join(list, ", ")
		if len(list) > 4 {
			shown = strings.Join(list[:3], ", ") + ", …"
		}
		notes = append(notes, fmt.Sprintf("%s: the span does not carry the %s in %d cases (%s)", name, what, len(list), shown))
	}
	return total, notes, nil
}

// compare gives the verdict on each aspect.
func compare(t *truth, r *reading, op string) [6]verdict {
	carried := stringsOf(r.span)
	model := verdictOf(r.isCall && r.RequestModel == t.requestModel && r.ResponseModel == t.responseModel)
	if op == "embeddings" {
		return [6]verdict{model, sameEmbedded(t.prompt, r.messages.Input, carried), equal, equal, sameUsage(t.usage, r.Usage, op), equal}
	}
	prompt := heard(r.messages.Input)
	if len(r.messages.System) > 0 {
		prompt = append([]said{{role: "system", text: texts(r.messages.System)}}, prompt...)
	}
	answer := heard(r.messages.Output)
	wantText, wantCalls := withoutCalls(t.answer)
	haveText, haveCalls := withoutCalls(answer)
	return [6]verdict{
		model,
		same(t.prompt, prompt, carried),
		same(wantText, haveText, carried),
		same(wantCalls, haveCalls, carried),
		sameUsage(t.usage, r.Usage, op),
		sameFinish(t.finish, r.FinishReasons()),
	}
}

func verdictOf(ok bool) verdict {
	if ok {
		return equal
	}
	return different
}

// heard is messages as text.
func heard(messages []genai.Message) []said {
	var all []said
	for _, m := range messages {
		s := said{role: m.Role, text: texts(m.Parts)}
		for _, p := range m.Parts {
			if p.Kind == genai.PartToolCall {
				s.calls = append(s.calls, p.Name+compact([]byte(p.Arguments)))
			}
		}
		all = append(all, s)
	}
	return all
}

func texts(parts []genai.Part) string {
	var all []string
	for _, p := range parts {
		if (p.Kind == genai.PartText || p.Kind == genai.PartTokens || p.Kind == genai.PartToolCallResponse) && p.Text != "" {
			all = append(all, p.Text)
		}
	}
	return strings.Join(all, "\n")
}

// withoutCalls are messages without their tool calls, and without their text.
func withoutCalls(all []said) (text, calls []said) {
	for _, s := range all {
		text = append(text, said{role: s.role, text: s.text})
		if s.calls != nil {
			calls = append(calls, said{role: s.role, calls: s.calls})
		}
	}
	return text, calls
}

// same compares messages. What the span says must have been recorded, and what was recorded must be said where the span
// carries it.
func same(want, have []said, carried []string) verdict {
	if slices.EqualFunc(want, have, said.equal) {
		return equal
	}
	rest := slices.Clone(have)
	for _, w := range want {
		if i := slices.IndexFunc(rest, w.equal); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
			continue
		}
		for _, text := range append([]string{w.text}, w.calls...) {
			if text != "" && slices.ContainsFunc(carried, func(s string) bool { return strings.Contains(s, text) }) {
				return different
			}
		}
	}
	for _, extra := range rest {
		if extra.text != "" || extra.calls != nil {
			return different
		}
	}
	return notCarried
}

// sameEmbedded compares the texts of embeddings, or their tokens, which some emitters spread over messages.
func sameEmbedded(want []said, have []genai.Message, carried []string) verdict {
	found := heard(have)
	if len(want) == 1 && strings.HasPrefix(want[0].text, "[") && len(found) > 0 {
		var tokens []string
		for _, s := range found {
			tokens = append(tokens, strings.Trim(strings.ReplaceAll(s.text, " ", ""), "[]"))
		}
		found = []said{{role: "user", text: "[" + strings.Join(tokens, ",") + "]"}}
	}
	return same(want, found, carried)
}

func sameUsage(want *usage, have genai.Usage, op string) verdict {
	if want == nil {
		return verdictOf(have == genai.Usage{})
	}
	input, output := want.PromptTokens, want.CompletionTokens
	if input == nil {
		input, output = want.InputTokens, want.OutputTokens
	}
	ok := input != nil && have.Input == genai.Some(*input) && (op == "embeddings" || output != nil && have.Output == genai.Some(*output))
	if have.CacheRead.Set {
		ok = ok && have.CacheRead.Value == want.PromptDetails.Cached+want.InputDetails.Cached
	}
	if have.Reasoning.Set {
		ok = ok && have.Reasoning.Value == want.OutputDetails.Reasoning+want.ResponseDetails.Reasoning
	}
	return verdictOf(ok)
}

// sameFinish compares finish reasons where the span carries one; some emitters give one for all choices.
func sameFinish(want, have []string) verdict {
	if have == nil {
		return equal
	}
	normal := func(list []string) []string {
		var all []string
		for _, reason := range list {
			if reason == "tool_call" {
				reason = "tool_calls"
			}
			all = append(all, reason)
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	return verdictOf(slices.Equal(normal(want), normal(have)))
}

// stringsOf are all the texts that a span carries anywhere, those inside of JSON included.
func stringsOf(span ptrace.Span) []string {
	var all []string
	add := func(_ string, v pcommon.Value) bool {
		text := v.AsString()
		all = append(all, text)
		var tree any
		if json.Unmarshal([]byte(text), &tree) == nil {
			all = appendStrings(all, tree)
		}
		return true
	}
	span.Attributes().Range(add)
	for _, event := range span.Events().All() {
		event.Attributes().Range(add)
	}
	return all
}

func appendStrings(all []string, tree any) []string {
	switch tree := tree.(type) {
	case string:
		return append(all, tree)
	case []any:
		for _, item := range tree {
			all = appendStrings(all, item)
		}
	case map[string]any:
		for _, item := range tree {
			all = appendStrings(all, item)
		}
	}
	return all
}
