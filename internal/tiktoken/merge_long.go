// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import "slices"

// longPiece is the length in bytes from which on a piece is likely to repeat itself.
const longPiece = 128

// mergeLong is mergeMedium for long pieces. They are runs of white space or punctuation, text without spaces, or nothing that a
// person wrote. In a run of one character a hundred tokens may fit, of which all but a short one lead nowhere, at each place
// anew. So it remembers what was chosen last where the text was the same, and tries that first.
func (v *vocabulary) mergeLong(tokens []uint32, text string, start, end int) []uint32 {
	var buffer [longPiece]choice
	choices := buffer[:0]
	var chosen memory
	previous := uint32(none)
	for start < end {
		next := choice{longest: v.longest(text, start, end), guess: none}
		if token, known := chosen.last(previous, next.longest); known {
			next.token, next.guess = token, token
		} else {
			next.token = v.fit(previous, next.longest, text, start)
		}
		for next.token == none {
			next = choices[len(choices)-1]
			choices = choices[:len(choices)-1]
			start -= v.nodes[next.token].length()
			previous = none
			if len(choices) > 0 {
				previous = choices[len(choices)-1].token
			}
			v.reconsider(&next, previous, text, start)
		}
		chosen.remember(previous, next)
		if len(choices) == cap(choices) {
			choices = slices.Grow(choices, len(choices)) // append would copy more often
		}
		choices = append(choices, next)
		start += v.nodes[next.token].length()
		previous = next.token
	}
	tokens = slices.Grow(tokens, len(choices))
	for i := range choices {
		tokens = append(tokens, choices[i].token)
	}
	return tokens
}

// choice is of one token among those that a place begins with.
type choice struct {
	token   uint32
	longest uint32 // of them
	guess   uint32 // which was tried first, or none
}

// reconsider makes another choice at start; none when there is no other.
func (v *vocabulary) reconsider(c *choice, previous uint32, text string, start int) {
	next := c.longest
	if c.token != c.guess {
		next = v.shorter(c.token, text, start)
	}
	c.token = v.fit(previous, next, text, start)
	if c.token == c.guess && c.token != none {
		c.token = v.fit(previous, v.shorter(c.token, text, start), text, start)
	}
}

// memory has the last choices between the longest token of a place and those that it begins with, by the token before.
type memory [256]struct {
	known                    bool
	previous, longest, token uint32
}

func (m *memory) last(previous, longest uint32) (token uint32, known bool) {
	r := &m[slot(previous, longest)]
	return r.token, r.known && r.previous == previous && r.longest == longest
}

func (m *memory) remember(previous uint32, c choice) {
	r := &m[slot(previous, c.longest)]
	r.known, r.previous, r.longest, r.token = true, previous, c.longest, c.token
}

func slot(previous, longest uint32) uint64 {
	return (uint64(previous)<<32 | uint64(longest)) * golden >> 56
}
