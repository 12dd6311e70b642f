// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

// class is what tiktoken's patterns tell characters apart by, as a digit in classBlocks.
type class = uint8

// The classes, as ../../tools/unicode-classes numbers them.
const (
	other   class = '0' + iota
	upper         // \p{Lu}, \p{Lt}
	lower         // \p{Ll}
	letter        // \p{Lm}, \p{Lo}: letters without case
	mark          // \p{M}
	number        // \p{N}
	space         // \s but newlines
	newline       // \r, \n
)

func isLetter(c class) bool { return c-upper <= letter-upper }

func isSpace(c class) bool { return c >= space }

// isSymbol reports whether c is in [^\s\p{L}\p{N}].
func isSymbol(c class) bool { return c == other || c == mark }

// classAt returns the class of the character at i of text and its length in bytes. text is valid UTF-8. It is written so that it
// is just small enough to be inlined.
func classAt(text string, i int) (c class, size int) {
	c, size = classBlocks[text[i]], 1
	if text[i] >= 0x80 {
		c, size = classOfMultibyte(text, i)
	}
	return
}

func classOfMultibyte(text string, i int) (class, int) {
	s := text[i:]
	var r uint32
	size := 2
	switch b := uint32(s[0]); {
	case b < 0xE0:
		r = b&0x1F<<6 | uint32(s[1]&0x3F)
	case b < 0xF0:
		_ = s[2]
		r = b&0x0F<<12 | uint32(s[1]&0x3F)<<6 | uint32(s[2]&0x3F)
		size = 3
	default:
		_ = s[3]
		r = b&0x07<<18 | uint32(s[1]&0x3F)<<12 | uint32(s[2]&0x3F)<<6 | uint32(s[3]&0x3F)
		size = 4
	}
	return classBlocks[int(classIndex[r>>8])<<8|int(r&0xFF)], size
}
