// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go-loader/assets"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// The hashes that tiktoken's openai_public.py expects of the files it downloads.
func TestVocabulariesAreThePublishedOnes(t *testing.T) {
	published := map[tiktoken.Encoding]string{
		tiktoken.O200kBase:  "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
		tiktoken.Cl100kBase: "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
		tiktoken.P50kBase:   "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
		tiktoken.R50kBase:   "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
	}
	for _, encoding := range tiktoken.Encodings() {
		file, err := assets.Assets.ReadFile(string(encoding) + ".tiktoken")
		require.NoError(t, err)
		sum := sha256.Sum256(file)
		require.Equal(t, published[encoding], hex.EncodeToString(sum[:]), encoding)
	}
	require.Len(t, tiktoken.Encodings(), len(published))
}

// Counts published by OpenAI: the cookbook's "How to count tokens with tiktoken" and tiktoken's own tests.
func TestCountMatchesPublishedCounts(t *testing.T) {
	for _, test := range []struct {
		encoding tiktoken.Encoding
		text     string
		want     int
	}{
		{tiktoken.R50kBase, "antidisestablishmentarianism", 5},
		{tiktoken.P50kBase, "antidisestablishmentarianism", 5},
		{tiktoken.Cl100kBase, "antidisestablishmentarianism", 6},
		{tiktoken.O200kBase, "antidisestablishmentarianism", 6},
		{tiktoken.R50kBase, "2 + 2 = 4", 5},
		{tiktoken.P50kBase, "2 + 2 = 4", 5},
		{tiktoken.Cl100kBase, "2 + 2 = 4", 7},
		{tiktoken.O200kBase, "2 + 2 = 4", 7},
		{tiktoken.R50kBase, "お誕生日おめでとう", 14},
		{tiktoken.P50kBase, "お誕生日おめでとう", 14},
		{tiktoken.Cl100kBase, "お誕生日おめでとう", 9},
		{tiktoken.O200kBase, "お誕生日おめでとう", 8},
		{tiktoken.Cl100kBase, "tiktoken is great!", 6},
		{tiktoken.O200kBase, "tiktoken is great!", 6},

		{tiktoken.R50kBase, "hello world", 2},
		{tiktoken.R50kBase, strings.Repeat("0", 16), 1},
		{tiktoken.R50kBase, strings.Repeat("0", 17), 3},
		{tiktoken.Cl100kBase, "rer", 1},
		{tiktoken.Cl100kBase, "'rer", 2},
		{tiktoken.Cl100kBase, "today\n ", 3},
		{tiktoken.Cl100kBase, "today\n \n", 2},
		{tiktoken.Cl100kBase, "today\n  \n", 2},
		{tiktoken.Cl100kBase, " \u00850", 4},
		{tiktoken.Cl100kBase, "👍", 3},
		{tiktoken.R50kBase, "", 0},
		{tiktoken.O200kBase, "", 0},
	} {
		require.Equal(t, test.want, count(t, test.encoding, test.text), "%s of %q", test.encoding, test.text)
	}
}

func TestSpecialTokensAreText(t *testing.T) {
	require.Equal(t, 7, count(t, tiktoken.O200kBase, "<|endoftext|>"))
	for _, encoding := range tiktoken.Encodings() {
		require.Greater(t, count(t, encoding, "<|endoftext|><|fim_prefix|><|im_start|>"), 3, encoding)
	}
}

// The right side is what Python's bytes.decode("utf-8", "replace") makes of the left.
func TestInvalidUTF8CountsAsPythonReplacesIt(t *testing.T) {
	for invalid, replaced := range map[string]string{
		"a\xffb":            "a\ufffdb",
		"\xf0\x9f\x98":      "\ufffd",                    // a truncated emoji
		"\xf0\x9f\x98\xf0":  "\ufffd\ufffd",              // two truncated ones
		"\xed\xa0\x80":      "\ufffd\ufffd\ufffd",        // a surrogate
		"\xc0\xaf":          "\ufffd\ufffd",              // an overlong slash
		"\xf4\x90\x80\x80x": "\ufffd\ufffd\ufffd\ufffdx", // above U+10FFFF
	} {
		for _, encoding := range tiktoken.Encodings() {
			require.Equal(t, count(t, encoding, replaced), count(t, encoding, invalid), "%s of %q", encoding, invalid)
		}
	}
}

