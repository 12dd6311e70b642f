// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Encoding names a vocabulary and the way text is split before it is looked up there.
type Encoding string

// The encodings of OpenAI's models.
const (
	O200kBase    Encoding = "o200k_base"    // GPT-4o and everything newer
	O200kHarmony Encoding = "o200k_harmony" // gpt-oss; o200k_base with other special tokens
	Cl100kBase   Encoding = "cl100k_base"   // GPT-3.5, GPT-4, embeddings
	P50kBase     Encoding = "p50k_base"     // code models and text-davinci-002, -003
	P50kEdit     Encoding = "p50k_edit"     // text-davinci-edit-001; p50k_base with other special tokens
	R50kBase     Encoding = "r50k_base"     // GPT-3
)

// The vocabularies, written by ./internal/generate.
//
//go:generate go run ./internal/generate
var (
	//go:embed o200k_base.merges
	o200kMerges string
	//go:embed cl100k_base.merges
	cl100kMerges string
	//go:embed p50k_base.merges
	p50kMerges string
)

// r50kRanks is how many ranks r50k_base has; those of p50k_base begin with the same.
const r50kRanks = 50256

var tokenizers = func() map[Encoding]func() *Tokenizer {
	o200k := sync.OnceValue(func() *Tokenizer { return &Tokenizer{newVocabulary(o200kMerges, 0), nextO200k} })
	cl100k := sync.OnceValue(func() *Tokenizer { return &Tokenizer{newVocabulary(cl100kMerges, 0), nextCl100k} })
	p50k := sync.OnceValue(func() *Tokenizer { return &Tokenizer{newVocabulary(p50kMerges, 0), nextR50k} })
	r50k := sync.OnceValue(func() *Tokenizer { return &Tokenizer{newVocabulary(p50kMerges, r50kRanks), nextR50k} })
	return map[Encoding]func() *Tokenizer{
		O200kBase:    o200k,
		O200kHarmony: o200k,
		Cl100kBase:   cl100k,
		P50kBase:     p50k,
		P50kEdit:     p50k,
		R50kBase:     r50k,
	}
}()

// Encodings are the known encodings in alphabetical order.
func Encodings() []Encoding {
	return slices.Sorted(maps.Keys(tokenizers))
}

// Get returns the Tokenizer of an encoding, the same one each time. The first call for an encoding unpacks its vocabulary;
// an error means that there is no such encoding.
func Get(name Encoding) (*Tokenizer, error) {
	get, ok := tokenizers[name]
	if !ok {
		return nil, fmt.Errorf("unknown encoding %q", string(name))
	}
	return get(), nil
}

// Tokenizer turns text into tokens of one encoding. It is safe for concurrent use. Get one with [Get].
type Tokenizer struct {
	vocabulary *vocabulary
	next       func(text string, start int) int // the end of the piece at start of text, which is valid UTF-8
}

// Count returns the number of tokens of text. It allocates nothing, unless text is invalid UTF-8 or has a piece of more
// than some hundred bytes without a word in it.
func (t *Tokenizer) Count(text string) int {
	text = toValidUTF8(text)
	var buffer [longPiece]uint32
	merged := buffer[:0]
	n := 0
	for start := 0; start < len(text); {
		end := t.next(text, start)
		if _, ok := t.vocabulary.rank(text, start, end); ok {
			n++
		} else {
			merged = t.vocabulary.merge(merged[:0], text, start, end)
			n += len(merged)
		}
		start = end
	}
	return n
}

// Encode returns the tokens of text; nil if it has none. Use Count where only their number matters.
func (t *Tokenizer) Encode(text string) []uint32 {
	text = toValidUTF8(text)
	var tokens []uint32
	for start := 0; start < len(text); {
		end := t.next(text, start)
		if rank, ok := t.vocabulary.rank(text, start, end); ok {
			tokens = append(tokens, rank)
		} else {
			tokens = t.vocabulary.merge(tokens, text, start, end)
		}
		start = end
	}
	return tokens
}
