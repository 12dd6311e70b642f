// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"fmt"
	"slices"
	"strings"
)

// Template is a name with variables in braces. A variable with a dot in it is the attribute of that name on the span,
// its scope or its resource, such as {service.name}.
type Template struct {
	parts []templatePart
}

type templatePart struct {
	literal  string
	variable string // empty for a literal
}

// Variables of an experiment's name.
var ExperimentVariables = []string{"persona_id", "date", "month", "model"}

// Variables of a run's name.
var RunVariables = []string{"persona_id", "date", "time", "model", "operation", "prompt"}

// Variables of what runs share a colour for.
var ColorVariables = []string{"persona_id", "model", "operation"}

// ParseTemplate reads a template that may use the given variables, and attributes.
func ParseTemplate(text string, variables []string) (Template, error) {
	var t Template
	for rest := text; rest != ""; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			t.parts = append(t.parts, templatePart{literal: rest})
			break
		}
		if rest[open] == '}' {
			return Template{}, fmt.Errorf("%q has a } without {", text)
		}
		if open > 0 {
			t.parts = append(t.parts, templatePart{literal: rest[:open]})
		}
		name, after, closed := strings.Cut(rest[open+1:], "}")
		if !closed || strings.Contains(name, "{") {
			return Template{}, fmt.Errorf("%q has a { without }", text)
		}
		if !slices.Contains(variables, name) && !strings.Contains(name, ".") {
			return Template{}, fmt.Errorf("%q has the unknown variable {%s}; allowed are {%s} and attributes by name, such as {service.name}",
				text, name, strings.Join(variables, "}, {"))
		}
		t.parts = append(t.parts, templatePart{variable: name})
		rest = after
	}
	return t, nil
}

// uses reports whether the template has the variable.
func (t Template) uses(variable string) bool {
	return slices.ContainsFunc(t.parts, func(part templatePart) bool { return part.variable == variable })
}

// Attributes are the names of the attributes that the template has.
func (t Template) Attributes() []string {
	var names []string
	for _, part := range t.parts {
		if strings.Contains(part.variable, ".") {
			names = append(names, part.variable)
		}
	}
	return names
}

// expand replaces each variable by its value.
func (t Template) expand(value func(variable string) string) string {
	var b strings.Builder
	for _, part := range t.parts {
		b.WriteString(part.literal)
		if part.variable != "" {
			b.WriteString(value(part.variable))
		}
	}
	return b.String()
}
