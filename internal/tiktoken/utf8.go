// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"strings"
	"unicode/utf8"
)

// toValidUTF8 returns text with U+FFFD in the place of each maximal subpart of an ill-formed sequence, as Python's
// errors="replace" and the Unicode Standard, section 3.9, have it: what could have become a character is replaced as a
// whole. Neither strings.ToValidUTF8, one U+FFFD for all, nor a range loop, one for each byte, does that.
func toValidUTF8(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var valid strings.Builder
	valid.Grow(len(text) + len(text)/2)
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			size = subpart(text)
		}
		valid.WriteRune(r)
		text = text[size:]
	}
	return valid.String()
}

// subpart returns the length of the maximal subpart that the ill-formed text begins with.
func subpart(text string) int {
	length := 1 // of the character; with a second byte, one of two bytes would be well-formed
	switch first := text[0]; {
	case 0xE0 <= first && first <= 0xEF:
		length = 3
	case 0xF0 <= first && first <= 0xF4:
		length = 4
	}
	lowest, highest := byte(0x80), byte(0xBF) // of the second byte
	switch text[0] {
	case 0xE0:
		lowest = 0xA0 // less is overlong
	case 0xED:
		highest = 0x9F // more is a surrogate
	case 0xF0:
		lowest = 0x90 // less is overlong
	case 0xF4:
		highest = 0x8F // more is above U+10FFFF
	}
	size := 1
	for size < min(length, len(text)) && lowest <= text[size] && text[size] <= highest {
		lowest, highest = 0x80, 0xBF
		size++
	}
	return size
}
