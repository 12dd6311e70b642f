// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package pricing

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// clause says which names are meant. Exactly one field is set.
type clause struct {
	Equals     *string  `json:"equals"`
	StartsWith *string  `json:"starts_with"`
	EndsWith   *string  `json:"ends_with"`
	Contains   *string  `json:"contains"`
	Regex      *string  `json:"regex"`
	Or         []clause `json:"or"`
	And        []clause `json:"and"`
}

// matcher compiles the clause; nil for nil.
func (c *clause) matcher() (matcher, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // no clause and no rule are the same
	}
	compare := func(text string, compare func(name, text string) bool) (matcher, error) {
		text = strings.ToLower(text)
		return func(name string) bool { return compare(name, text) }, nil
	}
	switch {
	case c.Equals != nil:
		return compare(*c.Equals, func(name, text string) bool { return name == text })
	case c.StartsWith != nil:
		return compare(*c.StartsWith, strings.HasPrefix)
	case c.EndsWith != nil:
		return compare(*c.EndsWith, strings.HasSuffix)
	case c.Contains != nil:
		return compare(*c.Contains, strings.Contains)
	case c.Regex != nil:
		return pattern(*c.Regex)
	case c.Or != nil:
		return combine(c.Or, true)
	case c.And != nil:
		return combine(c.And, false)
	default:
		return nil, errors.New("a rule must be one of equals, starts_with, ends_with, contains, regex, or, and")
	}
}

// combine is the matcher of several clauses whose result is known when one of them has the given answer.
func combine(list []clause, decides bool) (matcher, error) {
	matchers := make([]matcher, len(list))
	for i := range list {
		m, err := list[i].matcher()
		if err != nil {
			return nil, err
		}
		matchers[i] = m
	}
	return func(name string) bool {
		for _, m := range matchers {
			if m(name) == decides {
				return decides
			}
		}
		return !decides
	}, nil
}

// pattern is the matcher of a regular expression of Python. Go's have no lookahead, for the sake of linear time; the one
// that genai-prices uses, a negative one at the beginning, is a second expression.
func pattern(expression string) (matcher, error) {
	rest, negated := strings.CutPrefix(expression, "^(?!")
	if !negated {
		re, err := regexp.Compile(expression)
		if err != nil {
			return nil, fmt.Errorf("regex: %w", err)
		}
		return re.MatchString, nil
	}
	end := closing(rest)
	if end < 0 {
		return nil, fmt.Errorf("regex: missing closing ): `%s`", expression)
	}
	not, err := pattern("^(?:" + rest[:end] + ")")
	if err != nil {
		return nil, err
	}
	then, err := pattern("^(?:" + rest[end+1:] + ")")
	if err != nil {
		return nil, err
	}
	return func(name string) bool { return !not(name) && then(name) }, nil
}

// closing is where the group ends that begins before the expression; -1 if it does not.
func closing(expression string) int {
	depth, class := 1, false
	for i := 0; i < len(expression); i++ {
		switch c := expression[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
