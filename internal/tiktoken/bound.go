// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"unicode"
	"unicode/utf8"
)

// The byte pair merge of pkoukk/tiktoken-go takes 0.55 ns times the square of the bytes of a piece, so 100 KB of one letter
// would keep a core busy for eight seconds.
const (
	maxText = 1 << 20 // bytes of the whole text
	maxRun  = 2 << 10 // bytes that can become one piece: 2.2 ms
	maxWork = 1 << 28 // sum of the squares of all runs: 150 ms
)

// tooSlow reports whether counting text could take too long. It looks at runs that no piece of any encoding's pattern
// exceeds by more than the few bytes of a leading space or a contraction: letters and marks, digits, and characters that
// are neither letter nor digit. Marks belong to two kinds of run, because o200k_base takes them as letters and as symbols.
func tooSlow(text string) bool {
	var letters, digits, others, work int
	grow := func(run *int, in bool, size int) {
		if in {
			*run += size
			return
		}
		work += *run * *run
		*run = 0
	}
	for _, r := range text {
		size := utf8.RuneLen(r)
		letter, digit := unicode.IsLetter(r), unicode.IsNumber(r)
		grow(&letters, letter || unicode.IsMark(r), size)
		grow(&digits, digit, size)
		grow(&others, !letter && !digit, size)
		if max(letters, digits, others) > maxRun || work > maxWork {
			return true
		}
	}
	return false
}
