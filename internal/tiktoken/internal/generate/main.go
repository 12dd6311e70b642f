// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command generate writes the embedded vocabularies of package tiktoken into the working directory.
//
// A tiktoken vocabulary is a list of byte strings by rank. Each string of more than one byte is made by one merge of two
// strings of lower rank, so the list of merges says the same in a third of the space, needs no decompression, and is what
// the counting needs anyway. A file has
//
//   - the number of ranks, four bytes, little endian;
//   - the bytes of the 256 ranks that are single bytes, which come first;
//   - for each other rank the left and the right half of its merge, as ranks of as many bits as the highest rank needs, the
//     lowest bit first. A rank whose halves are the rank itself has no string: it belongs to a special token;
//   - some zeros, so that eight bytes can be read from wherever a merge begins.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"math"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"github.com/pkoukk/tiktoken-go-loader/assets"
)

// The hashes that tiktoken's openai_public.py expects of the files it downloads.
var published = map[string]string{
	"o200k_base":  "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
	"cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
	"p50k_base":   "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
}

func main() {
	for name, hash := range published {
		if err := generate(name, hash); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
	}
}

func generate(name, hash string) error {
	file, err := assets.Assets.ReadFile(name + ".tiktoken")
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != hash {
		return errors.New("not the file that tiktoken publishes")
	}
	vocabulary, err := parse(string(file))
	if err != nil {
		return err
	}
	packed, err := vocabulary.pack()
	if err != nil {
		return err
	}
	return os.WriteFile(name+".merges", packed, 0o644) //nolint:gosec // a source file, for everybody to read
}

// vocabulary has a string for each rank, the empty one where there is none, and the rank of each string.
type vocabulary struct {
	strings []string
	ranks   map[string]int
}

// parse reads lines of a string in base64 and its rank, in the order of their ranks.
func parse(file string) (*vocabulary, error) {
	v := &vocabulary{ranks: make(map[string]int)}
	for line := range strings.Lines(file) {
		encoded, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, err
		}
		rank, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		if rank < len(v.strings) {
			return nil, fmt.Errorf("rank %d is out of order", rank)
		}
		for len(v.strings) < rank {
			v.strings = append(v.strings, "")
		}
		v.strings = append(v.strings, string(decoded))
		v.ranks[string(decoded)] = rank
	}
	return v, nil
}

func (v *vocabulary) pack() ([]byte, error) {
	count := len(v.strings)
	packed := binary.LittleEndian.AppendUint32(nil, uint32(count))
	for _, s := range v.strings[:256] {
		if len(s) != 1 {
			return nil, errors.New("the first 256 ranks are not the bytes")
		}
		packed = append(packed, s[0])
	}

	width := bits.Len(uint(count - 1))
	var pending uint64
	var used int
	write := func(rank int) {
		pending |= uint64(rank) << used
		for used += width; used >= 8; used -= 8 {
			packed = append(packed, byte(pending))
			pending >>= 8
		}
	}
	for i := 256; i < count; i++ {
		left, right := i, i
		if s := v.strings[i]; s != "" {
			cut := v.lastMerge(s)
			left, right = v.ranks[s[:cut]], v.ranks[s[cut:]]
			if cut == 0 || left >= i || right >= i {
				return nil, fmt.Errorf("rank %d, %q, is not a merge of lower ranks", i, s)
			}
		}
		write(left)
		write(right)
	}
	// The bits that are left, and so many more that eight bytes can be read from wherever a merge begins.
	packed = append(packed, byte(pending))
	return append(packed, make([]byte, 8)...), nil
}

// lastMerge returns where s is cut by the last of the merges that make it of single bytes; 0 if they do not.
func (v *vocabulary) lastMerge(s string) int {
	cuts := make([]int, len(s)+1)
	for i := range cuts {
		cuts[i] = i
	}
	for len(cuts) > 3 {
		lowest, at := math.MaxInt, 0
		for i := 1; i+1 < len(cuts); i++ {
			if rank, ok := v.ranks[s[cuts[i-1]:cuts[i+1]]]; ok && rank < lowest {
				lowest, at = rank, i
			}
		}
		if at == 0 {
			return 0
		}
		cuts = append(cuts[:at], cuts[at+1:]...)
	}
	return cuts[1]
}
