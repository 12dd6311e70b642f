// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// scale prints how the speed grows with cores.
func scale(texts []string) error {
	tokenizer, err := tiktoken.Get(tiktoken.O200kBase)
	if err != nil {
		return err
	}
	const passes = 20
	total := 0
	for _, text := range texts {
		total += len(text)
	}
	pass := func(goroutines int) float64 {
		start := time.Now()
		var running sync.WaitGroup
		for range goroutines {
			running.Go(func() {
				for range passes {
					for _, text := range texts {
						tokenizer.Count(text)
					}
				}
			})
		}
		running.Wait()
		return float64(total*passes*goroutines) / 1e6 / time.Since(start).Seconds()
	}
	fmt.Print("\nOurs on all that was recorded in o200k_base, by goroutines, median of 5\n\n| goroutines | MB/s |\n|---:|---:|\n")
	for goroutines := 1; goroutines <= runtime.GOMAXPROCS(0); goroutines *= 2 {
		var speeds []float64
		for range 5 {
			speeds = append(speeds, pass(goroutines))
		}
		fmt.Printf("| %d | %.1f |\n", goroutines, median(speeds))
	}
	return nil
}

// hostileRounds is how often each text is counted.
const hostileRounds = 21

// hostile prints how long text takes that is hard to count, and whether ten times as much takes ten times as long. The one and
// the ten times the other are counted in turn, so that they are disturbed alike.
func hostile(bars *bars) error {
	const small, large = 100_000, 1_000_000
	fmt.Printf("\nOurs on text that is hard to count: the best of %d, ms for 1 MB, and how often 100 KB that is, in the median round\n\n| text |", hostileRounds)
	encodings := []tiktoken.Encoding{tiktoken.O200kBase, tiktoken.Cl100kBase, tiktoken.P50kBase, tiktoken.R50kBase}
	for _, encoding := range encodings {
		fmt.Printf(" %s |", encoding)
	}
	fmt.Println("\n|---|" + strings.Repeat("---:|", len(encodings)))
	worst, growth := 0.0, 0.0
	for _, kind := range hostileKinds() {
		fmt.Printf("| %s |", kind.name)
		for _, encoding := range encodings {
			tokenizer, err := tiktoken.Get(encoding)
			if err != nil {
				return err
			}
			milliseconds := func(text string, times int) float64 {
				start := time.Now()
				for range times {
					tokenizer.Count(text)
				}
				return time.Since(start).Seconds() * 1e3
			}
			texts := [2]string{kind.make(small), kind.make(large)}
			var times, ratios []float64
			for range hostileRounds {
				ten, one := milliseconds(texts[0], large/small), milliseconds(texts[1], 1)
				times, ratios = append(times, one), append(ratios, one/ten*large/small)
			}
			best, ratio := slices.Min(times), median(ratios)
			fmt.Printf(" %.1f (%.1f×) |", best, ratio)
			worst, growth = max(worst, best), max(growth, ratio)
		}
		fmt.Println()
	}
	bars.atMost("the slowest of them, 1 MB", worst, 250, " ms")
	bars.atMost("the steepest of them, 1 MB by 100 KB", growth, 12, "×")
	return nil
}

type hostileKind struct {
	name string
	make func(size int) string
}

func hostileKinds() []hostileKind {
	repeat := func(unit string) func(int) string {
		return func(size int) string { return strings.Repeat(unit, size/len(unit)) }
	}
	data := func(size int) []byte {
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same in every run
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	mapped := func(set string) func(int) string {
		return func(size int) string {
			b := data(size)
			for i := range b {
				b[i] = set[int(b[i])%len(set)]
			}
			return string(b)
		}
	}
	return []hostileKind{
		{"one letter", repeat("a")},
		{"spaces", repeat(" ")},
		{"one symbol", repeat("=")},
		{"punctuation", mapped("!\"#$%&()*+,-./:;<=>?@[]^_`{|}~")},
		{"dashes and equals signs", mapped("-=")},
		{"random letters", mapped("abcdefghijklmnopqrstuvwxyz")},
		{"newlines and spaces", repeat("\n ")},
		{"base64", func(size int) string { return base64.StdEncoding.EncodeToString(data(size))[:size] }},
		{"one emoji", repeat("😀")},
		{"one Han character", repeat("中")},
	}
}

// start prints how long the first use of an encoding takes in a new process.
func start(ctx context.Context, self string, bars *bars) error {
	fmt.Print("\nFirst use of an encoding in a new process, median of 9\n\n| encoding | ms |\n|---|---:|\n")
	for _, encoding := range tiktoken.Encodings() {
		var all []float64
		for range 9 {
			output, err := exec.CommandContext(ctx, self, "ready", string(encoding)).Output()
			if err != nil {
				return fmt.Errorf("starting with %s: %w", encoding, err)
			}
			nanoseconds, err := strconv.ParseFloat(strings.TrimSpace(string(output)), 64)
			if err != nil {
				return err
			}
			all = append(all, nanoseconds/1e6)
		}
		fmt.Printf("| %s | %.1f |\n", encoding, median(all))
		bars.atMost("first use of "+string(encoding), median(all), 50, " ms")
	}
	return nil
}

// ready is what a new process does.
func ready(encoding tiktoken.Encoding) error {
	start := time.Now()
	tokenizer, err := tiktoken.Get(encoding)
	if err != nil {
		return err
	}
	tokenizer.Count("Hello, world!")
	fmt.Println(time.Since(start).Nanoseconds())
	return nil
}

// size prints what the package adds to a program.
func size(ctx context.Context, bars *bars) error {
	without, err := build(ctx, `func main() { fmt.Println("Hello, world!") }`)
	if err != nil {
		return err
	}
	with, err := build(ctx, `
		import "github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
		func main() {
			for _, encoding := range tiktoken.Encodings() {
				tokenizer, _ := tiktoken.Get(encoding)
				fmt.Println(tokenizer.Count("Hello, world!"), tokenizer.Encode("Hello, world!"))
			}
		}`)
	if err != nil {
		return err
	}
	added := float64(with-without) / 1e6
	fmt.Printf("\nAdded to a program of %.2f MB by all encodings: %.2f MB\n", float64(without)/1e6, added)
	bars.atMost("added to a program", added, 2.5, " MB")
	return nil
}

// build returns the size of a program, which is compiled as if it were in this module.
func build(ctx context.Context, program string) (int64, error) {
	folder, err := os.MkdirTemp("", "bench-tiktoken")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	source, overlay, binary := filepath.Join(folder, "main.go"), filepath.Join(folder, "overlay"), filepath.Join(folder, "binary")
	if err := os.WriteFile(source, []byte("package main\nimport \"fmt\"\n"+program), 0o600); err != nil {
		return 0, err
	}
	replace := map[string]map[string]string{"Replace": {"internal/tiktoken/internal/size/main.go": source}}
	var encoded bytes.Buffer
	if err := json.NewEncoder(&encoded).Encode(replace); err != nil {
		return 0, err
	}
	if err := os.WriteFile(overlay, encoded.Bytes(), 0o600); err != nil {
		return 0, err
	}
	command := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./internal/tiktoken/internal/size")
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return 0, fmt.Errorf("building a program: %w", err)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
