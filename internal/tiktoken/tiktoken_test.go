// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

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
		require.Equal(t, test.want, get(t, test.encoding).Count(test.text), "%s of %q", test.encoding, test.text)
	}
}

func TestEncodeMatchesPublishedTokens(t *testing.T) {
	require.Equal(t, []uint32{31373, 995}, get(t, tiktoken.R50kBase).Encode("hello world"))
	require.Equal(t, []uint32{15339, 1917}, get(t, tiktoken.Cl100kBase).Encode("hello world"))
	require.Equal(t, []uint32{83, 1609, 5963, 374, 2294, 0}, get(t, tiktoken.Cl100kBase).Encode("tiktoken is great!"))
	require.Nil(t, get(t, tiktoken.O200kBase).Encode(""))
}

func TestSpecialTokensAreText(t *testing.T) {
	require.Equal(t, 7, get(t, tiktoken.O200kBase).Count("<|endoftext|>"))
	for _, encoding := range tiktoken.Encodings() {
		require.Greater(t, get(t, encoding).Count("<|endoftext|><|fim_prefix|><|im_start|>"), 3, encoding)
	}
}

// The right side is what Python's bytes.decode("utf-8", "replace") makes of the left.
func TestInvalidUTF8CountsAsPythonReplacesIt(t *testing.T) {
	for invalid, replaced := range map[string]string{
		"a\xffb":              "a\ufffdb",
		"\xf0\x9f\x98":        "\ufffd",                    // a truncated emoji
		"\xf0\x9f\x98\xf0":    "\ufffd\ufffd",              // two truncated ones
		"\xe4\xb8":            "\ufffd",                    // a truncated Han character
		"\xe4a":               "\ufffda",                   // its first byte
		"\xed\xa0\x80":        "\ufffd\ufffd\ufffd",        // a surrogate
		"\xe0\x80\xaf":        "\ufffd\ufffd\ufffd",        // an overlong slash
		"\xc0\xaf":            "\ufffd\ufffd",              // a shorter one
		"\xf0\x80\x80\xaf":    "\ufffd\ufffd\ufffd\ufffd",  // a longer one
		"\xf4\x90\x80\x80x":   "\ufffd\ufffd\ufffd\ufffdx", // above U+10FFFF
		"\xf5\x80":            "\ufffd\ufffd",              // no first byte
		"\xc3":                "\ufffd",
		"\x80":                "\ufffd",
		"\ufeffbom \xffstays": "\ufeffbom \ufffdstays",
	} {
		for _, encoding := range tiktoken.Encodings() {
			tokenizer := get(t, encoding)
			require.Equal(t, tokenizer.Encode(replaced), tokenizer.Encode(invalid), "%s of %q", encoding, invalid)
			require.Equal(t, tokenizer.Count(replaced), tokenizer.Count(invalid), "%s of %q", encoding, invalid)
		}
	}
}

func TestGetOfUnknownEncoding(t *testing.T) {
	_, err := tiktoken.Get("o300k_base")
	require.EqualError(t, err, `unknown encoding "o300k_base"`)
}

func TestGetReturnsTheSameTokenizer(t *testing.T) {
	first := get(t, tiktoken.R50kBase)
	require.Same(t, first, get(t, tiktoken.R50kBase))
	require.Same(t, get(t, tiktoken.O200kBase), get(t, tiktoken.O200kHarmony))
	require.Same(t, get(t, tiktoken.P50kBase), get(t, tiktoken.P50kEdit))
}

func FuzzCount(f *testing.F) {
	for _, seed := range []string{"", "2 + 2 = 4", "<|endoftext|>", "a\xffb", "'ſ e\u0301\r\n \t x", "\U000143a4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		replaced, err := unicode.UTF8.NewDecoder().String(text)
		require.NoError(t, err)
		for _, encoding := range tiktoken.Encodings() {
			tokenizer := get(t, encoding)
			n := tokenizer.Count(text)
			require.Equal(t, text == "", n == 0)
			require.Len(t, tokenizer.Encode(text), n)
			require.Equal(t, tokenizer.Count(replaced), n)
			if utf8.ValidString(text) {
				require.LessOrEqual(t, n, len(text))
			}
		}
	})
}

func get(tb testing.TB, encoding tiktoken.Encoding) *tiktoken.Tokenizer {
	tb.Helper()
	tokenizer, err := tiktoken.Get(encoding)
	require.NoError(tb, err)
	return tokenizer
}
