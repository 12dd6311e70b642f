// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import "strings"

// ByFamily is a table by model family, such as "gpt-4o" or "o3". A family's name stands for itself and for every name that
// adds to it after a dash, so that "gpt-4" has "gpt-4-0613" in it but neither "gpt-4o" nor "gpt-4.1"; a family that ends in
// a dot has every minor version in it. Of several families that have a model the one with the longest name counts.
type ByFamily[V any] map[string]V

// Lookup returns the entry of the family that model belongs to; false if it belongs to none. The name may be in upper case,
// come with the path of a router ("openai/gpt-4o", "azure/gpt-4o") or Amazon Bedrock's prefixes ("openai.gpt-oss-20b"), be
// that of a fine-tuned model ("ft:gpt-4o-mini-2024-07-18:org::id") and have a tag ("gpt-4o:free").
func (t ByFamily[V]) Lookup(model string) (V, bool) {
	name := strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "ft:"), ":")
	name = withoutPrefixes(name)
	if v, ok := t[name]; ok {
		return v, true
	}
	for i := len(name) - 1; i > 0; i-- {
		var family string
		switch name[i] {
		case '-':
			family = name[:i]
		case '.':
			family = name[:i+1]
		default:
			continue
		}
		if v, ok := t[family]; ok {
			return v, true
		}
	}
	var none V
	return none, false
}

// withoutPrefixes cuts off the words with a dot behind them that a name begins with.
func withoutPrefixes(name string) string {
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.' && i > 0:
			return withoutPrefixes(name[i+1:])
		case c < 'a' || c > 'z':
			return name
		}
	}
	return name
}

// encodings by family, from tiktoken's model.py where it names them. Newer names follow their family: on recorded usage
// GPT-5 to GPT-5.6 count in o200k_base wherever the encodings differ.
var encodings = ByFamily[Encoding]{
	"gpt-6":                O200kBase,
	"gpt-6.":               O200kBase,
	"gpt-5":                O200kBase,
	"gpt-5.":               O200kBase,
	"gpt-4.5":              O200kBase,
	"gpt-4.1":              O200kBase,
	"gpt-4o":               O200kBase,
	"chatgpt-4o":           O200kBase,
	"o1":                   O200kBase,
	"o3":                   O200kBase,
	"o4":                   O200kBase,
	"codex-mini":           O200kBase,
	"computer-use-preview": O200kBase,
	"gpt-audio":            O200kBase,
	"gpt-realtime":         O200kBase,
	"gpt-oss":              O200kHarmony,
	"gpt-4":                Cl100kBase,
	"gpt-3.5":              Cl100kBase,
	"gpt-35":               Cl100kBase, // Azure's spelling of gpt-3.5
	"davinci-002":          Cl100kBase,
	"babbage-002":          Cl100kBase,

	"text-embedding-3":       Cl100kBase,
	"text-embedding-ada-002": Cl100kBase,

	"text-davinci-003":      P50kBase,
	"text-davinci-002":      P50kBase,
	"code-davinci-002":      P50kBase,
	"code-davinci-001":      P50kBase,
	"code-cushman-002":      P50kBase,
	"code-cushman-001":      P50kBase,
	"text-davinci-edit-001": P50kEdit,
	"code-davinci-edit-001": P50kEdit,

	"text-davinci-001": R50kBase,
	"text-curie-001":   R50kBase,
	"text-babbage-001": R50kBase,
	"text-ada-001":     R50kBase,
	"davinci":          R50kBase,
	"curie":            R50kBase,
	"babbage":          R50kBase,
	"ada":              R50kBase,
}

// ForModel returns the encoding of an OpenAI model, by any name that [ByFamily.Lookup] understands; false for a model that
// is not known to be one. There is no default: the wrong encoding miscounts some languages by a third.
func ForModel(model string) (Encoding, bool) {
	return encodings.Lookup(model)
}
