// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"encoding/base64"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// texts makes strings that look for a difference.
type texts struct {
	random     *rand.Rand
	vocabulary *vocabulary
	fixtures   []string
	categories []*unicode.RangeTable
	kinds      []func() string
}

func newTexts(seed uint64, v *vocabulary, fixtures []string) *texts {
	t := &texts{random: rand.New(rand.NewPCG(seed, 0)), vocabulary: v, fixtures: fixtures}
	for _, name := range slices.Sorted(maps.Keys(unicode.Categories)) {
		t.categories = append(t.categories, unicode.Categories[name])
	}
	t.kinds = []func() string{
		t.ascii, t.whiteSpace, t.contractions, t.category, t.planes, t.classes, t.tokens, t.tokens, t.mutated, t.mutated,
		t.random64, t.mixed,
	}
	return t
}

func (t *texts) take(n int) []string {
	all := make([]string, n)
	for i := range all {
		if t.random.IntN(500) == 0 {
			all[i] = t.longRun()
		} else {
			all[i] = t.kinds[t.random.IntN(len(t.kinds))]()
		}
	}
	return all
}

// some calls add up to most times.
func (t *texts) some(most int, add func(*strings.Builder)) string {
	var b strings.Builder
	for range t.random.IntN(most + 1) {
		add(&b)
	}
	return b.String()
}

func (t *texts) of(all ...string) string { return all[t.random.IntN(len(all))] }

func (t *texts) ascii() string {
	return t.some(60, func(b *strings.Builder) { b.WriteByte(byte(t.random.IntN(128))) })
}

func (t *texts) whiteSpace() string {
	return t.some(20, func(b *strings.Builder) {
		if t.random.IntN(5) == 0 {
			b.WriteString(t.of("a", "B", "7", "/", "'s", "é", "中", "\u0301", "\u200b", "\ufeff", "\u180e", "😀"))
			return
		}
		white := t.of(" ", " ", " ", "\n", "\n", "\r", "\r\n", "\t", "\v", "\f", "\u0085", "\u00a0", "\u1680", "\u2000", "\u200a",
			"\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\x1c", "\x1f")
		b.WriteString(strings.Repeat(white, 1+t.random.IntN(3)))
	})
}

func (t *texts) contractions() string {
	return t.some(12, func(b *strings.Builder) {
		b.WriteString(t.of("", "", " ", "a", "A", "It", "you", "ſ", "7", "中", "\u0301", "!", "\n", "é"))
		b.WriteString(t.of("'", "'", "'", "’", "''", ""))
		b.WriteString(t.of("s", "S", "t", "T", "d", "D", "m", "M", "re", "Re", "rE", "ve", "VE", "ll", "Ll", "lL", "ſ", "l", "r", "v",
			"x", "ſs", "K"))
	})
}

func (t *texts) category() string {
	return t.some(16, func(b *strings.Builder) {
		table := t.categories[t.random.IntN(len(t.categories))]
		for range 1 + t.random.IntN(3) {
			b.WriteRune(t.rune(table))
		}
		b.WriteString(t.of("", "", "", " ", "a", "Z", "1", "\n"))
	})
}

// rune returns a character of table.
func (t *texts) rune(table *unicode.RangeTable) rune {
	i := t.random.IntN(len(table.R16) + len(table.R32))
	if i < len(table.R16) {
		r := table.R16[i]
		return rune(r.Lo) + rune(r.Stride)*rune(t.random.IntN(int((r.Hi-r.Lo)/r.Stride)+1))
	}
	r := table.R32[i-len(table.R16)]
	return rune(r.Lo) + rune(r.Stride)*rune(t.random.IntN(int((r.Hi-r.Lo)/r.Stride)+1))
}

