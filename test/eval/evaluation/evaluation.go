// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package evaluation is what evaluations on recorded data share: where the data is, and whether what they measure suffices.
package evaluation

import (
	"fmt"
	"io"
	"os"
)

// Bar is a share that has to be reached.
type Bar struct {
	Name    string
	Met, Of int
	Percent int // of Of that have to be met
}

// Share is a share as text, in percent.
func Share(met, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", float64(met)*100/float64(of))
}

// Main is the main function of an evaluation: it reads the folder that GENAI_DATA names, prints what it finds to standard
// output, then a line for each bar, and ends the program with 1 if one is not reached.
func Main(evaluate func(folder string, w io.Writer) ([]Bar, error)) {
	folder := os.Getenv("GENAI_DATA")
	if folder == "" {
		fmt.Fprintln(os.Stderr, "set GENAI_DATA to the folder of recorded data")
		os.Exit(1)
	}
	all, err := evaluate(folder, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	short := false
	for _, b := range all {
		verdict := "ok"
		if b.Met*100 < b.Of*b.Percent || b.Of == 0 {
			verdict, short = "short", true
		}
		fmt.Printf("%s: %s of %d, %d %%, %s\n", b.Name, Share(b.Met, b.Of), b.Of, b.Percent, verdict)
	}
	if short {
		os.Exit(1)
	}
}
