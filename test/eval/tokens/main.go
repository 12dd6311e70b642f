// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command tokens evaluates internal/framing on calls that nobody here made up: what the rules say of each, beside what the
// provider billed for it. It reads the records from the folder that GENAI_DATA names, prints what it finds as Markdown, then
// one line per bar, and fails if one is not reached.
//
// A record becomes a span as instrumentations write it, and is read and counted as the processor does. A count that is not
// given is a miss. Of records with the same request to the same model, the first counts.
package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/test/eval/evaluation"
)

// minRecords is how many records a shape needs for its row to claim anything.
const minRecords = 10

func main() { evaluation.Main(evaluate) }

func evaluate(folder string, w io.Writer) ([]evaluation.Bar, error) {
	all, err := loadRecords(folder)
	if err != nil {
		return nil, err
	}
	records, mocks := distinct(all)
	fmt.Fprintf(w, "%d records, %d of them distinct requests to OpenAI's models.\n\nLeft out, because they are no answers of OpenAI:\n\n", len(all), len(records))
	for _, mock := range mocks {
		fmt.Fprintf(w, "- %s (%s): %s\n", mock.id, mock.origin, mock.mock())
	}
	fmt.Fprintln(w)

	models := framing.NewModels(framing.ModelOptions{})
	var inputs, outputs []*measured
	for _, r := range records {
		call, counter, ok := framed(models, r.span)
		if ok {
			inputs = append(inputs, &measured{record: r, Breakdown: framing.BreakInput(call, counter), billed: r.prompt})
		} else {
			inputs = append(inputs, &measured{record: r, billed: r.prompt, Breakdown: unknownModel})
		}
		if r.billsCompletion && r.onlyText && r.category != "other" {
			m := &measured{record: r, billed: r.completion, Breakdown: unknownModel}
			if ok {
				m.Breakdown = framing.BreakOutput(call, counter)
			}
			outputs = append(outputs, m)
		}
	}

	fmt.Fprint(w, "### Prompt tokens\n\nWith the constants as they are. They were derived from these recordings among others, so that this is not the accuracy on new ones.\n\n")
	table(w, inputs, (*measured).compiled)
	misses(w, inputs)
	fmt.Fprint(w, "### Completion tokens of answers that are text\n\n")
	table(w, outputs, (*measured).compiled)

	fmt.Fprint(w, "### Prompt tokens, with the constants fitted to the records of the other origins\n\nThis is the accuracy to expect on new recordings. What is not refitted is the form of what is counted: that of tool definitions, tool calls and images.\n\n")
	fitted := leaveOneOut(inputs)
	table(w, inputs, func(m *measured) (int64, bool) { n, ok := fitted[m]; return n, ok })
	fmt.Fprint(w, "### Completion tokens, with the constants fitted to the records of the other origins\n\n")
	fittedOutputs := leaveOneOut(outputs)
	table(w, outputs, func(m *measured) (int64, bool) { n, ok := fittedOutputs[m]; return n, ok })

	streams, err := evaluateStreams(folder, w)
	if err != nil {
		return nil, err
	}
	counted, err := evaluateCounted(folder, w)
	if err != nil {
		return nil, err
	}
	if err := evaluateVendors(all, w); err != nil {
		return nil, err
	}
	return append(bars(inputs, outputs), streams, counted), nil
}

var unknownModel = framing.Breakdown{Count: framing.Count{Reason: framing.ReasonUnknownModel}}

// distinct are the records of OpenAI's models, each request once, and the mocks among them.
func distinct(all []*record) (records, mocks []*record) {
	seen := make(map[string]bool)
	for _, r := range all {
		switch {
		case !r.openAI || seen[r.key]:
		case r.mock() != "":
			mocks = append(mocks, r)
		default:
			records = append(records, r)
		}
		seen[r.key], seen[r.content] = true, true
	}
	return records, mocks
}

// measured is one side of a record.
type measured struct {
	*record
	framing.Breakdown
	billed int64
}

// compiled is the count as the rules give it.
func (m *measured) compiled() (int64, bool) { return m.Count.Tokens, m.Count.Known() }

