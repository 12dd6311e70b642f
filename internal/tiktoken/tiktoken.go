// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package tiktoken counts the tokens of a text as OpenAI's models see it.
//
// Counts are those of Python's tiktoken with encode_ordinary: special tokens in the text are text, so "<|endoftext|>" is
// what a user typed and never a control token, and invalid UTF-8 counts as the replacement characters that Python's
// errors="replace" gives. The vocabularies are part of the program; nothing is ever fetched.
//
// How many tokens a call was billed for also depends on how its messages are framed: package framing.
package tiktoken

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
	"golang.org/x/text/encoding/unicode"
)

// Encoding names a vocabulary and the way text is split before it is looked up there.
type Encoding string

// The encodings of OpenAI's models.
const (
	O200kBase  Encoding = "o200k_base"  // GPT-4o and everything newer
	Cl100kBase Encoding = "cl100k_base" // GPT-3.5, GPT-4, embeddings
	P50kBase   Encoding = "p50k_base"   // code models and text-davinci-002, -003
	R50kBase   Encoding = "r50k_base"   // GPT-3
)

// ErrTooSlow is returned for text that cannot be counted in bounded time.
var ErrTooSlow = errors.New("text would take too long to count")

// patterns split text into pieces, from tiktoken's openai_public.py. Where tiktoken writes possessive quantifiers these
// do not; the pieces are the same.
var patterns = map[Encoding]string{
	O200kBase: strings.Join([]string{
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?`,
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?`,
		`\p{N}{1,3}`,
		` ?[^\s\p{L}\p{N}]+[\r\n/]*`,
		`\s*[\r\n]+`,
		`\s+(?!\S)`,
		`\s+`,
	}, "|"),
	Cl100kBase: strings.Join([]string{
		`(?i:'s|'t|'re|'ve|'m|'ll|'d)`,
		`[^\r\n\p{L}\p{N}]?\p{L}+`,
		`\p{N}{1,3}`,
		` ?[^\s\p{L}\p{N}]+[\r\n]*`,
		`\s*[\r\n]+`,
		`\s+(?!\S)`,
		`\s+`,
	}, "|"),
	P50kBase: gpt2Pattern,
	R50kBase: gpt2Pattern,
}

const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// tokenizers holds one Tokenizer per encoding, built when it is first asked for: that takes 40 to 200 ms and keeps 10 to
// 25 MB.
var tokenizers = func() map[Encoding]func() (*Tokenizer, error) {
	all := make(map[Encoding]func() (*Tokenizer, error), len(patterns))
	for name, pattern := range patterns {
		all[name] = sync.OnceValues(func() (*Tokenizer, error) { return load(name, pattern) })
	}
	return all
}()

// Encodings are the known encodings in alphabetical order.
func Encodings() []Encoding {
	return slices.Sorted(maps.Keys(patterns))
}

// Get returns the Tokenizer of an encoding, the same one each time.
func Get(name Encoding) (*Tokenizer, error) {
	get, ok := tokenizers[name]
	if !ok {
		return nil, fmt.Errorf("unknown encoding %q", string(name))
	}
	return get()
}

func load(name Encoding, pattern string) (*Tokenizer, error) {
	ranks, err := loader.NewOfflineLoader().LoadTiktokenBpe(string(name) + ".tiktoken")
	if err != nil {
		return nil, fmt.Errorf("loading the vocabulary of %s: %w", name, err)
	}
	bpe, err := tiktoken.NewCoreBPE(ranks, nil, pattern)
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", name, err)
	}
	return &Tokenizer{bpe: tiktoken.NewTiktoken(bpe, nil, nil)}, nil
}

// Tokenizer counts tokens in one encoding. It is safe for concurrent use.
type Tokenizer struct {
	bpe *tiktoken.Tiktoken
}

// Count returns the number of tokens of text, or ErrTooSlow, without having tried, where the text is longer than 1 MiB or
// has runs of unbroken letters, digits, or punctuation and white space that are too long or too many. Ordinary text has
// none: a run of 2 KiB is accepted.
func (t *Tokenizer) Count(text string) (int, error) {
	if len(text) > maxText {
		return 0, ErrTooSlow
	}
	text, err := unicode.UTF8.NewDecoder().String(text)
	if err != nil {
		return 0, fmt.Errorf("replacing invalid UTF-8: %w", err)
	}
	if tooSlow(text) {
		return 0, ErrTooSlow
	}
	return len(t.bpe.EncodeOrdinary(text)), nil
}
