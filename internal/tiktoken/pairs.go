// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

// pairs finds the token that two tokens merge into.
type pairs struct {
	table[uint64] // the ranks of the left token, the right one and the merged one; 0 in a free slot
}

func newPairs(v *vocabulary) pairs {
	p := pairs{newTable[uint64](len(v.nodes), 50)}
	for i, node := range v.nodes {
		if i < singles || node == 0 {
			continue
		}
		key := uint64(node.left())<<rankBits | uint64(node.right())
		at := p.first(key * golden)
		for *p.at(at) != 0 {
			at++
		}
		*p.at(at) = key<<rankBits | uint64(i)
	}
	return p
}

// merged returns the rank of the token that two tokens merge into, none if there is no such token.
func (v *vocabulary) merged(left, right uint32) uint32 {
	key := uint64(left)<<rankBits | uint64(right)
	for at := v.pairs.first(key * golden); ; at++ {
		slot := *v.pairs.at(at)
		if slot>>rankBits == key {
			return uint32(slot & none)
		}
		if slot == 0 {
			return none
		}
	}
}