// planes is characters from everywhere, assigned or not; surrogates become U+FFFD.
func (t *texts) planes() string {
	block := rune(t.random.IntN(0x1100)) << 8
	return t.some(16, func(b *strings.Builder) {
		switch t.random.IntN(3) {
		case 0:
			b.WriteRune(rune(t.random.IntN(0x110000)))
		case 1:
			b.WriteRune(block + rune(t.random.IntN(256)))
		default:
			b.WriteString(t.of(" ", "a", "A", "1", ".", "\n", "'s"))
		}
	})
}

// classes is few characters of each class in every order.
func (t *texts) classes() string {
	return t.some(14, func(b *strings.Builder) {
		b.WriteString(t.of("A", "É", "ǅ", "a", "ß", "ª", "ʰ", "中", "あ", "\u0301", "\u0903", "\u20dd", "1", "²", "Ⅷ", "٣", " ", "\t", "\u3000",
			"\n", "\r", "/", ".", "_", "€", "😀", "'s", "'LL"))
	})
}

// tokens is often not even valid UTF-8.
func (t *texts) tokens() string {
	return t.some(16, func(b *strings.Builder) { b.WriteString(t.token()) })
}

func (t *texts) token() string {
	return t.vocabulary.token(uint32(t.random.IntN(len(t.vocabulary.nodes))))
}

func (t *texts) mutated() string {
	fixture := t.fixtures[t.random.IntN(len(t.fixtures))]
	start := t.random.IntN(len(fixture))
	text := []byte(fixture[start:min(len(fixture), start+1+t.random.IntN(200))])
	for range t.random.IntN(8) {
		at := t.random.IntN(len(text))
		switch t.random.IntN(4) {
		case 0:
			text[at] = byte(t.random.IntN(256))
		case 1:
			text = slices.Insert(text, at, []byte(t.token())...)
		case 2:
			text = slices.Insert(text, at, []byte(t.of(" ", "\n", "'s", "é", "中", "\u0301", "\xff", "\xe4\xb8"))...)
		default:
			text = slices.Delete(text, at, at+1)
			text = append(text, 'x')
		}
	}
	return string(text)
}

func (t *texts) random64() string {
	data := make([]byte, t.random.IntN(60))
	for i := range data {
		data[i] = byte(t.random.Uint32())
	}
	if t.random.IntN(4) == 0 {
		return string(data)
	}
	return base64.StdEncoding.EncodeToString(data)
}

func (t *texts) mixed() string {
	return t.kinds[t.random.IntN(len(t.kinds)-1)]() + t.kinds[t.random.IntN(len(t.kinds)-1)]()
}

// longRun is one piece, or a few, of up to some thousand bytes.
func (t *texts) longRun() string {
	length := 1 + t.random.IntN(4_000)
	unit := t.of("a", "A", " ", "\n", "\n ", "=", "-", "_", "0", "é", "中", "的", "😀", "👍🏽", "\u0301", "ab", "abc", "e\u0301", "\t", "/", "ſ", "")
	switch t.random.IntN(4) {
	case 0: // letters without a break
		return t.some(length, func(b *strings.Builder) { b.WriteByte(byte('a' + t.random.IntN(26))) })
	case 1: // few letters, so that many merges are of one rank
		return t.some(length, func(b *strings.Builder) { b.WriteByte(byte('a' + t.random.IntN(3))) })
	case 2: // symbols
		return t.some(length/4, func(b *strings.Builder) { b.WriteRune(0x1f300 + rune(t.random.IntN(0x300))) })
	default:
		return t.of("", "", "x", " ") + strings.Repeat(unit, length/max(1, len(unit))) + t.of("", "", "x", "\n")
	}
}

// readFixtures returns the text of this module's documents and test data.
func readFixtures(t *testing.T) []string {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	var all []string
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "_build") {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.Contains([]string{".md", ".json", ".yaml", ".txt", ".sse", ".py"}, filepath.Ext(name)) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && len(text) > 0 {
			all = append(all, string(text))
		}
		return err
	}))
	require.NotEmpty(t, all)
	return all
}
