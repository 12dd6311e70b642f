// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import "math/bits"

// The tables are open-addressed: a key that finds its slot taken goes into the next free one. Three in four tokens are
// short, and words that are frequent have both a low rank and a short way to go.

// Multipliers for hashing: the fractional parts of the golden ratio and of the square root of 2.
const (
	golden = 0x9E3779B97F4A7C15
	silver = 0x6A09E667F3BCC909
)

// shift returns by how much to shift a 64-bit hash for a table with room for n keys, at most load percent of it full.
func shift(n, load int) int {
	return 64 - bits.Len(uint(n*100/load))
}

// maxShort is the number of bytes that fit into a machine word.
const maxShort = 8

// shortTokens finds tokens of at most 8 bytes.
type shortTokens struct {
	slots []shortToken
	shift int
}

type shortToken struct {
	key   uint64 // the bytes, the first one lowest
	value uint32 // the rank, and in the lowest 4 bits the length, which is 0 in a free slot
}

func newShortTokens(v *vocabulary) shortTokens {
	n := 0
	for _, length := range v.lengths {
		if length <= maxShort {
			n++
		}
	}
	t := shortTokens{shift: shift(n, 75)}
	t.slots = make([]shortToken, 1<<(64-t.shift))
	for i, length := range v.lengths {
		if length == 0 || length > maxShort {
			continue
		}
		token := v.token(uint32(i))
		key := word64(string(token), 0, len(token))
		at := t.first(key, len(token))
		for t.slots[at].value != 0 {
			at = (at + 1) % uint64(len(t.slots))
		}
		t.slots[at] = shortToken{key, uint32(i)<<4 | uint32(length)}
	}
	return t
}

func (t *shortTokens) first(key uint64, length int) uint64 {
	high, low := bits.Mul64(key^uint64(length)*silver, golden)
	return (high ^ low) >> t.shift
}

func (t *shortTokens) rank(text string, start, end int) (uint32, bool) {
	length := end - start
	key := word64(text, start, end)
	mask := uint64(len(t.slots) - 1)
	for at := t.first(key, length); ; at++ {
		slot := &t.slots[at&mask]
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
		return load64(text[start:]) & (^uint64(0) >> (64 - 8*uint(end-start)))
	}
	var n uint64
	for i := end - 1; i >= start; i-- {
		n = n<<8 | uint64(text[i])
	}
	return n
}

// load64 is a single load where the machine has one.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// longTokens finds tokens of more than 8 bytes.
type longTokens struct {
	slots   []uint32 // the rank, or none
	shift   int
	longest int // token
}

func newLongTokens(v *vocabulary) longTokens {
	n := 0
	for _, length := range v.lengths {
		if length > maxShort {
			n++
		}
	}
	t := longTokens{shift: shift(n, 50)}
	t.slots = make([]uint32, 1<<(64-t.shift))
	for i := range t.slots {
		t.slots[i] = none
	}
	for i, length := range v.lengths {
		if length <= maxShort {
			continue
		}
		t.longest = max(t.longest, int(length))
		at := t.first(string(v.token(uint32(i))))
		for t.slots[at] != none {
			at = (at + 1) % uint64(len(t.slots))
		}
		t.slots[at] = uint32(i)
	}
	return t
}

// first is the first slot for a token of more than 8 bytes.
func (t *longTokens) first(s string) uint64 {
	hash := uint64(len(s)) * silver
	for i := 0; i+8 < len(s); i += 8 {
		high, low := bits.Mul64(hash^load64(s[i:]), golden)
		hash = high ^ low
	}
	high, low := bits.Mul64(hash^load64(s[len(s)-8:]), golden)
	return (high ^ low) >> t.shift
}

func (t *longTokens) rank(v *vocabulary, s string) (uint32, bool) {
	if len(s) > t.longest {
		return 0, false
	}
	mask := uint64(len(t.slots) - 1)
	for at := t.first(s); ; at++ {
		rank := t.slots[at&mask]
		if rank == none {
			return 0, false
		}
		if int(v.lengths[rank]) == len(s) && string(v.token(rank)) == s {
			return rank, true
		}
	}
}

// rankBits is how many bits a rank may have, so that two of them and a third fit into a machine word.
const rankBits = 18

// pairs finds the token that two tokens merge into.
type pairs struct {
	slots []uint64 // the left, the right and the merged rank; 0 in a free slot
	shift int
}

func newPairs(merges []merge) pairs {
	p := pairs{shift: shift(len(merges), 50)}
	p.slots = make([]uint64, 1<<(64-p.shift))
	for i := range merges {
		if m := merges[i]; m.left != uint32(i) {
			key := uint64(m.left)<<rankBits | uint64(m.right)
			at := key * golden >> p.shift
			for p.slots[at] != 0 {
				at = (at + 1) % uint64(len(p.slots))
			}
			p.slots[at] = key<<rankBits | uint64(i)
		}
	}
	return p
}

// merged returns the rank of the token that two tokens merge into, none if there is no such token.
func (p *pairs) merged(left, right uint32) uint32 {
	key := uint64(left)<<rankBits | uint64(right)
	mask := uint64(len(p.slots) - 1)
	for at := key * golden >> p.shift; ; at++ {
		slot := p.slots[at&mask]
		if slot>>rankBits == key {
			return uint32(slot & (1<<rankBits - 1))
		}
		if slot == 0 {
			return none
		}
	}
}
