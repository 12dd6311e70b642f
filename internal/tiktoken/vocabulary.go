// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"encoding/binary"
	"math/bits"
)

// vocabulary has the tokens of an encoding, by rank, and what it takes to find them. Ranks have at most 18 bits.
type vocabulary struct {
	bytes    []byte   // of all tokens in the order of their ranks
	offsets  []uint32 // of each in bytes, and one more for the end of the last
	lengths  []uint8  // of each
	merges   []merge  // that made each
	short    shortTokens
	long     longTokens
	pairs    pairs
	prefixes *prefixes
}

// merge makes a token of two, given by their ranks. For a single byte both are its own rank.
type merge struct{ left, right uint32 }

const none = ^uint32(0) // no rank

// newVocabulary unpacks a file of ./internal/generate, which says what is in it; ranks of it if that is not 0.
func newVocabulary(file string, ranks int) *vocabulary {
	count := int(binary.LittleEndian.Uint32([]byte(file[:4])))
	width := bits.Len(uint(count - 1))
	if ranks != 0 {
		count = ranks
	}
	v := &vocabulary{
		bytes:   make([]byte, 0, 7*count),
		offsets: make([]uint32, count+1),
		lengths: make([]uint8, count),
		merges:  make([]merge, count),
	}
	const singles = 4 + 256
	v.bytes = append(v.bytes, file[4:singles]...)
	mask := uint32(1)<<width - 1
	for i := range uint32(count) {
		if i < 256 {
			v.merges[i] = merge{i, i}
			v.lengths[i] = 1
		} else {
			at := int(i-256) * 2 * width
			both := load64(file[singles+at/8:]) >> (at % 8)
			m := merge{uint32(both) & mask, uint32(both>>width) & mask}
			v.merges[i] = m
			if m.left != i {
				v.bytes = append(append(v.bytes, v.token(m.left)...), v.token(m.right)...)
				v.lengths[i] = v.lengths[m.left] + v.lengths[m.right]
			}
		}
		v.offsets[i+1] = v.offsets[i] + uint32(v.lengths[i])
	}

	v.short = newShortTokens(v)
	v.long = newLongTokens(v)
	v.pairs = newPairs(v.merges)
	v.prefixes = newPrefixes(v)
	return v
}

func (v *vocabulary) token(rank uint32) []byte {
	return v.bytes[v.offsets[rank]:v.offsets[rank+1]]
}

// rank returns the rank of text[start:end].
func (v *vocabulary) rank(text string, start, end int) (uint32, bool) {
	if end-start <= maxShort {
		return v.short.rank(text, start, end)
	}
	return v.long.rank(v, text[start:end])
}
