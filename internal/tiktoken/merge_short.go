// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import "math/bits"

// shortPiece is the length in bytes up to which nothing is faster than to do what tiktoken's rule says.
const shortPiece = 16

// mergeShort is merge for short pieces, as most are. It begins with single bytes, and of all neighbours that make a token
// merges those that make the one of the lowest rank, the leftmost of several, until there are none.
func (v *vocabulary) mergeShort(tokens []uint32, piece string) []uint32 {
	var parts [shortPiece]uint32        // the tokens so far, each where it begins in piece
	begins := uint32(1)<<len(piece) - 1 // a bit for each of these places
	var merges mergeSet                 // of the token at each place with the next one
	for i := range merges {
		merges[i] = never
	}
	parts[0] = v.prefixes.one[piece[0]]
	for i := 1; i < len(piece); i++ {
		parts[i%shortPiece] = v.prefixes.one[piece[i]]
		if token := v.prefixes.two[uint16(piece[i-1])|uint16(piece[i])<<8] & none; token >= singles {
			merges[(i-1)%shortPiece] = token*shortPiece | uint32(i-1)
		}
	}
	for {
		lowest := merges.lowest(len(piece))
		if lowest >= never {
			break
		}
		i, token := lowest%shortPiece, lowest/shortPiece
		behind := begins &^ (2<<i - 1)
		begins &^= behind & -behind // the next one, which is its right token
		merges[bits.TrailingZeros32(behind)%shortPiece] = never
		parts[i], merges[i] = token, never
		if behind &= behind - 1; behind != 0 {
			next := bits.TrailingZeros32(behind) % shortPiece
			merges[i] = v.merged(token, parts[next])*shortPiece | i
		}
		if before := begins & (1<<i - 1); before != 0 {
			previous := uint32(bits.Len32(before)-1) % shortPiece
			merges[previous] = v.merged(parts[previous], token)*shortPiece | previous
		}
	}
	for ; begins != 0; begins &= begins - 1 {
		tokens = append(tokens, parts[bits.TrailingZeros32(begins)%shortPiece])
	}
	return tokens
}

// mergeSet is merges, each the rank of the token that it makes and in the lowest bits the place of its left token; never or more
// if there is none.
type mergeSet [shortPiece]uint32

const never = none * shortPiece

// lowest returns the lowest of the first n.
func (m *mergeSet) lowest(n int) uint32 {
	lowest := min(m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7])
	if n > 8 {
		lowest = min(lowest, m[8], m[9], m[10], m[11], m[12], m[13], m[14], m[15])
	}
	return lowest
}