func TestCountRefusesSlowTextQuickly(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := make([]byte, 100_000)
	for i := range letters {
		letters[i] = byte('a' + random.IntN(26))
	}
	for name, text := range map[string]string{
		"letter":            strings.Repeat("a", 100_000),
		"capital":           strings.Repeat("A", 100_000),
		"random letters":    string(letters),
		"space":             strings.Repeat(" ", 100_000),
		"space before text": strings.Repeat(" ", 100_000) + "x",
		"newline and space": strings.Repeat("\n ", 50_000),
		"punctuation":       strings.Repeat("=", 100_000),
		"symbols, newlines": strings.Repeat("=\n", 50_000),
		"emoji":             strings.Repeat("😀", 25_000),
		"marks":             strings.Repeat("\u0301", 50_000),
		"letters and marks": strings.Repeat("e\u0301", 50_000),
		"han":               strings.Repeat("中", 34_000),
		"digits":            strings.Repeat("7", 100_000),
		"invalid UTF-8":     strings.Repeat("\xff", 50_000),
		"too much text":     strings.Repeat("word ", 1<<20/5+1),
		"too many runs":     strings.Repeat(strings.Repeat("a", 2_000)+" ", 500),
	} {
		t.Run(name, func(t *testing.T) {
			for _, encoding := range tiktoken.Encodings() {
				tokenizer := get(t, encoding)
				start := time.Now()
				_, err := tokenizer.Count(text)
				require.ErrorIs(t, err, tiktoken.ErrTooSlow)
				require.Less(t, time.Since(start), time.Second)
			}
		})
	}
}

func TestCountAcceptsLongRuns(t *testing.T) {
	require.Equal(t, 256, count(t, tiktoken.O200kBase, strings.Repeat("a", 2_048)))
	require.Equal(t, 200_000, count(t, tiktoken.O200kBase, strings.Repeat(" word", 200_000)))
}

func TestGetOfUnknownEncoding(t *testing.T) {
	_, err := tiktoken.Get("o300k_base")
	require.EqualError(t, err, `unknown encoding "o300k_base"`)
}

func TestGetReturnsTheSameTokenizer(t *testing.T) {
	first := get(t, tiktoken.R50kBase)
	require.Same(t, first, get(t, tiktoken.R50kBase))
}

func FuzzCount(f *testing.F) {
	for _, seed := range []string{"", "2 + 2 = 4", "<|endoftext|>", "a\xffb", "'ſ e\u0301\r\n \t x", "\U000143a4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, encoding := range tiktoken.Encodings() {
			n, err := get(t, encoding).Count(text)
			if err != nil {
				require.ErrorIs(t, err, tiktoken.ErrTooSlow)
				continue
			}
			require.Equal(t, text == "", n == 0)
			if utf8.ValidString(text) {
				require.LessOrEqual(t, n, len(text))
			}
		}
	})
}

func BenchmarkCount(b *testing.B) {
	const prose = "The committee met on Tuesday to discuss the proposal, and nobody could agree on what had been decided. "
	tokenizer := get(b, tiktoken.O200kBase)
	for name, size := range map[string]int{"1KB": 1 << 10, "4KB": 4 << 10, "64KB": 64 << 10} {
		text := strings.Repeat(prose, size/len(prose)+1)[:size]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tokenizer.Count(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func get(tb testing.TB, encoding tiktoken.Encoding) *tiktoken.Tokenizer {
	tb.Helper()
	tokenizer, err := tiktoken.Get(encoding)
	require.NoError(tb, err)
	return tokenizer
}

func count(tb testing.TB, encoding tiktoken.Encoding, text string) int {
	tb.Helper()
	n, err := get(tb, encoding).Count(text)
	require.NoError(tb, err)
	return n
}
