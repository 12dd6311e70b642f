// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

// pairs finds the token that two tokens merge into. Most pairs do not merge. A Bloom filter, which is small enough to stay close
// to the processor, says so of nearly all of them.
type pairs struct {
	filter table[uint64] // with two bits for each pair, in the same word
	merged table[uint32] // the rank of what a pair merges into, and above it a part of the pair's hash; 0 in a free slot
}

func newPairs(v *vocabulary) pairs {
	p := pairs{newTable[uint64](len(v.nodes), 800), newTable[uint32](len(v.nodes), 50)}
	for i, node := range v.nodes {
		if i < singles || node == 0 {
			continue
		}
		hash := hashPair(node.left(), node.right())
		*p.filter.at(p.filter.first(hash)) |= 1<<(hash>>40&63) | 1<<(hash>>34&63)
		at := p.merged.first(hash)
		for *p.merged.at(at) != 0 {
			at++
		}
		*p.merged.at(at) = uint32(i) | uint32(hash>>16)<<rankBits
	}
	return p
}

func hashPair(left, right uint32) uint64 {
	return (uint64(left)<<rankBits | uint64(right)) * golden
}

// mayHave is false for most pairs that do not merge.
func (p *pairs) mayHave(hash uint64) bool {
	word := *p.filter.at(p.filter.first(hash))
	return word>>(hash>>40&63)&(word>>(hash>>34&63))&1 != 0
}

// merged returns the rank of the token that two tokens merge into, none if there is no such token.
func (v *vocabulary) merged(left, right uint32) uint32 {
	p, hash := &v.pairs, hashPair(left, right)
	if !p.mayHave(hash) {
		return none
	}
	for at := p.merged.first(hash); ; at++ {
		slot := *p.merged.at(at)
		if slot == 0 {
			return none
		}
		if rank := slot & none; slot == rank|uint32(hash>>16)<<rankBits {
			if node := v.nodes[rank]; node.left() == left && node.right() == right {
				return rank
			}
		}
	}
}
