// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
)

// resultList is what several results are in the prompt: a list of JSON as Python's json.dumps writes it, with ensure_ascii if
// ascii is true. A result that is JSON is a value of it, any other a string.
func resultList(results []string, ascii bool) string {
	b := dumper{ascii: ascii}
	b.WriteByte('[')
	for i, result := range results {
		if i > 0 {
			b.WriteString(", ")
		}
		if json.Valid([]byte(result)) {
			b.dump(result)
		} else {
			b.dumpString(result)
		}
	}
	b.WriteByte(']')
	return b.String()
}

type dumper struct {
	strings.Builder

	ascii bool
}

// dump writes valid JSON.
func (b *dumper) dump(text string) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t', '\n', '\r':
		case ',', ':':
			b.WriteByte(c)
			b.WriteByte(' ')
		case '"':
			start := i
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			var value string
			_ = json.Unmarshal([]byte(text[start:i+1]), &value) // it is valid
			b.dumpString(value)
		default:
			b.WriteByte(c)
		}
	}
}

func (b *dumper) dumpString(text string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case strings.ContainsRune("\b\f\n\r\t", r):
			b.WriteByte('\\')
			b.WriteByte("btn?fr"[r-'\b'])
		case ' ' <= r && (r <= '~' || !b.ascii):
			b.WriteRune(r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				b.WriteString(`\u`)
				for shift := 12; shift >= 0; shift -= 4 {
					b.WriteByte(hex[unit>>shift&15])
				}
			}
		}
	}
	b.WriteByte('"')
}
