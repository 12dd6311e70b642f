// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench-tiktoken counts tokens with another Go library than ours, for internal/tiktoken/internal/bench, which says how
// it is asked. The first argument names the library, the second the file of texts.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
	"github.com/tiktoken-go/tokenizer"
)

func main() {
	libraries := map[string]func(encoding string) (func(text string) int, error){"pkoukk": pkoukk, "tokenizer": other}
	counters := make(map[string]func(text string) int)
	for _, encoding := range []string{"o200k_base", "cl100k_base"} {
		count, err := libraries[os.Args[1]](encoding)
		if err != nil {
			log.Fatal(err)
		}
		counters[encoding] = count
	}
	corpora, err := read(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	requests := bufio.NewScanner(os.Stdin)
	for requests.Scan() {
		var encoding string
		var corpus int
		if _, err := fmt.Sscan(requests.Text(), &encoding, &corpus); err != nil {
			log.Fatal(err)
		}
		count, tokens, start := counters[encoding], 0, time.Now()
		for _, text := range corpora[corpus] {
			tokens += count(text)
		}
		fmt.Println(time.Since(start).Nanoseconds(), tokens)
	}
}

func pkoukk(encoding string) (func(text string) int, error) {
	tiktoken.SetBpeLoader(loader.NewOfflineLoader())
	t, err := tiktoken.GetEncoding(encoding)
	if err != nil {
		return nil, err
	}
	return func(text string) int { return len(t.EncodeOrdinary(text)) }, nil
}

func other(encoding string) (func(text string) int, error) {
	t, err := tokenizer.Get(tokenizer.Encoding(encoding))
	if err != nil {
		return nil, err
	}
	return func(text string) int {
		n, err := t.Count(text)
		if err != nil {
			log.Fatal(err)
		}
		return n
	}, nil
}

func read(name string) ([][]string, error) {
	file, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	number := func() int {
		n := binary.LittleEndian.Uint32(file)
		file = file[4:]
		return int(n)
	}
	var corpora [][]string
	for len(file) > 0 {
		texts := make([]string, number())
		for i := range texts {
			n := number()
			texts[i] = string(file[:n])
			file = file[n:]
		}
		corpora = append(corpora, texts)
	}
	return corpora, nil
}
