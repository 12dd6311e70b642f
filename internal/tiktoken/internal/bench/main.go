// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench compares package tiktoken with other libraries on recorded text and on hostile text. It prints tables in
// Markdown and then a line for each bar, and fails when one is short.
//
// The arguments are names and commands of the libraries, in pairs; an empty command is one that is not there. Each command
// gets the name of a file as its last argument: corpora, each a number of texts, then these; a text is a number of bytes, then
// these; numbers have four bytes, the lowest first. Then it reads lines with an encoding and a number of a corpus, counts the
// tokens of each text of it, and answers with a line of how many nanoseconds that took and how many tokens there were. So all
// of them are asked in turn, many times, and what else the machine does troubles all of them.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		stop()
		log.Fatal(err) //nolint:gocritic // stopped
	}
}

func run(ctx context.Context, arguments []string) error {
	switch {
	case len(arguments) == 2 && arguments[0] == "ours":
		return answer(arguments[1])
	case len(arguments) == 2 && arguments[0] == "ready":
		return ready(tiktoken.Encoding(arguments[1]))
	case len(arguments)%2 != 0:
		return fmt.Errorf("arguments are names and commands, in pairs; got %d", len(arguments))
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	commands := []command{{"ours", []string{self, "ours"}}}
	for i := 0; i < len(arguments); i += 2 {
		if words := strings.Fields(arguments[i+1]); len(words) > 0 {
			commands = append(commands, command{arguments[i], words})
		}
	}
	corpora, err := readCorpora(os.Getenv("GENAI_DATA"))
	if err != nil {
		return err
	}
	var bars bars
	for _, part := range []func() error{
		func() error { return compare(ctx, commands, corpora, &bars) },
		func() error { return scale(corpora[0].texts) },
		func() error { return hostile(&bars) },
		func() error { return start(ctx, self, &bars) },
		func() error { return size(ctx, &bars) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return bars.print()
}

// bars are what the figures are held to.
type bars []string

// atLeast notes whether figure reaches bar.
func (b *bars) atLeast(name string, figure, bar float64, unit string) {
	*b = append(*b, fmt.Sprintf("%s: %.1f%s, bar ≥ %g%s, %s", name, figure, unit, bar, unit, verdict(figure >= bar)))
}

func (b *bars) atMost(name string, figure, bar float64, unit string) {
	*b = append(*b, fmt.Sprintf("%s: %.1f%s, bar ≤ %g%s, %s", name, figure, unit, bar, unit, verdict(figure <= bar)))
}

// aim is a bar that may be short.
func (b *bars) aim(name string, figure, aim float64, unit string) {
	*b = append(*b, fmt.Sprintf("%s: %.1f%s, aim ≥ %g%s, %s", name, figure, unit, aim, unit, map[bool]string{true: "reached", false: "missed"}[figure >= aim]))
}

func verdict(ok bool) string {
	if ok {
		return "ok"
	}
	return "short"
}

func (b *bars) print() error {
	fmt.Println()
	short := 0
	for _, line := range *b {
		fmt.Println(line)
		if strings.HasSuffix(line, ", short") {
			short++
		}
	}
	if short > 0 {
		return fmt.Errorf("%d bars are short", short)
	}
	return nil
}
