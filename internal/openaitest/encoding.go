// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go"
	tiktokenloader "github.com/pkoukk/tiktoken-go-loader"
)

// The encodings of the known models. Their split patterns are those of openai_public.py in openai/tiktoken. The product
// counts with its own code; this package uses another library so that a comparison of the two means something.
var (
	o200k = newEncoding("o200k_base.tiktoken",
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?`+
			`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?`+
			`|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`)
	cl100k = newEncoding("cl100k_base.tiktoken",
		`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`)
)

// encoding is a tokenizer, loaded on first use (a few hundred milliseconds) and then shared.
type encoding struct {
	load func() *tiktoken.Tiktoken
}

// newEncoding does without tiktoken.GetEncoding, which needs a process-wide loader and builds its tables anew each time.
// The vocabulary is compiled in, so a failure to load it is a broken build.
func newEncoding(vocabulary, pattern string) *encoding {
	return &encoding{load: sync.OnceValue(func() *tiktoken.Tiktoken {
		ranks, err := tiktokenloader.NewOfflineLoader().LoadTiktokenBpe(vocabulary)
		if err != nil {
			panic(fmt.Sprintf("loading %s: %v", vocabulary, err))
		}
		bpe, err := tiktoken.NewCoreBPE(ranks, nil, pattern)
		if err != nil {
			panic(fmt.Sprintf("building %s: %v", vocabulary, err))
		}
		return tiktoken.NewTiktoken(bpe, &tiktoken.Encoding{}, nil)
	})}
}

// count returns the number of tokens of a text; special tokens in it are ordinary text.
func (e *encoding) count(text string) int {
	if text == "" {
		return 0
	}
	return len(e.load().EncodeOrdinary(text))
}

// split cuts a text into its tokens, keeping together those that share a character, as the chunks of a stream do.
func (e *encoding) split(text string) []string {
	if text == "" {
		return nil
	}
	var pieces []string
	piece := ""
	for _, token := range e.load().EncodeOrdinary(text) {
		piece += e.load().Decode([]int{token})
		if utf8.ValidString(piece) {
			pieces, piece = append(pieces, piece), ""
		}
	}
	return pieces
}
