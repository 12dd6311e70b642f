// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import "math/bits"

// The scanners of this file and its neighbours return the end of the piece at start of text. Each does what its regular
// expression in tiktoken's openai_public.py does, quoted above it; alternatives are tried from left to right.

// digits is \p{N}{1,most}, with the first of them before i.
func digits(text string, i, most int) int {
	for n := 1; n < most && i < len(text); n++ {
		c, size := classAt(text, i)
		if c != number {
			break
		}
		i += size
	}
	return i
}

// lettersASCII is [a-z]*, or less of it near the end of text; with fold, which is the bit that tells the cases apart,
// [A-Za-z]*. Most of what people write is that, and eight bytes are looked at at once.
func lettersASCII(text string, i int, fold uint64) int {
	const each, highest = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(text) {
		word := load64(text[i:])
		low := (word | fold*each) &^ highest
		// The highest bit of each byte says whether it is at least a, above z, or not ASCII.
		others := ^((low + (0x80-'a')*each) &^ (low + (0x80-'z'-1)*each) &^ word) & highest
		if others != 0 {
			return i + bits.TrailingZeros64(others)/8
		}
		i += 8
	}
	return i
}

// letters is \p{L}*.
func letters(text string, i int) int {
	i = lettersASCII(text, i, 'a'-'A')
	for i < len(text) {
		c, size := classAt(text, i)
		if !isLetter(c) {
			break
		}
		i += size
	}
	return i
}

// symbols is [^\s\p{L}\p{N}]*.
func symbols(text string, i int) int {
	for i < len(text) {
		c, size := classAt(text, i)
		if !isSymbol(c) {
			break
		}
		i += size
	}
	return i
}

// newlines is [\r\n]*.
func newlines(text string, i int) int {
	for i < len(text) && (text[i] == '\r' || text[i] == '\n') {
		i++
	}
	return i
}

// run is white space.
type run struct {
	end         int // of all of it
	last        int // where its last character begins
	lastNewline int // where the last newline in it ends; -1 if there is none
}

// spaces is \s+.
func spaces(text string, i int) run {
	r := run{last: i, lastNewline: -1}
	for i < len(text) {
		c, size := classAt(text, i)
		if !isSpace(c) {
			break
		}
		r.last = i
		i += size
		if c == newline {
			r.lastNewline = i
		}
	}
	r.end = i
	return r
}

// beforeLast is \s+(?!\S)|\s: all of the run at start but its last character, which belongs to what follows.
func (r run) beforeLast(text string, start int) int {
	if r.end == len(text) || r.last == start {
		return r.end
	}
	return r.last
}

// contraction is '(?:[sdmt]|ll|ve|re), the length of it; 0 if there is none. With fold it is (?i:…), for which the long s
// (U+017F) is an s, too.
func contraction(text string, i int, fold bool) (length int) {
	if i < len(text)-1 && text[i] == '\'' {
		length = contracted(text, i+1, fold)
	}
	return
}

// contracted is contraction with the apostrophe before i. Almost never is there one, so that only contraction is inlined.
func contracted(text string, i int, fold bool) int {
	var bit byte
	if fold {
		bit = 0x20 // of lower case
	}
	first, second := text[i]|bit, byte(0)
	if i+1 < len(text) {
		second = text[i+1] | bit
	}
	switch {
	case first == 's' || first == 'd' || first == 'm' || first == 't':
		return 2
	case first == 'l' && second == 'l', (first == 'v' || first == 'r') && second == 'e':
		return 3
	case fold && text[i] == 0xC5 && i+1 < len(text) && text[i+1] == 0xBF:
		return 3
	}
	return 0
}
