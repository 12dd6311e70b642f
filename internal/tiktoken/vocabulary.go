// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// vocabulary has the tokens of an encoding, by rank, and what it takes to find them.
type vocabulary struct {
	bytes    string   // of all tokens in the order of their ranks
	offsets  []uint32 // of each in bytes, and one more for the end of the last
	nodes    []node   // of each; 0 for a rank without a token
	short    shortTokens
	long     longTokens
	prefixes *prefixes
	pairs    pairs
	borders  *borders
}

// node says what a token was made of: from the lowest bit on the ranks of the two tokens that were merged, which are its own
// for a single byte, and the length. All three are asked for at once, so that they are in one word.
type node uint64

// rankBits is how many bits a rank may have.
const rankBits = 18

const none = 1<<rankBits - 1 // no rank

// singles is the number of tokens that are single bytes. They have the lowest ranks.
const singles = 256

func newNode(left, right uint32, length int) node {
	return node(left) | node(right)<<rankBits | node(length)<<(2*rankBits)
}

func (n node) left() uint32  { return uint32(n) & none }
func (n node) right() uint32 { return uint32(n>>rankBits) & none }
func (n node) length() int   { return int(n >> (2 * rankBits)) }

// newVocabulary unpacks a file of ./internal/generate, which says what is in it; ranks of it if that is not 0.
func newVocabulary(file string, ranks int) *vocabulary {
	count := int(binary.LittleEndian.Uint32([]byte(file[:4])))
	width := bits.Len(uint(count - 1))
	if ranks != 0 {
		count = ranks
	}
	v := &vocabulary{offsets: make([]uint32, count+1), nodes: make([]node, count)}
	const head = 4 + singles
	var all strings.Builder
	all.Grow(7 * count)
	all.WriteString(file[4:head])
	for i := range uint32(singles) {
		v.nodes[i] = newNode(i, i, 1)
		v.offsets[i+1] = i + 1
	}
	mask := uint32(1)<<width - 1
	for i := uint32(singles); i < uint32(count); i++ {
		at := int(i-singles) * 2 * width
		both := load64(file[head+at/8:]) >> (at % 8)
		if left, right := uint32(both)&mask, uint32(both>>width)&mask; left != i {
			v.nodes[i] = newNode(left, right, v.nodes[left].length()+v.nodes[right].length())
			v.bytes = all.String()
			all.WriteString(v.token(left))
			all.WriteString(v.token(right))
		}
		v.offsets[i+1] = uint32(all.Len())
	}
	v.bytes = all.String()

	v.short = newShortTokens(v)
	v.long = newLongTokens(v)
	v.prefixes = newPrefixes(v)
	v.pairs = newPairs(v)
	v.borders = newBorders(v)
	return v
}

func (v *vocabulary) token(rank uint32) string {
	return v.bytes[v.offsets[rank]:v.offsets[rank+1]]
}

// rank returns the rank of text[start:end].
func (v *vocabulary) rank(text string, start, end int) (uint32, bool) {
	if end-start <= maxShort {
		return v.short.rank(word64(text, start, end), end-start)
	}
	return v.long.rank(v, text, start, end)
}
