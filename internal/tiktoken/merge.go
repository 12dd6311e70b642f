// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

// merge appends the tokens of the piece text[start:end], which is not empty.
func (v *vocabulary) merge(tokens []uint32, text string, start, end int) []uint32 {
	switch length := end - start; {
	case length <= shortPiece:
		return v.mergeShort(tokens, text[start:end])
	case length < longPiece:
		return v.mergeMedium(tokens, text, start, end)
	}
	return v.mergeLong(tokens, text, start, end)
}

// mergeMedium is merge from left to right.
//
// The merges that make a token never look beyond it until one crosses its end, so the tokens of a text are the one sequence
// in which any two neighbours stay apart when they are merged alone. It is found depth first, longer tokens first. As it is
// the only one, for each place of the text there is at most one sequence that ends there: no place is passed twice.
func (v *vocabulary) mergeMedium(tokens []uint32, text string, start, end int) []uint32 {
	first := len(tokens)
	token := v.longest(text, start, end)
	for {
		tokens = append(tokens, token)
		start += v.nodes[token].length()
		if start == end {
			return tokens
		}
		token = v.fit(token, v.longest(text, start, end), text, start)
		for token == none {
			last := tokens[len(tokens)-1]
			tokens = tokens[:len(tokens)-1]
			start -= v.nodes[last].length()
			previous := uint32(none)
			if len(tokens) > first {
				previous = tokens[len(tokens)-1]
			}
			token = v.fit(previous, v.shorter(last, text, start), text, start)
		}
	}
}

// fit returns the longest of token, which is at start, and those that it begins with, that stays apart from the one before it,
// if there is one before it; none if there is no such token.
func (v *vocabulary) fit(previous, token uint32, text string, start int) uint32 {
	if token == none || previous == none || !v.borders.crossed(text, start) {
		return token
	}
	for token != none && !v.apart(previous, token) {
		token = v.shorter(token, text, start)
	}
	return token
}

// apart reports whether left and right stay two tokens when their bytes are merged.
//
// It undoes the merges of both, the latest first, which is the one of the highest rank, and looks at the two tokens that
// then meet: if they merge into one of a lower rank than what was undone, that merge would have come first. Of equal ranks
// the merge further left comes first.
func (v *vocabulary) apart(left, right uint32) bool {
	before := uint32(none) // merges of lower rank than this come before those that were undone
	for {
		if v.merged(left, right) < before {
			return false
		}
		if left > right {
			if left < singles {
				return true
			}
			before, left = left, v.nodes[left].right()
		} else {
			if right < singles {
				return true
			}
			before, right = right+1, v.nodes[right].left()
		}
	}
}
