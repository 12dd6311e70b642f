// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

// nextCl100k is
//
//	'(?i:[sdmt]|ll|ve|re) |
//	[^\r\n\p{L}\p{N}]?+\p{L}++ |
//	\p{N}{1,3}+ |
//	 ?[^\s\p{L}\p{N}]++[\r\n]*+ |
//	\s++$ | \s*[\r\n] | \s+(?!\S) | \s
func nextCl100k(text string, start int) int {
	c, size := classAt(text, start)
	if c == number {
		return digits(text, start+size, 3)
	}
	if n := contraction(text, start, true); n > 0 {
		return start + n
	}
	if isLetter(c) {
		return letters(text, start+size)
	}
	if c != newline {
		if end := letters(text, start+size); end > start+size {
			return end
		}
	}
	if !isSpace(c) {
		return newlines(text, symbols(text, start+size))
	}
	if text[start] == ' ' && start+1 < len(text) {
		if c, size := classAt(text, start+1); isSymbol(c) {
			return newlines(text, symbols(text, start+1+size))
		}
	}
	r := spaces(text, start)
	if r.lastNewline >= 0 && r.end < len(text) {
		return r.lastNewline
	}
	return r.beforeLast(text, start)
}
