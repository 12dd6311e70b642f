// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each takes milliseconds; with a merge that takes time by the square of a piece's length it would take seconds. How long a
// megabyte takes, make bench-tiktoken measures.
func TestLongPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := make([]byte, 100_000)
	for i := range letters {
		letters[i] = byte('a' + random.IntN(26))
	}
	for name, text := range map[string]string{
		"letter":                  strings.Repeat("a", 100_000),
		"capital letter":          strings.Repeat("A", 100_000),
		"random letters":          string(letters),
		"space":                   strings.Repeat(" ", 100_000),
		"space before text":       strings.Repeat(" ", 100_000) + "x",
		"newline and space":       strings.Repeat("\n ", 50_000),
		"punctuation":             strings.Repeat("=", 100_000),
		"punctuation and newline": strings.Repeat("=\n", 50_000),
		"emoji":                   strings.Repeat("😀", 25_000),
		"marks":                   strings.Repeat("\u0301", 50_000),
		"letters and marks":       strings.Repeat("e\u0301", 33_333),
		"letters of two kinds":    strings.Repeat("中A", 25_000),
		"han":                     strings.Repeat("中", 33_333),
		"digits":                  strings.Repeat("7", 100_000),
		"invalid UTF-8":           strings.Repeat("\xff", 33_333),
	} {
		t.Run(name, func(t *testing.T) {
			for _, encoding := range []Encoding{O200kBase, Cl100kBase, P50kBase, R50kBase} {
				tokenizer, err := Get(encoding)
				require.NoError(t, err)
				tokens := tokenizer.Encode(text)
				require.Len(t, tokens, tokenizer.Count(text), encoding)
				var bytes []byte
				for _, token := range tokens {
					bytes = append(bytes, tokenizer.vocabulary.token(token)...)
				}
				if string(bytes) != toValidUTF8(text) {
					require.Fail(t, "the tokens do not make the text", encoding)
				}
			}
		})
	}
}

func TestCountDoesNotAllocate(t *testing.T) {
	text := "Die Kommission tagte am Dienstag; niemand wusste, was beschlossen war. 委员会星期二开会讨论这项提案。 " +
		"func (p *tokenProcessor) count(text string) int { return p.tokenizer.Count(text) } 😀👍🏽 It's 12345.67 €\r\n\r\n" +
		strings.Repeat("🪿", (longPiece-1)/4)
	for _, encoding := range Encodings() {
		tokenizer, err := Get(encoding)
		require.NoError(t, err)
		require.Zero(t, testing.AllocsPerRun(10, func() { tokenizer.Count(text) }), encoding)
	}
}

// FuzzMerge compares merge with the rule it stands for, on text without any split.
func FuzzMerge(f *testing.F) {
	for _, seed := range []string{"antidisestablishmentarianism", strings.Repeat("=", 300), strings.Repeat("\n ", 200), "委员会😀\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" {
			return
		}
		for _, encoding := range []Encoding{O200kBase, Cl100kBase, P50kBase, R50kBase} {
			v := vocabularyOf(t, encoding)
			want := mergeByRank(v, text)
			require.Equal(t, want, v.merge(nil, text, 0, len(text)), encoding)
			require.Equal(t, want, v.mergeLong(nil, text, 0, len(text)), encoding)
			if len(text) < longPiece {
				require.Equal(t, want, v.mergeMedium(nil, text, 0, len(text)), encoding)
			}
		}
	})
}
