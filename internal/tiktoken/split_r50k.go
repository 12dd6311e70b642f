// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

// nextR50k, which p50k_base uses, too, is
//
//	'(?:[sdmt]|ll|ve|re) |  ?\p{L}++ |  ?\p{N}++ |  ?[^\s\p{L}\p{N}]++ | \s++$ | \s+(?!\S) | \s
func nextR50k(text string, start int) int {
	if n := contraction(text, start, false); n > 0 {
		return start + n
	}
	first := start
	if text[start] == ' ' && start+1 < len(text) {
		first++
	}
	c, size := classAt(text, first)
	switch {
	case isLetter(c):
		return letters(text, first+size)
	case c == number:
		return digits(text, first+size, len(text))
	case isSymbol(c):
		return symbols(text, first+size)
	}
	return spaces(text, start).beforeLast(text, start)
}