// score is a row of a table.
type score struct {
	n, given, exact, close int
	relative               float64 // sum of the relative errors of the counts that were given
}

func (s *score) add(billed, counted int64, given bool) {
	s.n++
	if !given {
		return
	}
	s.given++
	miss := billed - counted
	if miss == 0 {
		s.exact++
	}
	if -2 <= miss && miss <= 2 {
		s.close++
	}
	s.relative += math.Abs(float64(miss)) / float64(max(1, billed))
}

func (s *score) row(name string) string {
	cells := []string{name, strconv.Itoa(s.n), strconv.Itoa(s.given), evaluation.Share(s.exact, s.n), evaluation.Share(s.close, s.n), "-"}
	if s.given > 0 {
		cells[5] = fmt.Sprintf("%.1f %%", 100*s.relative/float64(s.given))
	}
	if s.n < minRecords {
		cells[0] += " (too few to claim anything)"
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

// table prints a row per shape, and one per category.
func table(w io.Writer, all []*measured, count func(*measured) (int64, bool)) {
	shapes, categories := make(map[string]*score), make(map[string]*score)
	for _, m := range all {
		counted, given := count(m)
		for _, row := range []*score{get(shapes, m.shape()), get(categories, m.category)} {
			row.add(m.billed, counted, given)
		}
	}
	fmt.Fprintln(w, "| shape | n | given | exact | within ±2 | mean relative error of those given |\n|---|---|---|---|---|---|")
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		fmt.Fprintln(w, shapes[name].row(name))
	}
	for _, name := range slices.Sorted(maps.Keys(categories)) {
		fmt.Fprintln(w, categories[name].row("**"+name+"**"))
	}
	fmt.Fprintln(w)
}

func get(rows map[string]*score, name string) *score {
	if rows[name] == nil {
		rows[name] = new(score)
	}
	return rows[name]
}

// misses lists why counts are not given, and those that are far off.
func misses(w io.Writer, all []*measured) {
	reasons := make(map[string]int)
	var far []*measured
	for _, m := range all {
		switch miss := m.billed - m.Count.Tokens; {
		case !m.Count.Known():
			reasons[m.category+": "+string(m.Count.Reason)]++
		case miss < -2 || miss > 2:
			far = append(far, m)
		}
	}
	fmt.Fprintln(w, "Not given, by reason:")
	fmt.Fprintln(w)
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(w, "- %s: %d\n", name, reasons[name])
	}
	fmt.Fprint(w, "\nMore than two off:\n\n")
	slices.SortFunc(far, func(a, b *measured) int { return cmp.Or(cmp.Compare(a.shape(), b.shape()), cmp.Compare(a.id, b.id)) })
	for _, m := range far {
		fmt.Fprintf(w, "- %s, %s, %s (%s): billed %d, %s %d\n", m.id, m.shape(), m.model, m.origin, m.billed, m.Count.Source, m.Count.Tokens)
	}
	fmt.Fprintln(w)
}

// bars are what the project holds itself to.
func bars(inputs, outputs []*measured) []evaluation.Bar {
	var all []evaluation.Bar
	add := func(name string, list []*measured, exact, within int, in func(*measured) bool) {
		var s score
		for _, m := range list {
			if in(m) {
				counted, given := m.compiled()
				s.add(m.billed, counted, given)
			}
		}
		if exact > 0 {
			all = append(all, evaluation.Bar{Name: name + ", exact", Met: s.exact, Of: s.n, Percent: exact})
		}
		all = append(all, evaluation.Bar{Name: name + ", within ±2", Met: s.close, Of: s.n, Percent: within})
	}
	category := func(name string) func(*measured) bool {
		return func(m *measured) bool { return m.category == name }
	}
	add("prompt of text", inputs, 95, 98, category("text"))
	add("prompt with tool definitions", inputs, 65, 88, category("tools_def"))
	add("prompt with tool history", inputs, 0, 75, category("tool_history"))
	add("text answers of models that do not reason", outputs, 0, 96, func(m *measured) bool { return !m.reasoning() })
	return all
}
