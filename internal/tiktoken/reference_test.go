// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import "container/heap"

// mergeByRank is tiktoken's rule as it stands: begin with single bytes, and of all neighbours that make a token merge those
// that make the one of the lowest rank, the leftmost of several, until there are none.
func mergeByRank(v *vocabulary, piece string) []uint32 {
	// A part begins at its index and ends where the next one begins.
	next, previous := make([]int, len(piece)+1), make([]int, len(piece)+1)
	for i := range next {
		next[i], previous[i] = i+1, i-1
	}
	var candidates candidates
	offer := func(left int) {
		if left < 0 || next[left] >= len(piece) {
			return
		}
		end := next[next[left]]
		if rank, ok := v.rank(piece, left, end); ok {
			heap.Push(&candidates, candidate{rank, left, next[left], end})
		}
	}
	for i := range len(piece) {
		offer(i)
	}
	gone := make([]bool, len(piece)+1)
	for len(candidates) > 0 {
		c := heap.Pop(&candidates).(candidate)
		if gone[c.left] || gone[c.right] || next[c.left] != c.right || next[c.right] != c.end {
			continue
		}
		gone[c.right] = true
		next[c.left] = c.end
		previous[c.end] = c.left
		offer(previous[c.left])
		offer(c.left)
	}
	var tokens []uint32
	for i := 0; i < len(piece); i = next[i] {
		rank, _ := v.rank(piece, i, next[i])
		tokens = append(tokens, rank)
	}
	return tokens
}

// candidate is a merge of the parts from left to right and from right to end.
type candidate struct {
	rank             uint32
	left, right, end int
}

type candidates []candidate

func (c candidates) Len() int { return len(c) }

func (c candidates) Less(i, j int) bool {
	return c[i].rank < c[j].rank || c[i].rank == c[j].rank && c[i].left < c[j].left
}

func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }

func (c *candidates) Push(x any) { *c = append(*c, x.(candidate)) }

func (c *candidates) Pop() any {
	last := len(*c) - 1
	x := (*c)[last]
	*c = (*c)[:last]
	return x
}
