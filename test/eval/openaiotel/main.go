// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command openaiotel holds instrumentation/openaiotel to recorded OpenAI traffic. A loopback server replays every recording
// of the folder openai_recordings in GENAI_DATA to the SDKs that have its endpoint, with and without the instrumentation.
// What an SDK returns must be deeply equal, and the span must say what the recording says, as the conventions have it.
//
// It prints a table, what was not as recorded, and one line per bar; it fails when a bar is short.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "eval-openaiotel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	folder := os.Getenv("GENAI_DATA")
	if folder == "" {
		return errors.New("the environment variable GENAI_DATA does not name the folder with the recordings")
	}
	recordings, err := readRecordings(folder)
	if err != nil {
		return fmt.Errorf("reading the recordings: %w", err)
	}
	var t tally
	for _, sdk := range sdks {
		for _, r := range recordings {
			if err := t.replay(ctx, sdk, r); err != nil {
				return fmt.Errorf("replaying %s to %s: %w", r.name, sdk.name, err)
			}
		}
	}
	return t.print()
}

// aspects are what is compared, in the order of the table.
var aspects = []string{"result", "model", "usage", "messages", "finish reasons", "error type", "conventions"}

// row is a line of the table: the recordings of one endpoint, in one form, replayed to one SDK.
type row struct{ sdk, endpoint, form string }

// score counts the recordings that have an aspect, and those where it was as recorded.
type score struct{ equal, all int }

type tally struct {
	recordings map[row]int
	scores     map[row]map[string]score
	skipped    map[row]int // the SDK lacks the endpoint, or cannot say the request
	failures   []string
}

func (t *tally) add(r row, recording string, checks map[string]check) {
	if t.recordings == nil {
		t.recordings, t.scores = make(map[row]int), make(map[row]map[string]score)
	}
	t.recordings[r]++
	if t.scores[r] == nil {
		t.scores[r] = make(map[string]score)
	}
	for aspect, c := range checks {
		s := t.scores[r][aspect]
		s.all++
		if c.equal() {
			s.equal++
		} else {
			t.failures = append(t.failures, fmt.Sprintf("%s, %s: %s\n    recorded %s\n    got      %s", recording, r.sdk, aspect, c.want, c.got))
		}
		t.scores[r][aspect] = s
	}
}

func (t *tally) skip(r row) {
	if t.skipped == nil {
		t.skipped = make(map[row]int)
	}
	t.skipped[r]++
}

func (t *tally) print() error {
	fmt.Printf("| client | endpoint | form | recordings | %s |\n|---|---|---|---|%s\n", strings.Join(aspects, " | "), strings.Repeat("---|", len(aspects)))
	totals := make(map[string]score)
	for _, r := range sortedRows(t.recordings) {
		fmt.Printf("| %s | %s | %s | %d |", r.sdk, r.endpoint, r.form, t.recordings[r])
		for _, aspect := range aspects {
			s := t.scores[r][aspect]
			if s.all == 0 {
				fmt.Print(" |")
				continue
			}
			fmt.Printf(" %d/%d |", s.equal, s.all)
			total := totals[r.sdk+" "+aspect]
			totals[r.sdk+" "+aspect] = score{total.equal + s.equal, total.all + s.all}
		}
		fmt.Println()
	}
	fmt.Println()
	for _, r := range sortedRows(t.skipped) {
		fmt.Printf("not replayed: %d of %s %s (%s): the SDK has no such call\n", t.skipped[r], r.endpoint, r.form, r.sdk)
	}
	for _, failure := range t.failures {
		fmt.Println(failure)
	}
	short := 0
	for _, sdk := range sdks {
		for _, aspect := range aspects {
			total := totals[sdk.name+" "+aspect]
			verdict := "ok"
			if total.equal < total.all || total.all == 0 {
				verdict = "short"
				short++
			}
			fmt.Printf("%s %s as recorded: %d of %d, all, %s\n", sdk.name, aspect, total.equal, total.all, verdict)
		}
	}
	if short > 0 {
		return fmt.Errorf("%d bars are short", short)
	}
	return nil
}

func sortedRows(rows map[row]int) []row {
	var keys []row
	for r := range rows {
		keys = append(keys, r)
	}
	slices.SortFunc(keys, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.sdk, b.sdk), cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.form, b.form))
	})
	return keys
}
