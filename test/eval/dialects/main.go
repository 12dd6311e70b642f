// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command dialects evaluates internal/genai on spans that nobody here made up: those that real instrumentations emitted for
// recorded traffic, and the payloads by which MLflow and Langfuse test their own readers. It reads them from the folder
// that GENAI_DATA names, prints what it finds as Markdown, then one line per bar, and fails if one is not reached.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/test/eval/evaluation"
)

func main() { evaluation.Main(evaluate) }

func evaluate(folder string, w io.Writer) ([]evaluation.Bar, error) {
	var bars []evaluation.Bar
	for _, part := range []func(string, io.Writer) ([]evaluation.Bar, error){evaluateSpans, evaluateMLflow, evaluateLangfuse} {
		more, err := part(folder, w)
		if err != nil {
			return nil, err
		}
		bars = append(bars, more...)
	}
	return bars, nil
}

// load reads a JSON file.
func load(v any, path ...string) error {
	name := filepath.Join(path...)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Base(name), err)
	}
	return nil
}

// reading is what the reader says about a span.
type reading struct {
	genai.Call
	span     ptrace.Span
	messages genai.Messages
	isCall   bool
}

// readAll reads every span of an OTLP/JSON document.
func readAll(document []byte) ([]reading, error) {
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(document)
	if err != nil {
		return nil, err
	}
	reader := genai.NewReader(genai.Options{})
	var all []reading
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				call, ok := reader.Read(resource.Resource(), scope.Scope(), span)
				r := reading{Call: call, span: span, isCall: ok && !call.Aggregate && modelOperations[call.Operation]}
				if ok {
					r.messages = call.Messages()
				}
				all = append(all, r)
			}
		}
	}
	return all, nil
}

var modelOperations = map[string]bool{"chat": true, "text_completion": true, "generate_content": true, "embeddings": true}

// table prints a Markdown table.
func table(w io.Writer, rows [][]string) {
	for i, row := range rows {
		fmt.Fprintln(w, "| "+strings.Join(row, " | ")+" |")
		if i == 0 {
			fmt.Fprintln(w, strings.Repeat("|---", len(row))+"|")
		}
	}
	fmt.Fprintln(w)
}
