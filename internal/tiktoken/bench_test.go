// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func BenchmarkCount(b *testing.B) {
	for _, encoding := range []Encoding{O200kBase, Cl100kBase, R50kBase} {
		tokenizer, err := Get(encoding)
		if err != nil {
			b.Fatal(err)
		}
		for name, text := range hostile(100_000) {
			b.Run(string(encoding)+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					tokenizer.Count(text)
				}
			})
		}
	}
}

func hostile(size int) map[string]string {
	random := rand.New(rand.NewPCG(1, 2))
	letters := make([]byte, size)
	for i := range letters {
		letters[i] = byte('a' + random.IntN(26))
	}
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	return map[string]string{
		"letter":  fill("a"),
		"space":   fill(" "),
		"punct":   fill("="),
		"random":  string(letters),
		"newline": fill("\n "),
		"emoji":   fill("😀"),
		"prose":   fill("The committee met on Tuesday to discuss the proposal, and nobody could agree on what had been decided. "),
		"chinese": fill("委员会星期二开会讨论这项提案，但没有人能就已经决定的事情达成一致。"),
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		newVocabulary(o200kMerges, 0)
	}
}
