// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"encoding/binary"
	"math/bits"
	"sync"
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
	mask := uint32(1)<<width - 1
	for i := range uint32(count) {
		if i < singles {
			v.nodes[i] = newNode(i, i, 1)
		} else {
			at := int(i-singles) * 2 * width
			both := load64(file[head+at/8:]) >> (at % 8)
			if left, right := uint32(both)&mask, uint32(both>>width)&mask; left != i {
				v.nodes[i] = newNode(left, right, v.nodes[left].length()+v.nodes[right].length())
			}
		}
		v.offsets[i+1] = v.offsets[i] + uint32(v.nodes[i].length())
	}
	v.bytes = v.spell(file[4:head])

	var tables sync.WaitGroup
	tables.Go(func() { v.short = newShortTokens(v) })
	tables.Go(func() { v.long = newLongTokens(v) })
	tables.Go(func() { v.prefixes = newPrefixes(v) })
	tables.Go(func() { v.pairs, v.borders = newPairs(v), newBorders(v) })
	tables.Wait()
	return v
}

// spell returns the bytes of all tokens, of which those of one byte are given.
func (v *vocabulary) spell(ones string) string {
	size := int(v.offsets[len(v.nodes)])
	all := make([]byte, size+7)
	copy(all, ones)
	for i, node := range v.nodes {
		if i < singles || node == 0 {
			continue
		}
		to := v.offsets[i]
		for _, half := range [...]uint32{node.left(), node.right()} {
			// Eight bytes are copied as fast as one, and what is too much is overwritten.
			length := uint32(v.nodes[half].length())
			for at := uint32(0); at < length; at += 8 {
				*(*[8]byte)(all[to+at:]) = *(*[8]byte)(all[v.offsets[half]+at:])
			}
			to += length
		}
	}
	return string(all[:size])
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
