// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

// nextO200k is, with (?i:'s|'t|'re|'ve|'m|'ll|'d)? after both of the first two,
//
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ |
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]* |
//	\p{N}{1,3} |
//	 ?[^\s\p{L}\p{N}]+[\r\n/]* |
//	\s*[\r\n]+ | \s+(?!\S) | \s+
func nextO200k(text string, start int) int {
	c, size := classAt(text, start)
	if c == number {
		return digits(text, start+size, 3)
	}
	if c != newline {
		first := start
		if !isLetter(c) {
			first += size
		}
		end, lower := word(text, first)
		if !lower && c == mark {
			// The first alternative also matches without its first part, the mark being the one of its last.
			end, lower = start+size, true
		}
		if lower || end > first {
			return end + contraction(text, end, true)
		}
	}
	if !isSpace(c) {
		return symbolsO200k(text, start+size)
	}
	if text[start] == ' ' && start+1 < len(text) {
		if c, size := classAt(text, start+1); isSymbol(c) {
			return symbolsO200k(text, start+1+size)
		}
	}
	r := spaces(text, start)
	if r.lastNewline >= 0 {
		return r.lastNewline
	}
	return r.beforeLast(text, start)
}

// word is [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+, and true. Where that is not there, it is
// [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*, and false.
func word(text string, i int) (end int, lowered bool) {
	both := -1 // the end of the last character that is in both sets
	for i < len(text) {
		c, size := classAt(text, i)
		if c == lower {
			return lowers(text, i+size), true
		}
		if c != upper {
			if c != letter && c != mark {
				break
			}
			both = i + size
		}
		i += size
	}
	if both >= 0 {
		return both, true
	}
	return i, false
}

// lowers is [\p{Ll}\p{Lm}\p{Lo}\p{M}]*.
func lowers(text string, i int) int {
	i = lettersASCII(text, i, 0)
	for i < len(text) {
		c, size := classAt(text, i)
		if c != lower && c != letter && c != mark {
			break
		}
		i += size
	}
	return i
}

// symbolsO200k is [^\s\p{L}\p{N}]*[\r\n/]*.
func symbolsO200k(text string, i int) int {
	i = symbols(text, i)
	for i < len(text) && (text[i] == '\r' || text[i] == '\n' || text[i] == '/') {
		i++
	}
	return i
}
