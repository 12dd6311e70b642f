// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The text is every token, each with another behind it, cut off anywhere, and at its end or not.
func TestLongestIsTheLongestTokenThatTextBeginsWith(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, encoding := range []Encoding{O200kBase, Cl100kBase, P50kBase, R50kBase} {
		v := vocabularyOf(t, encoding)
		for i := range v.nodes {
			text := v.token(uint32(i)) + v.token(random.Uint32N(uint32(len(v.nodes)))) + "x"
			end := 1 + random.IntN(len(text))
			if random.IntN(4) == 0 {
				text = text[:end]
			}
			want := uint32(none)
			for length := min(end, v.long.longest); want == none; length-- {
				if rank, ok := v.rank(text, 0, length); ok {
					want = rank
				}
			}
			if got := v.longest(text, 0, end); got != want {
				require.Equal(t, want, got, "%s of %q, %d bytes", encoding, text, end)
			}
		}
	}
}
