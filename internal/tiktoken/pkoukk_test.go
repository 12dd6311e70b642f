// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	pkoukk "github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// FuzzAgainstPkoukk compares with github.com/pkoukk/tiktoken-go, where that is right: it takes Go's character classes, which
// are of an older Unicode version, and time by the square of a piece's length.
func FuzzAgainstPkoukk(f *testing.F) {
	for _, seed := range []string{"", "2 + 2 = 4", "<|endoftext|>", "'ſ e\u0301\r\n \t x", "İt'S 中ABC def", "  \n \n\n  x", "Ǆa ʰA Ⅷ²"} {
		f.Add(seed)
	}
	encodings := []tiktoken.Encoding{tiktoken.O200kBase, tiktoken.Cl100kBase, tiktoken.P50kBase, tiktoken.P50kEdit, tiktoken.R50kBase}
	oracles := make([]*pkoukk.Tiktoken, len(encodings))
	pkoukk.SetBpeLoader(loader.NewOfflineLoader())
	for i, encoding := range encodings {
		oracle, err := pkoukk.GetEncoding(string(encoding))
		require.NoError(f, err)
		oracles[i] = oracle
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1_000 || !utf8.ValidString(text) || strings.ContainsFunc(text, isUnassigned) {
			return
		}
		for i, encoding := range encodings {
			var want []uint32
			for _, token := range oracles[i].EncodeOrdinary(text) {
				want = append(want, uint32(token))
			}
			require.Equal(t, want, get(t, encoding).Encode(text), "%s of %+q", encoding, text)
		}
	})
}

func isUnassigned(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.C)
}
