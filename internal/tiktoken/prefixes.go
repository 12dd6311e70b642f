// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"math/bits"
	"slices"
)

// prefixes says which tokens a text may begin with, so that the longest is found with few look-ups.
//
// Tokens of up to three bytes, as most are that are looked for, are in a trie. A trie of all of them, with 400,000 nodes, would
// take too long to make. Of the longer ones there are the lengths, by a hash of how they begin, which errs on the side of too
// many.
type prefixes struct {
	one   [1 << 8]uint32                  // by a byte, the token
	two   [1 << 16]uint32                 // by two bytes, the longest token in them, and above its rank their row in three
	three [rowStep<<rowBits + 1<<8]uint32 // by row and third byte, the token, and above its rank the row that it is in

	upTo8 table[uint8]  // by the first 4 bytes, and by the first 6, the lengths of tokens: a bit for each from 4 on, and one from 9
	from9 table[uint64] // by the first 8 bytes, the lengths of tokens: a bit for each from 9 on, and one from many
}

// A row has the tokens that begin with two bytes, by the third. As there are few in each, rows lie across each other, rowStep
// slots or more apart. Row 0 has none.
const (
	rowStep = 4
	rowBits = 32 - rankBits
)

// noThree is where no row has a token.
const noThree = ^uint32(0)

const many = 9 + 63 // bytes

func newPrefixes(v *vocabulary) *prefixes {
	p := &prefixes{upTo8: newTable[uint8](len(v.nodes), 25), from9: newTable[uint64](len(v.nodes), 160)}
	var threes []uint64
	for i, node := range v.nodes {
		start, length := int(v.offsets[i]), node.length()
		if length == 0 {
			continue
		}
		word := word64(v.bytes, start, start+min(length, 8))
		switch length {
		case 1:
			p.one[word] = uint32(i)
			for second := range uint64(1 << 8) {
				p.two[word|second<<8] = uint32(i)
			}
		case 2:
			p.two[word] = uint32(i)
		case 3:
			threes = append(threes, (word&0xFFFF<<8|word>>16)<<rankBits|uint64(i))
		default:
			p.addLength(word, length)
		}
	}
	p.addThrees(threes)
	return p
}

// addThrees makes the rows. Each of threes is the first two bytes, the third and the rank.
func (p *prefixes) addThrees(threes []uint64) {
	for i := range p.three {
		p.three[i] = noThree
	}
	slices.Sort(threes)
	row := 0
	slot := func(three uint64) *uint32 { return &p.three[row*rowStep+int(three>>rankBits&0xFF)] }
	taken := func(three uint64) bool { return *slot(three) != noThree }
	for len(threes) > 0 {
		two := threes[0] >> (rankBits + 8)
		n := 1
		for n < len(threes) && threes[n]>>(rankBits+8) == two {
			n++
		}
		row++
		for slices.ContainsFunc(threes[:n], taken) {
			row++
		}
		p.two[two] |= uint32(row) << rankBits
		for _, three := range threes[:n] {
			*slot(three) = uint32(three)&none | uint32(row)<<rankBits
		}
		threes = threes[n:]
	}
}

// addLength is for a token that begins with word.
func (p *prefixes) addLength(word uint64, length int) {
	bit := uint8(1) << (min(length, 9) - 4)
	*p.lengthsUpTo8(word << 32) |= bit
	if length >= 6 {
		*p.lengthsUpTo8(word << 16) |= bit
	}
	if length >= 9 {
		*p.lengthsFrom9(word) |= 1 << (min(length, many) - 9)
	}
}

func (p *prefixes) lengthsUpTo8(begin uint64) *uint8 {
	return p.upTo8.at(p.upTo8.first(begin * golden))
}

func (p *prefixes) lengthsFrom9(begin uint64) *uint64 {
	return p.from9.at(p.from9.first(begin * golden))
}

// longest returns the longest token that text[start:end] begins with.
func (v *vocabulary) longest(text string, start, end int) uint32 {
	p, length := v.prefixes, end-start
	var word uint64
	if start+8 <= len(text) {
		word = load64(text[start:]) // What is behind end is of no account.
	} else {
		word = word64(text, start, end)
	}
	if lengths := *p.lengthsUpTo8(word << 32); lengths != 0 && length >= 4 {
		if lengths >= 1<<(6-4) {
			lengths &= *p.lengthsUpTo8(word << 16) | (1<<(6-4) - 1)
		}
		if lengths >= 1<<(9-4) && length >= 9 {
			if token := v.longestFrom9(word, text, start, end); token != none {
				return token
			}
		}
		for lengths &= 1<<(min(length, 8)-3) - 1; lengths != 0; {
			longest := bits.Len8(lengths) + 3
			if token, ok := v.short.rank(firstBytes(word, longest), longest); ok {
				return token
			}
			lengths &^= 1 << (longest - 4)
		}
	}
	two := p.two[uint16(word)]
	three := p.three[two>>rankBits*rowStep+uint32(byte(word>>16))]
	switch {
	case length >= 3 && two>>rankBits == three>>rankBits:
		return three & none
	case length >= 2:
		return two & none
	}
	return p.one[byte(word)]
}

// longestFrom9 is longest among tokens of 9 bytes and more; none if there is none. text[start:end] is not shorter, and word is
// what it begins with.
func (v *vocabulary) longestFrom9(word uint64, text string, start, end int) uint32 {
	length, lengths := end-start, *v.prefixes.lengthsFrom9(word)
	if length >= many && lengths >= 1<<(many-9) {
		for longest := min(length, v.long.longest); longest >= many; longest-- {
			if token, ok := v.long.rank(v, text, start, start+longest); ok {
				return token
			}
		}
	}
	for lengths &= 1<<(min(length, many-1)-8) - 1; lengths != 0; {
		longest := bits.Len64(lengths) + 8
		if token, ok := v.long.rank(v, text, start, start+longest); ok {
			return token
		}
		lengths &^= 1 << (longest - 9)
	}
	return none
}

// shorter returns the longest token that token, which is at start, begins with; none if it is a single byte.
func (v *vocabulary) shorter(token uint32, text string, start int) uint32 {
	if token < singles {
		return none
	}
	return v.longest(text, start, start+v.nodes[token].length()-1)
}
