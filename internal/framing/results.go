// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
)

// resultList is what several results are in the prompt: a list of JSON as Python's json.dumps writes it, of values where a
// result is JSON, and else of strings.
func resultList(results []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, result := range results {
		if i > 0 {
			b.WriteString(", ")
		}
		if json.Valid([]byte(result)) {
			dump(&b, result)
		} else {
			dumpString(&b, result)
		}
	}
	b.WriteByte(']')
	return b.String()
}

// dump writes valid JSON.
func dump(b *strings.Builder, text string) {
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
			dumpString(b, value)
		default:
			b.WriteByte(c)
		}
	}
}

func dumpString(b *strings.Builder, text string) {
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
		case ' ' <= r && r <= '~':
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
