// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import "math/bits"

// prefixes says how long the tokens are that begin like a text, so that the longest token at a place is found with few
// look-ups. It errs on the side of too many lengths. It is small enough to stay close to the processor, and quickly made,
// which a trie of all tokens, with 400,000 nodes, is not.
type prefixes struct {
	three [1 << threeBits]lengths // of the tokens of 3 bytes and more, by the hash of the first 3
	five  [1 << fiveBits]lengths  // of the tokens of 5 bytes and more, by the hash of the first 5
}

const (
	threeBits = 16
	fiveBits  = 17
)

// lengths is a set of lengths: the lowest bit is one byte, the highest is all lengths from manyBytes on.
type lengths uint32

const (
	manyBytes = 32
	many      = lengths(1) << (manyBytes - 1)
)

func (l *lengths) add(length int) { *l |= 1 << (min(length, manyBytes) - 1) }

func newPrefixes(v *vocabulary) *prefixes {
	p := &prefixes{}
	for i, node := range v.nodes {
		start, length := int(v.offsets[i]), node.length()
		if length >= 3 {
			p.three[hash(word64(v.bytes, start, start+3), threeBits)].add(length)
		}
		if length >= 5 {
			p.five[hash(word64(v.bytes, start, start+5), fiveBits)].add(length)
		}
	}
	return p
}

func hash(word uint64, bits int) uint64 { return word * golden >> (64 - bits) }

// of returns the lengths to look for at start, up to end.
func (p *prefixes) of(text string, start, end int) lengths {
	length := end - start
	found := lengths(1<<min(length, 2) - 1)
	if length >= 3 {
		found |= p.three[hash(word64(text, start, start+3), threeBits)]
	}
	if length >= 5 {
		found &= p.five[hash(word64(text, start, start+5), fiveBits)] | (1<<4 - 1)
	}
	if length < manyBytes {
		found &= 1<<length - 1
	}
	return found
}

// longest returns the longest token that text[start:end] begins with.
func (v *vocabulary) longest(text string, start, end int) uint32 {
	found := v.prefixes.of(text, start, end)
	if found&many != 0 {
		for length := min(end-start, v.long.longest); length >= manyBytes; length-- {
			if rank, ok := v.long.rank(v, text, start, start+length); ok {
				return rank
			}
		}
		found &^= many
	}
	for {
		length := bits.Len32(uint32(found))
		if rank, ok := v.rank(text, start, start+length); ok {
			return rank
		}
		found &^= 1 << (length - 1)
	}
}

// shorter returns the longest token that token, which is at start, begins with; none if it is a single byte.
func (v *vocabulary) shorter(token uint32, text string, start int) uint32 {
	if token < singles {
		return none
	}
	return v.longest(text, start, start+v.nodes[token].length()-1)
}
