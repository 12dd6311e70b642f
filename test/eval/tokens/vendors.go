// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// minText is how long an answer has to be for its tokens to say something about the tokenizer, in bytes.
const minText = 200

// factors of a model that was measured.
type factors struct {
	vendor   string
	compiled framing.Factor
	found    []float64
}

// evaluateVendors prints what recorded answers of other vendors were billed for each token that o200k_base has for their
// text. Answers that thought, which would count as text that is not there, are left out.
func evaluateVendors(all []*record, w io.Writer) error {
	o200k, err := tiktoken.Get(tiktoken.O200kBase)
	if err != nil {
		return err
	}
	models := make(map[string]*factors)
	for _, r := range all {
		if r.openAI || !r.onlyText || r.hidden || len(r.text) <= minText {
			continue
		}
		for _, vendor := range framing.Vendors() {
			compiled, ok := framing.FactorOf(vendor, r.model)
			if !ok {
				continue
			}
			if models[r.model] == nil {
				models[r.model] = &factors{vendor: vendor, compiled: compiled}
			}
			models[r.model].found = append(models[r.model].found, float64(r.completion)/float64(o200k.Count(r.text)))
		}
	}
	fmt.Fprint(w, "### Tokens of other vendors to those of o200k_base\n\n| vendor | model | answers | mean | lowest | highest | factor in use |\n|---|---|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(models)) {
		m := models[name]
		sum := 0.0
		for _, factor := range m.found {
			sum += factor
		}
		fmt.Fprintf(w, "| %s | %s | %d | %.2f | %.2f | %.2f | %.2f |\n", m.vendor, name, len(m.found), sum/float64(len(m.found)),
			slices.Min(m.found), slices.Max(m.found), m.compiled.Mean)
	}
	fmt.Fprintln(w)
	return nil
}
