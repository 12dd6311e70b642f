// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import "math/bits"

// table has slots, which are found by a hash. Tables of tokens are open-addressed: a token that finds its slot taken goes into
// the next free one. Words that are frequent have both a low rank and a short way to go.
type table[S any] struct {
	slots []S // a power of two of them
	shift uint8
}

// newTable returns a table for n, at most load percent of its slots.
func newTable[S any](n, load int) table[S] {
	size := bits.Len(uint(n * 100 / load))
	return table[S]{make([]S, 1<<size), uint8(64 - size)}
}

// first is the number of the slot for hash, whose highest bits are the best.
func (t *table[S]) first(hash uint64) uint64 { return hash >> (t.shift & 63) }

// at is the slot of number i; behind the last comes the first.
func (t *table[S]) at(i uint64) *S { return &t.slots[i&uint64(len(t.slots)-1)] }

// golden makes a hash of a word that it is multiplied with: the fractional part of the golden ratio.
const golden = 0x9E3779B97F4A7C15

// maxShort is the number of bytes that fit into a machine word.
const maxShort = 8

// shortTokens finds tokens of at most 8 bytes.
type shortTokens struct{ table[shortToken] }

type shortToken struct {
	key   uint64 // the bytes, the first one lowest
	value uint32 // the rank, and in the lowest 4 bits the length, which is 0 in a free slot
}

func newShortTokens(v *vocabulary) shortTokens {
	n := 0
	for _, node := range v.nodes {
		if node.length() <= maxShort {
			n++
		}
	}
	t := shortTokens{newTable[shortToken](n, 75)}
	for i, node := range v.nodes {
		length, start := node.length(), int(v.offsets[i])
		if length == 0 || length > maxShort {
			continue
		}
		key := word64(v.bytes, start, start+length)
		at := t.first(hashShort(key, length))
		for t.at(at).value != 0 {
			at++
		}
		*t.at(at) = shortToken{key, uint32(i)<<4 | uint32(length)}
	}
	return t
}

func hashShort(key uint64, length int) uint64 { return (key ^ uint64(length)) * golden }

// rank returns the rank of the token of length bytes that are in key.
func (t *shortTokens) rank(key uint64, length int) (uint32, bool) {
	for at := t.first(hashShort(key, length)); ; at++ {
		slot := t.at(at)
		if slot.key == key && slot.value&15 == uint32(length) {
			return slot.value >> 4, true
		}
		if slot.value == 0 {
			return 0, false
		}
	}
}

// word64 returns text[start:end], of 1 to 8 bytes, as a number.
func word64(text string, start, end int) uint64 {
	if start+8 <= len(text) {
		return firstBytes(load64(text[start:]), end-start)
	}
	var n uint64
	for i := end - 1; i >= start; i-- {
		n = n<<8 | uint64(text[i])
	}
	return n
}

// firstBytes returns the first n bytes of word, of 1 to 8.
func firstBytes(word uint64, n int) uint64 {
	return word & (^uint64(0) >> (-8 * n & 63))
}

// load64 is a single load where the machine has one.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// longTokens finds tokens of more than 8 bytes.
type longTokens struct {
	table[longToken]
	longest int // token
}

// longToken is, from the lowest bit on, the rank, the length, where the bytes begin, and a part of their hash; 0 in a free slot.
type longToken uint64

const (
	lengthBits = 8
	offsetBits = 22
	lengthAt   = rankBits
	offsetAt   = lengthAt + lengthBits
	hashAt     = offsetAt + offsetBits
)

func newLongTokens(v *vocabulary) longTokens {
	n, longest := 0, 0
	for _, node := range v.nodes {
		if length := node.length(); length > maxShort {
			n, longest = n+1, max(longest, length)
		}
	}
	t := longTokens{newTable[longToken](n, 50), longest}
	for i, node := range v.nodes {
		length, start := node.length(), int(v.offsets[i])
		if length <= maxShort {
			continue
		}
		hash := hashLong(v.bytes, start, start+length)
		at := t.first(hash)
		for *t.at(at) != 0 {
			at++
		}
		*t.at(at) = longToken(i) | longToken(length)<<lengthAt | longToken(start)<<offsetAt | longToken(hash)<<hashAt
	}
	return t
}

// hashLong is of the length and of both ends, which are all there is of most tokens.
func hashLong(text string, start, end int) uint64 {
	first, last := load64(text[start:]), load64(text[end-8:])
	hash := (first ^ uint64(end-start)) * golden
	hash = (hash ^ hash>>32 ^ last) * golden
	return hash ^ hash>>32
}

// rank returns the rank of text[start:end].
func (t *longTokens) rank(v *vocabulary, text string, start, end int) (uint32, bool) {
	length := end - start
	if length > t.longest {
		return 0, false
	}
	hash := hashLong(text, start, end)
	wanted := longToken(length)<<lengthAt | longToken(hash)<<hashAt
	const offsets = 1<<offsetBits - 1
	for at := t.first(hash); ; at++ {
		slot := *t.at(at)
		if slot == 0 {
			return 0, false
		}
		if slot&^(none|offsets<<offsetAt) == wanted {
			if bytes := int(slot >> offsetAt & offsets); v.bytes[bytes:bytes+length] == text[start:end] {
				return uint32(slot & none), true
			}
		}
	}
}
