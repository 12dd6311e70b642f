// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import "strings"

// closed ends a JSON array or object that was cut: behind what there is of a text, or else behind the last value that is
// whole. It is false for what is not the beginning of an array or object. What was being said when it was cut is known if the
// object that it was said in has named its role or type before.
func closed(text string) (whole string, known, ok bool) {
	var c cutter
	for c.at < len(text) {
		if !c.next(text) {
			return "", false, false
		}
	}
	if len(c.open) == 0 {
		return "", false, false
	}
	known = true
	for _, in := range c.open[:c.depth] {
		if in.end == '}' {
			known = in.known
		}
	}
	var b strings.Builder
	b.WriteString(text[:c.whole])
	if c.inText {
		b.WriteByte('"')
	}
	for i := c.depth - 1; i >= 0; i-- {
		b.WriteByte(c.open[i].end)
	}
	return b.String(), known, true
}

// cutter goes through the beginning of a JSON text.
type cutter struct {
	at     int
	expect expectation
	key    string      // the last one, with its quotes
	open   []container // innermost last
	whole  int         // as much of the text as is JSON once what is open there is closed
	depth  int         // how much that is
	inText bool        // whether a quote has to come before
}

// container is an array or object that has begun.
type container struct {
	end   byte // of it: ] or }
	known bool // whether an object has named its role or type
}

// expectation is what may come next.
type expectation uint8

const (
	aValue expectation = iota
	aValueOrEnd
	aKey
	aKeyOrEnd
	aColon
	moreOrEnd
)

// next goes over one token, and reports whether JSON can have it there.
func (c *cutter) next(text string) bool {
	value := c.expect == aValue || c.expect == aValueOrEnd
	switch token := text[c.at]; token {
	case ' ', '\t', '\n', '\r':
		c.at++
		return true
	case '[', '{':
		c.open = append(c.open, container{end: token + ('}' - '{')}) // which is as far from [ to ]
		c.expect = aValueOrEnd
		if token == '{' {
			c.expect = aKeyOrEnd
		}
		c.at++
		if token == '[' || len(c.open) == 1 { // an object of which nothing is known yet is none
			c.mark(c.at)
		}
		return value
	case ']', '}':
		if len(c.open) < 2 || c.open[len(c.open)-1].end != token || c.expect == aValue || c.expect == aKey || c.expect == aColon {
			return false
		}
		c.open = c.open[:len(c.open)-1]
		c.expect = moreOrEnd
		c.at++
		c.mark(c.at)
		return true
	case ',':
		ok := c.expect == moreOrEnd && len(c.open) > 0
		c.expect = aValue
		if ok && c.open[len(c.open)-1].end == '}' {
			c.expect = aKey
		}
		c.at++
		return ok
	case ':':
		ok := c.expect == aColon
		c.expect = aValue
		c.at++
		return ok
	case '"':
		return c.text(text)
	}
	for c.at < len(text) && !strings.ContainsRune(",:]} \t\n\r", rune(text[c.at])) {
		c.at++
	}
	c.expect = moreOrEnd
	if c.at < len(text) { // at the end it may be half a number
		c.mark(c.at)
	}
	return value
}

// text goes over a string.
func (c *cutter) text(text string) bool {
	begin := c.at + 1
	c.at = stringEnd(text, c.at)
	cut := c.at == len(text) && !endsInQuote(text[begin:])
	switch c.expect {
	case aKey, aKeyOrEnd:
		c.key = text[begin-1 : c.at]
		c.expect = aColon
		return true
	case aValue, aValueOrEnd:
	default:
		return false
	}
	named := c.expect == aValue && (c.key == `"type"` || c.key == `"role"`)
	c.expect = moreOrEnd
	switch {
	case !cut:
		c.mark(c.at)
		if named && len(c.open) > 0 {
			c.open[len(c.open)-1].known = true
		}
	case !named: // half a word of those is another word
		c.mark(c.at - halfEscape(text[begin:]))
		c.inText = true
	}
	return true
}

func (c *cutter) mark(at int) { c.whole, c.depth = at, len(c.open) }

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
