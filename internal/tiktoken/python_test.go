// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken

import (
	"bufio"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pkoukk/tiktoken-go-loader/assets"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

var (
	stringCount = flag.Int("strings", 50_000, "how many strings per encoding to compare with Python's tiktoken")
	stringSeed  = flag.Uint64("seed", 1, "the seed of the generator that makes them")
)

// Tokens and counts are those of Python's tiktoken, and the fast merge does what tiktoken's rule says.
func TestTokensAreThoseOfPython(t *testing.T) {
	const batch = 1_000
	cache := pythonCache(t)
	fixtures := readFixtures(t)
	for i, encoding := range Encodings() {
		t.Run(string(encoding), func(t *testing.T) {
			t.Parallel()
			python := startPython(t, cache, encoding)
			tokenizer, err := Get(encoding)
			require.NoError(t, err)
			texts := newTexts(*stringSeed+uint64(i)<<32, tokenizer.vocabulary, fixtures)
			var bytes, tokens, long int
			for done := 0; done < *stringCount; done += batch {
				batch := texts.take(min(batch, *stringCount-done))
				for i, want := range python.encode(t, batch) {
					text := batch[i]
					got := tokenizer.Encode(text)
					if !slices.Equal(want, got) {
						require.Equal(t, want, got, "%+q", text)
					}
					if n := tokenizer.Count(text); n != len(want) {
						require.Equal(t, len(want), n, "%+q", text)
					}
					requireMerge(t, tokenizer, text)
					bytes += len(text)
					tokens += len(want)
					if len(text) > 1_000 {
						long++
					}
				}
			}
			t.Logf("%d strings (%d of them over 1000 bytes), %d bytes, %d tokens, seed %d: no difference",
				*stringCount, long, bytes, tokens, *stringSeed)
		})
	}
}

// requireMerge compares merge with the rule it stands for, on every piece of text.
func requireMerge(t *testing.T, tokenizer *Tokenizer, text string) {
	t.Helper()
	text = toValidUTF8(text)
	for start := 0; start < len(text); {
		end := tokenizer.next(text, start)
		piece, v := text[start:end], tokenizer.vocabulary
		want := mergeByRank(v, piece)
		merges := []func([]uint32, string, int, int) []uint32{v.merge, v.mergeLong}
		if len(piece) < longPiece {
			merges = append(merges, v.mergeMedium)
		}
		for _, merge := range merges {
			if got := merge(nil, text, start, end); !slices.Equal(want, got) {
				require.Equal(t, want, got, "merging %+q", piece)
			}
		}
		start = end
	}
}

// pythonCache returns a folder with the vocabularies where tiktoken looks for what it has downloaded before.
func pythonCache(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"o200k_base", "cl100k_base", "p50k_base", "r50k_base"} {
		file, err := assets.Assets.ReadFile(name + ".tiktoken")
		require.NoError(t, err)
		url := sha1.Sum([]byte("https://openaipublic.blob.core.windows.net/encodings/" + name + ".tiktoken"))
		require.NoError(t, os.WriteFile(filepath.Join(folder, hex.EncodeToString(url[:])), file, 0o600))
	}
	return folder
}

// python is a running testdata/oracle.py.
type python struct {
	requests  *bufio.Writer
	responses *bufio.Reader
}

func startPython(t *testing.T, cache string, encoding Encoding) *python {
	t.Helper()
	program, err := testbed.Made(".tools/tiktoken/bin/python", ".tools/tiktoken")
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), program, "testdata/oracle.py", string(encoding))
	command.Env = append(os.Environ(), "TIKTOKEN_CACHE_DIR="+cache)
	command.Stderr = os.Stderr
	requests, err := command.StdinPipe()
	require.NoError(t, err)
	responses, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		requests.Close()
		_ = command.Wait() // killed if the test failed in the middle of a batch
	})
	return &python{bufio.NewWriter(requests), bufio.NewReader(responses)}
}

func (p *python) encode(t *testing.T, texts []string) [][]uint32 {
	t.Helper()
	write := func(n int) {
		require.NoError(t, binary.Write(p.requests, binary.LittleEndian, uint32(n)))
	}
	write(len(texts))
	for _, text := range texts {
		write(len(text))
		_, err := p.requests.WriteString(text)
		require.NoError(t, err)
	}
	require.NoError(t, p.requests.Flush())

	var word [4]byte
	read := func() uint32 {
		_, err := io.ReadFull(p.responses, word[:])
		require.NoError(t, err)
		return binary.LittleEndian.Uint32(word[:])
	}
	all := make([][]uint32, len(texts))
	for i := range all {
		for range read() {
			all[i] = append(all[i], read())
		}
	}
	return all
}
