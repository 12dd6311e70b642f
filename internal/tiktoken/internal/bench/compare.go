// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // tiktoken names the files of its cache by it
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkoukk/tiktoken-go-loader/assets"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// rounds is how often each library counts each corpus. Each time it counts it twice, and the second is what is measured: by then
// the processor has again what the library before it drove out.
const rounds = 15

// command is a library.
type command struct {
	name  string
	words []string
}

// process is a library that runs.
type process struct {
	name      string
	requests  io.WriteCloser
	responses *bufio.Reader
	command   *exec.Cmd
}

// launch starts a library on corpora. Python's finds the vocabularies in cache.
func launch(ctx context.Context, c command, corpora, cache string) (*process, error) {
	p := &process{name: c.name, command: exec.CommandContext(ctx, c.words[0], append(c.words[1:], corpora)...)}
	p.command.Env = append(os.Environ(), "TIKTOKEN_CACHE_DIR="+cache)
	p.command.Stderr = os.Stderr
	requests, err := p.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	responses, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.requests, p.responses = requests, bufio.NewReader(responses)
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return p, nil
}

func (p *process) count(encoding tiktoken.Encoding, corpus int) (time.Duration, int, error) {
	var took time.Duration
	var tokens int
	if _, err := fmt.Fprintln(p.requests, encoding, corpus); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", p.name, err)
	}
	if _, err := fmt.Fscanln(p.responses, &took, &tokens); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", p.name, err)
	}
	return took, tokens, nil
}

// fill writes vocabularies where tiktoken looks for what it has downloaded before.
func fill(cache string) error {
	for _, name := range []string{"o200k_base.tiktoken", "cl100k_base.tiktoken"} {
		file, err := assets.Assets.ReadFile(name)
		if err != nil {
			return err
		}
		url := sha1.Sum([]byte("https://openaipublic.blob.core.windows.net/encodings/" + name)) //nolint:gosec // tiktoken's choice
		if err := os.WriteFile(filepath.Join(cache, hex.EncodeToString(url[:])), file, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// bar is how many times faster than a library ours has to be on what was recorded.
var bar = map[string]float64{"pkoukk/tiktoken-go": 15, "tiktoken-go/tokenizer": 6, "Python tiktoken": 2.5}

const rust = "bpe-openai"

func compare(ctx context.Context, commands []command, corpora []corpus, bars *bars) error {
	folder, err := os.MkdirTemp("", "bench-tiktoken")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "corpora")
	if err := os.WriteFile(file, pack(corpora), 0o600); err != nil {
		return err
	}
	if err := fill(folder); err != nil {
		return err
	}
	var processes []*process
	for _, c := range commands {
		p, err := launch(ctx, c, file, folder)
		if err != nil {
			return err
		}
		processes = append(processes, p)
		defer func() {
			p.requests.Close()
			_ = p.command.Wait() // its work is done
		}()
	}

	fmt.Printf("Median MB/s of %d rounds, one core each; in brackets how many times faster ours was in the median round\n\n", rounds)
	fmt.Print("| encoding | text | KB | tokens |")
	for _, p := range processes {
		fmt.Printf(" %s |", p.name)
	}
	fmt.Println("\n|---|---|" + strings.Repeat("---:|", 2+len(processes)))
	for _, encoding := range []tiktoken.Encoding{tiktoken.O200kBase, tiktoken.Cl100kBase} {
		for i, c := range corpora {
			if err := compareOn(processes, encoding, i, c, bars); err != nil {
				return err
			}
		}
	}
	return nil
}

func compareOn(processes []*process, encoding tiktoken.Encoding, number int, c corpus, bars *bars) error {
	took := make([][]float64, len(processes))
	tokens := make([]int, len(processes))
	for round := range rounds {
		for turn := range processes {
			at := (round + turn) % len(processes)
			if _, _, err := processes[at].count(encoding, number); err != nil {
				return err
			}
			duration, n, err := processes[at].count(encoding, number)
			if err != nil {
				return err
			}
			took[at] = append(took[at], duration.Seconds())
			tokens[at] = n
		}
	}
	fmt.Printf("| %s | %s | %d | %d |", encoding, c.name, c.bytes()/1000, tokens[0])
	for at, p := range processes {
		speeds, ratios := make([]float64, rounds), make([]float64, rounds)
		for round := range rounds {
			speeds[round] = float64(c.bytes()) / 1e6 / took[at][round]
			ratios[round] = took[at][round] / took[0][round]
		}
		if at == 0 {
			fmt.Printf(" %.1f |", median(speeds))
			continue
		}
		ratio, note := median(ratios), ""
		if tokens[at] != tokens[0] {
			note = fmt.Sprintf(", %+d tokens", tokens[at]-tokens[0])
		}
		fmt.Printf(" %.1f (%.1f×%s) |", median(speeds), ratio, note)
		name := fmt.Sprintf("%s, %s, against %s", encoding, c.name, p.name)
		if bar, ok := bar[p.name]; ok && number == 0 {
			bars.atLeast(name, ratio, bar, "×")
		}
		if p.name == rust {
			bars.aim(name, ratio, 1, "×")
		}
	}
	fmt.Println()
	return nil
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// answer is what ours does as one of the commands.
func answer(name string) error {
	file, err := os.ReadFile(name) //nolint:gosec // the file that this program has written
	if err != nil {
		return err
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
	for requests := bufio.NewReader(os.Stdin); ; {
		var encoding tiktoken.Encoding
		var corpus int
		if _, err := fmt.Fscanln(requests, &encoding, &corpus); err != nil {
			return nil //nolint:nilerr // the end
		}
		tokenizer, err := tiktoken.Get(encoding)
		if err != nil {
			return err
		}
		tokens, start := 0, time.Now()
		for _, text := range corpora[corpus] {
			tokens += tokenizer.Count(text)
		}
		fmt.Println(time.Since(start).Nanoseconds(), tokens)
	}
}
