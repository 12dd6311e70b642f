// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/test/eval/evaluation"
)

// mlflowCase is attributes, and what MLflow's server reads from them.
type mlflowCase struct {
	Name       string                     `json:"name"`
	Attributes map[string]any             `json:"attributes"`
	Expect     map[string]json.RawMessage `json:"expect"`
}

// opinion is a rule of ours that differs from MLflow's, and why.
type opinion struct {
	applies func(c *mlflowCase, isCall bool) bool
	reason  string
}

var opinions = []opinion{
	{
		func(_ *mlflowCase, isCall bool) bool { return !isCall },
		"not a call by our rules: a tool, a step around calls, or nothing that says that a model was called",
	},
	{
		func(c *mlflowCase, _ bool) bool {
			_, native := c.Attributes["mlflow.chat.tokenUsage"]
			_, standard := c.Attributes["gen_ai.usage.input_tokens"]
			return native && standard
		},
		"a standard attribute that is set wins over MLflow's own",
	},
}

// expectations of MLflow that are about a call.
var expectations = []string{
	"model", "input_tokens", "output_tokens", "total_tokens", "inputs", "outputs",
	"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.request.model", "gen_ai.operation.name", "gen_ai.input.messages",
}

func evaluateMLflow(folder string, w io.Writer) ([]evaluation.Bar, error) {
	var cases []mlflowCase
	if err := load(&cases, folder, "otlp_dialects", "mlflow_cases.json"); err != nil {
		return nil, err
	}
	rows := [][]string{{"MLflow's case", "verdict"}}
	met, of := 0, 0
	for i := range cases {
		c := &cases[i]
		if !slices.ContainsFunc(expectations, func(name string) bool { return c.Expect[name] != nil }) {
			continue
		}
		of++
		span := ptrace.NewSpan()
		if err := span.Attributes().FromRaw(numbers(c.Attributes)); err != nil {
			return nil, err
		}
		call, ok := genai.NewReader(genai.Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
		isCall := ok && !call.Aggregate && modelOperations[call.Operation]
		wrong := c.wrong(&call, ok)
		verdict := "equal"
		if wrong != nil {
			verdict = "**different: " + strings.Join(wrong, ", ") + "**"
			for _, o := range opinions {
				if o.applies(c, isCall) {
					verdict, wrong = o.reason, nil
					break
				}
			}
		}
		if wrong == nil {
			met++
		}
		rows = append(rows, []string{c.Name, verdict})
	}
	fmt.Fprint(w, "### Cases of MLflow's tests\n\n")
	table(w, rows)
	return []evaluation.Bar{{Name: "mlflow_cases", Met: met, Of: of, Percent: 100}}, nil
}

// numbers turns JSON's numbers that are whole into integers.
func numbers(attributes map[string]any) map[string]any {
	all := make(map[string]any, len(attributes))
	for key, v := range attributes {
		if n, ok := v.(float64); ok && n == float64(int64(n)) {
			v = int64(n)
		}
		all[key] = v
	}
	return all
}

// wrong lists the expectations that are not met.
func (c *mlflowCase) wrong(call *genai.Call, ok bool) []string {
	var have map[string]string
	if ok {
		m := call.Messages()
		have = map[string]string{
			"model": call.Model(), "gen_ai.request.model": call.RequestModel, "gen_ai.operation.name": call.Operation,
			"input_tokens": count(call.Usage.Input), "gen_ai.usage.input_tokens": count(call.Usage.Input),
			"output_tokens": count(call.Usage.Output), "gen_ai.usage.output_tokens": count(call.Usage.Output),
			"total_tokens": count(call.Total()),
			"inputs":       allText(m.Input), "outputs": allText(m.Output), "gen_ai.input.messages": shape(m.Input),
		}
	}
	var all []string
	for _, name := range expectations {
		want, expected := c.Expect[name]
		if expected && meaning(want) != have[name] {
			all = append(all, fmt.Sprintf("%s is %q", name, have[name]))
		}
	}
	return all
}

func count(n genai.Optional[int64]) string {
	if !n.Set {
		return ""
	}
	return strconv.FormatInt(n.Value, 10)
}

// allText is the text of messages, or the arguments of a tool.
func allText(messages []genai.Message) string {
	var all []string
	for _, m := range messages {
		for _, p := range m.Parts {
			text := p.Text
			if p.Kind == genai.PartToolCall || p.Kind == genai.PartToolCallResponse {
				text = compact([]byte(p.Arguments + p.Text))
			}
			all = append(all, text)
		}
	}
	return strings.Join(all, "\n")
}

// shape describes messages in the words that the cases describe them.
func shape(messages []genai.Message) string {
	parts := []string{fmt.Sprintf("%d messages", len(messages))}
	for i, m := range messages {
		for j, p := range m.Parts {
			switch p.Kind {
			case genai.PartToolCallResponse:
				parts = append(parts, fmt.Sprintf("[%d].role becomes %s with %s id=%s", i, m.Role, p.Kind, p.ID))
			case genai.PartToolCall:
				parts = append(parts, fmt.Sprintf("[%d].parts[%d] %s %s", i, j, p.Kind, p.Name))
			}
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

// meaning is the text of an expected value: of a message or of a request, what is said in it.
func meaning(want json.RawMessage) string {
	var v any
	decoder := json.NewDecoder(strings.NewReader(string(want)))
	decoder.UseNumber()
	if decoder.Decode(&v) != nil {
		return string(want)
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if strings.Contains(v, " messages; ") {
			parts := strings.Split(v, "; ")
			slices.Sort(parts)
			return strings.Join(parts, "; ")
		}
		return v
	case map[string]any:
		for _, name := range []string{"messages", "prompt", "text"} {
			if inner, ok := v[name]; ok {
				return spoken(inner)
			}
		}
	}
	return compact(want)
}

// spoken is the text in a value, whatever stands around it.
func spoken(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, spoken(item))
		}
		return strings.Join(all, "\n")
	case map[string]any:
		for _, name := range []string{"content", "text"} {
			if inner, ok := v[name]; ok {
				return spoken(inner)
			}
		}
	}
	return ""
}
