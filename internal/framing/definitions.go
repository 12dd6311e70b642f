// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
)

// definitions adds the definitions of tools, which are in the prompt as a namespace of TypeScript. The form is that of
// OpenAI's harmony guide, github.com/openai/harmony, but for what recorded usage shows to be otherwise.
func (t *tally) definitions(tools []genai.Tool) {
	t.estimated = true
	if t.model.kind.reasons() && !t.knowsAPI {
		t.miss(ReasonTools)
	}
	effort := maxSchemaEffort
	var b strings.Builder
	b.WriteString("namespace functions {\n\n")
	for i := range tools {
		switch tool := &tools[i]; {
		case tool.Type != "" && tool.Type != "function":
			t.miss(ReasonServerTool)
		case !gjson.Valid(tool.Parameters): // the conventions let emitters leave them out
			t.miss(ReasonTools)
		default:
			b.WriteString(definition(tool, &effort))
		}
	}
	if effort < 0 {
		t.miss(ReasonUnsupported)
	}
	b.WriteString("} // namespace functions")
	t.text(b.String())
}

func definition(tool *genai.Tool, effort *int) string {
	parameters := newSchema(tool.Parameters, effort)
	var argument string
	if properties := parameters.Get("properties"); properties.IsObject() && properties.Raw != "{}" {
		argument = "_: " + parameters.object()
	}
	return comment(tool.Description) + "type " + tool.Name + " = (" + argument + ") => any;\n\n"
}

// comment has a line for each of the text's that is not blank.
func comment(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString("// " + line + "\n")
		}
	}
	return b.String()
}
