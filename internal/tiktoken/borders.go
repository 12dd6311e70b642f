// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

// borders says where in a text tokens may merge, by the two bytes before the place and the two behind it. Characters of several
// bytes meet in so many ways that in Chinese text, or between emoji, mostly nothing may.
//
// The two bytes at the place have a word, in which there is a bit for the three lowest bits of each of the bytes beyond.
type borders [1 << 16]uint64

func newBorders(v *vocabulary) *borders {
	b := new(borders)
	for i, node := range v.nodes {
		if i < singles || node == 0 {
			continue
		}
		start := int(v.offsets[i])
		at, end := start+v.nodes[node.left()].length(), start+node.length()
		bits := ^uint64(0) // for a token of one byte, whatever is beyond
		if at-start > 1 {
			bits &= 0xFF << (v.bytes[at-2] & 7 * 8)
		}
		if end-at > 1 {
			bits &= 0x0101010101010101 << (v.bytes[at+1] & 7)
		}
		b[uint16(v.bytes[at-1])<<8|uint16(v.bytes[at])] |= bits
	}
	return b
}

// crossed is false where no part of a token that ends before text[at] merges with a part of one that begins there.
func (b *borders) crossed(text string, at int) bool {
	var before, behind byte // of no account if they are not there
	if at >= 2 {
		before = text[at-2]
	}
	if at+1 < len(text) {
		behind = text[at+1]
	}
	return b[uint16(text[at-1])<<8|uint16(text[at])]>>(before&7*8|behind&7)&1 != 0
}
