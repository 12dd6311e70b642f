// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxDepth is how deep content may be nested. What people send stays below twenty; a megabyte of brackets would otherwise
// cost a stack of hundreds of megabytes.
const maxDepth = 200

// value is the text of a JSON value that is known to be valid, without space around it. Reading through it
// unescapes only what is asked for.
type value string

// parse returns text as a JSON array, object or string; false if it is none, is broken, or is nested too deep.
func parse(text string) (value, bool) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] != '[' && text[0] != '{' && text[0] != '"' || tooDeep(text) || !gjson.Valid(text) {
		return "", false
	}
	return value(text), true
}

// tooDeep reports whether brackets are nested deeper than maxDepth.
func tooDeep(text string) bool {
	if strings.Count(text, "[")+strings.Count(text, "{") <= maxDepth {
		return false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '[', '{':
			if depth++; depth > maxDepth {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

func (v value) first() byte {
	if v == "" {
		return 0
	}
	return v[0]
}

func (v value) isArray() bool  { return v.first() == '[' }
func (v value) isObject() bool { return v.first() == '{' }
func (v value) isString() bool { return v.first() == '"' }
func (v value) isNumber() bool { return v.first() == '-' || '0' <= v.first() && v.first() <= '9' }

// isNothing reports whether the value is missing or null.
func (v value) isNothing() bool { return v == "" || v.first() == 'n' }

// isEmpty reports whether the value is missing, null, or has nothing in it.
func (v value) isEmpty() bool { return v.isNothing() || v == `""` || v == "[]" || v == "{}" }

// text is a string's text, nothing for null, and any other value's JSON.
func (v value) text() string {
	switch {
	case v.isString():
		return unescape(string(v[1 : len(v)-1]))
	case v.isNothing():
		return ""
	default:
		return string(v)
	}
}

// each calls f for each element of an array, with an empty key, or for each member of an object.
func (v value) each(f func(key string, item value)) {
	v.until(func(key string, item value) bool {
		f(key, item)
		return false
	})
}

// until is each that ends when f returns true.
func (v value) until(f func(key string, item value) bool) {
	c := cursor{text: string(v)}
	c.items(func(key string) bool { return f(key, c.value()) })
}

// cursor reads through a JSON text once. What is read by one value after the other is scanned once for each level that it
// is nested in; the text of a message is nested in four.
type cursor struct {
	text string
	at   int
}

// items calls f for each element of the array, with an empty key, or each member of the object that the cursor is at, until
// f returns true. f has to read the item. Afterwards the cursor is behind the array or object, if f never returned true.
func (c *cursor) items(f func(key string) bool) {
	if c.at >= len(c.text) || c.text[c.at] != '[' && c.text[c.at] != '{' {
		return
	}
	object := c.text[c.at] == '{'
	for c.skip(1); c.at < len(c.text) && c.text[c.at] != ']' && c.text[c.at] != '}'; {
		key := ""
		if object {
			end := stringEnd(c.text, c.at)
			key = unescape(c.text[c.at+1 : end-1])
			c.at = end
			c.skip(0)
			c.skip(1) // the colon
		}
		if f(key) {
			return
		}
		if c.skip(0); c.at < len(c.text) && c.text[c.at] == ',' {
			c.skip(1)
		}
	}
	c.at++
}

// skip moves on by n and over space.
func (c *cursor) skip(n int) {
	for c.at += n; c.at < len(c.text) && c.text[c.at] <= ' '; {
		c.at++
	}
}

// value reads the value that the cursor is at.
func (c *cursor) value() value {
	start := c.at
	c.at = valueEnd(c.text, start)
	return value(c.text[start:c.at])
}

// isArray reports whether the cursor is at an array.
func (c *cursor) isArray() bool { return c.at < len(c.text) && c.text[c.at] == '[' }

// isObject reports whether the cursor is at an object.
func (c *cursor) isObject() bool { return c.at < len(c.text) && c.text[c.at] == '{' }

// get returns a member of an object.
func (v value) get(name string) value {
	var found value
	if v.isObject() {
		v.until(func(key string, item value) bool {
			if key == name {
				found = item
			}
			return key == name
		})
	}
	return found
}

// stringEnd returns the index after the string that begins at i. Text in JSON has an escape every few words, so that
// looking at each byte is faster than searching for the next quote; most are small letters.
func stringEnd(text string, i int) int {
	for i++; i < len(text); i++ {
		if text[i] > '\\' {
			continue
		}
		if text[i] == '"' {
			return i + 1
		}
		if text[i] == '\\' {
			i++
		}
	}
	return len(text)
}

// valueEnd returns the index after the value that begins at i.
func valueEnd(text string, i int) int {
	depth := 0
	for i < len(text) {
		switch text[i] {
		case '"':
			i = stringEnd(text, i)
		case '[', '{':
			depth++
			i++
			continue
		case ']', '}':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default:
			for i < len(text) && !strings.ContainsRune(",:]} \t\n\r", rune(text[i])) {
				i++
			}
		}
		if depth <= 0 {
			return i
		}
	}
	return len(text)
}

// unescape returns what the inside of a JSON string stands for.
func unescape(text string) string {
	i := strings.IndexByte(text, '\\')
	if i < 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for ; i >= 0 && i+1 < len(text); i = strings.IndexByte(text, '\\') {
		b.WriteString(text[:i])
		next := i + 2
		switch c := text[i+1]; c {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, size := unescapeRune(text[i:])
			b.WriteRune(r)
			next = i + size
		default:
			b.WriteByte(c)
		}
		text = text[next:]
	}
	b.WriteString(text)
	return b.String()
}

// unescapeRune reads \uXXXX, or two of them that are a surrogate pair.
func unescapeRune(text string) (r rune, size int) {
	first, ok := hex4(text)
	if !ok {
		return utf8.RuneError, min(len(text), 2)
	}
	if utf16.IsSurrogate(first) {
		if second, ok := hex4(text[6:]); ok {
			if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
				return r, 12
			}
		}
		return utf8.RuneError, 6
	}
	return first, 6
}

// hex4 reads the \uXXXX that text begins with.
func hex4(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(text[2:6]) {
		r <<= 4
		switch {
		case '0' <= c && c <= '9':
			r |= rune(c - '0')
		case 'a' <= c && c <= 'f':
			r |= rune(c - 'a' + 10)
		case 'A' <= c && c <= 'F':
			r |= rune(c - 'A' + 10)
		default:
			return 0, false
		}
	}
	return r, true
}
