// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Written the way tiktoken publishes them, the vocabularies have the hashes that its openai_public.py expects.
func TestVocabulariesAreThePublishedOnes(t *testing.T) {
	for encoding, published := range map[Encoding]string{
		O200kBase:    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
		O200kHarmony: "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
		Cl100kBase:   "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
		P50kBase:     "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
		P50kEdit:     "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
		R50kBase:     "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
	} {
		v := vocabularyOf(t, encoding)
		file := sha256.New()
		for rank, node := range v.nodes {
			if node.length() > 0 {
				fmt.Fprintf(file, "%s %d\n", base64.StdEncoding.EncodeToString([]byte(v.token(uint32(rank)))), rank)
			}
		}
		require.Equal(t, published, hex.EncodeToString(file.Sum(nil)), encoding)
	}
}

// What merge takes for granted: each token is made by merges of lower ranks, the last of which is the one that is recorded.
func TestEveryTokenIsMadeByItsMerges(t *testing.T) {
	for _, encoding := range []Encoding{O200kBase, Cl100kBase, P50kBase, R50kBase} {
		v := vocabularyOf(t, encoding)
		for i, node := range v.nodes {
			if node == 0 {
				continue
			}
			rank := uint32(i)
			token := v.token(rank)
			found, ok := v.rank(token, 0, len(token))
			if !ok || found != rank {
				require.Equal(t, rank, found, "looking up %q", token)
			}
			if made := mergeByRank(v, token); len(made) != 1 || made[0] != rank {
				require.Equal(t, []uint32{rank}, made, "merging %q", token)
			}
			if rank < singles {
				continue
			}
			if node.left() >= rank || node.right() >= rank || v.merged(node.left(), node.right()) != rank {
				require.Fail(t, "merge of higher ranks", "%q", token)
			}
			if !v.borders.crossed(token, v.nodes[node.left()].length()) {
				require.Fail(t, "merge across a border", "%q", token)
			}
		}
	}
}

func vocabularyOf(tb testing.TB, encoding Encoding) *vocabulary {
	tb.Helper()
	tokenizer, err := Get(encoding)
	require.NoError(tb, err)
	return tokenizer.vocabulary
}
