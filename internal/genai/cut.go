// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"regexp"
	"slices"
	"strings"
)

// closed ends a JSON array or object that was cut: behind what there is of a text, or else behind the last value that is
// whole. It is false for what does not end in the middle of an array or object; what it returns may still be no JSON.
func closed(text string) (string, bool) {
	var (
		open   []byte // what closes what is open, innermost last
		whole  int    // as much of text as is JSON once what is open there is closed
		depth  int    // how much that is
		inText bool   // whether a quote has to come before
		before byte   // what stands before: the first byte of a value, or a comma or colon
		key    string // the last one
	)
	for i := 0; i < len(text); {
		c := text[i]
		switch c {
		case ' ', '\t', '\n', '\r':
			i++
			continue
		case ',', ':':
			i++
		case '[', '{':
			open = append(open, c+('}'-'{')) // which is as far from [ to ]
			i++
			if c == '[' || len(open) == 1 { // an object of which nothing is known yet is none
				whole, depth = i, len(open)
			}
		case ']', '}':
			if len(open) < 2 {
				return "", false
			}
			open = open[:len(open)-1]
			i++
			whole, depth = i, len(open)
		case '"':
			begin := i + 1
			i = stringEnd(text, i)
			switch {
			case len(open) > 0 && open[len(open)-1] == '}' && before != ':':
				key = text[begin-1 : i]
			case i < len(text) || endsInQuote(text[begin:]):
				whole, depth = i, len(open)
			case key != `"type"` && key != `"role"`: // half a word of those is another word
				whole, depth, inText = i-halfEscape(text[begin:]), len(open), true
			}
		default:
			for i < len(text) && !strings.ContainsRune(",:]} \t\n\r", rune(text[i])) {
				i++
			}
			if i < len(text) { // at the end it may be half a number
				whole, depth = i, len(open)
			}
		}
		before = c
	}
	if len(open) == 0 || !inText && !halfMember.MatchString(text[whole:]) {
		return "", false
	}
	closing := open[:depth]
	if inText {
		closing = append(closing, '"')
	}
	slices.Reverse(closing)
	return text[:whole] + string(closing), true
}

// halfMember is what can stand behind the last whole value of JSON that was cut.
var halfMember = func() *regexp.Regexp {
	const text = `"([^"\\]|\\.)*\\?"?`
	return regexp.MustCompile(`^\s*,?\s*\{?\s*(` + text + `\s*:\s*\{?\s*)*(` + text + `\s*|[\w.+-]*)$`)
}()

// endsInQuote reports whether the text behind the quote that begins a string ends with the one that ends it.
func endsInQuote(text string) bool {
	inside, ok := strings.CutSuffix(text, `"`)
	return ok && !escapes(inside)
}

// escapes reports whether text ends with a backslash that escapes what follows.
func escapes(text string) bool {
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

// halfEscape is the length of the escape sequence in the middle of which text ends.
func halfEscape(text string) int {
	for n := 1; n < len(`\u0000`) && n <= len(text); n++ {
		if start := len(text) - n; escapes(text[:start+1]) && (n == 1 || text[start+1] == 'u') {
			return n
		}
	}
	return 0
}
