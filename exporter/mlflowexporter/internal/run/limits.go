// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of MLflow 3.17, in Unicode code points. Names: the columns of PostgreSQL; SQLite takes more.
const (
	// MaxParam is the longest param that MLflow keeps whole.
	MaxParam = 6000
	maxTag   = 5000 // of an experiment; a run's tag may have 8000
	maxName  = 250
	maxKey   = 200 // of what is a part of a key, which may have 250
)

// clean makes text that any MLflow store takes: valid UTF-8 without NUL, which PostgreSQL refuses with a 500.
func clean(text string) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, string(utf8.RuneError))
	}
	return strings.ReplaceAll(text, "\x00", "")
}

// line makes one line of at most max code points from text, without control characters.
func line(text string, max int) string {
	text = clean(text)
	if strings.ContainsFunc(text, separates) {
		text = strings.Join(strings.FieldsFunc(text, separates), " ")
	}
	return first(text, max)
}

// separates reports whether a code point is none that a line shows.
func separates(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// firstWords makes one line of at most max code points from text, of whole words if it has any, and marks what is missing.
func firstWords(text string, max int) string {
	head := line(first(text, 4*max), 4*max) // white space folds, so a little more than max is looked at
	if words := first(head, max); words != head {
		if space := strings.LastIndexByte(words, ' '); space > 0 {
			words = words[:space]
		}
		return words + "…"
	}
	return head
}

// first returns the first max code points of text.
func first(text string, max int) string {
	if len(text) <= max {
		return text
	}
	count := 0
	for i := range text {
		if count == max {
			return text[:i]
		}
		count++
	}
	return text
}

// last returns the last max code points of text.
func last(text string, max int) string {
	i := len(text)
	for ; max > 0 && i > 0; max-- {
		_, size := utf8.DecodeLastRuneInString(text[:i])
		i -= size
	}
	return text[i:]
}

// cut returns text that is no longer than max code points: where it is longer, its head and tail around a marker that
// says how much is missing and, if it is not empty, which artifact has the whole. The text must be valid UTF-8.
func cut(text string, max int, artifact string) string {
	if len(text) <= max {
		return text
	}
	length := utf8.RuneCountInString(text)
	if length <= max {
		return text
	}
	// The marker's own length depends on the number in it, which is never longer than that of the whole text.
	room := max - utf8.RuneCountInString(marker(length, artifact))
	if room <= 0 {
		return first(text, max)
	}
	tail := room / 4 // the end of a prompt is its question, but its beginning says more
	head := room - tail
	return first(text, head) + marker(length-room, artifact) + last(text, tail)
}

func marker(n int, artifact string) string {
	if artifact == "" {
		return fmt.Sprintf("…[%d characters cut]…", n)
	}
	return fmt.Sprintf("…[%d characters cut, whole in artifact %s]…", n, artifact)
}

// metricKey makes a key of a metric from text: MLflow takes letters, digits and a few signs, and no empty key.
func metricKey(text string) string {
	key := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-. ", r) {
			return r
		}
		return '_'
	}, line(text, maxKey))
	return strings.Trim(key, ". ")
}
