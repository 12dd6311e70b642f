// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/framing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
	"github.com/otelcol-mlflow/otelcol-mlflow/test/eval/evaluation"
)

// spanCase is a recorded call as an instrumentation emitted it.
type spanCase struct {
	Case   string          `json:"case"`
	Stream bool            `json:"stream"`
	Status int             `json:"status"`
	OTLP   json.RawMessage `json:"otlp"`
	Usage  struct {
		Prompt int64 `json:"prompt_tokens"` // of chat completions, or
		Input  int64 `json:"input_tokens"`  // of responses
	} `json:"recorded_usage"`
}

// evaluateStreams counts the answer of every streamed span that has content and no usage, and compares it with the tokens of
// the text that was sent to the application. Of a model that reasons, or that the provider gave a tool, that is a lower bound.
func evaluateStreams(folder string, w io.Writer) (evaluation.Bar, error) {
	fmt.Fprint(w, "### Streamed spans without usage\n\n| span | model | tokens of the text | counted | source |\n|---|---|---|---|---|\n")
	result := evaluation.Bar{Name: "streamed spans without usage", Percent: 100}
	without := 0
	err := eachCall(folder, func(dialect string, c *spanCase, call framing.Call, counter framing.Counter) error {
		if !c.Stream || c.Status != 200 || call.Span.Usage.Output.Set {
			return nil
		}
		if len(call.Messages.Output) == 0 {
			without++ // its content is in log records
			return nil
		}
		truth, err := streamedTokens(folder, c.Case, call.Model.Encoding)
		if err != nil {
			return err
		}
		call.LowerBounds = true
		count := framing.Output(call, counter)
		result.Of++
		if count.Known() && count.Tokens == truth {
			result.Met++
		}
		fmt.Fprintf(w, "| %s: %s | %s | %d | %d | %s |\n", dialect, c.Case, call.Span.Model(), truth, count.Tokens, count.Source)
		return nil
	})
	fmt.Fprintf(w, "\n%d more have no content on the span.\n\n", without)
	return result, err
}

// evaluateCounted compares the prompt of every span that says that it is counted, and no estimate, with what was billed.
func evaluateCounted(folder string, w io.Writer) (evaluation.Bar, error) {
	result := evaluation.Bar{Name: "prompts of spans marked as counted", Percent: 100}
	err := eachCall(folder, func(dialect string, c *spanCase, call framing.Call, counter framing.Counter) error {
		billed := c.Usage.Prompt + c.Usage.Input
		count := framing.Input(call, counter)
		if billed == 0 || count.Source != semconv.SourceCounted {
			return nil
		}
		result.Of++
		if count.Tokens == billed {
			result.Met++
		} else {
			fmt.Fprintf(w, "%s: %s: billed %d, counted %d\n\n", dialect, c.Case, billed, count.Tokens)
		}
		return nil
	})
	return result, err
}

// eachCall calls f for each recorded call as each instrumentation emitted it, where the model is known.
func eachCall(folder string, f func(dialect string, c *spanCase, call framing.Call, counter framing.Counter) error) error {
	files, err := filepath.Glob(filepath.Join(folder, "spans", "*.json"))
	if err != nil {
		return err
	}
	models := framing.NewModels(framing.ModelOptions{})
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var cases []spanCase
		if err := json.Unmarshal(text, &cases); err != nil {
			return fmt.Errorf("reading %s: %w", filepath.Base(file), err)
		}
		for i := range cases {
			traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(cases[i].OTLP)
			if err != nil {
				return fmt.Errorf("case %s: %w", cases[i].Case, err)
			}
			for _, span := range spans(traces) {
				call, counter, ok := framed(models, span)
				if !ok || call.Span.Aggregate {
					continue
				}
				if err := f(strings.TrimSuffix(filepath.Base(file), ".json"), &cases[i], call, counter); err != nil {
					return fmt.Errorf("case %s: %w", cases[i].Case, err)
				}
			}
		}
	}
	return nil
}

func spans(traces ptrace.Traces) []ptrace.Span {
	var all []ptrace.Span
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				all = append(all, span)
			}
		}
	}
	return all
}

// streamedTokens are the tokens of the text of a recorded stream.
func streamedTokens(folder, name string, encoding tiktoken.Encoding) (int64, error) {
	path, index, _ := strings.Cut(name, "#")
	text, err := os.ReadFile(filepath.Join(folder, "openai_recordings", filepath.FromSlash(path)+".json"))
	if err != nil {
		return 0, err
	}
	i, err := strconv.Atoi(index)
	if err != nil {
		return 0, fmt.Errorf("case %s: %w", name, err)
	}
	texts := make(map[int64]string) // of each choice
	stream := gjson.GetBytes(text, fmt.Sprintf("interactions.%d.response_sse", i)).Str
	for line := range strings.Lines(stream) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data:")
		if !ok {
			continue
		}
		event := gjson.Parse(data)
		if event.Get("type").Str == "response.output_text.delta" {
			texts[event.Get("output_index").Int()] += event.Get("delta").Str
		}
		for _, choice := range event.Get("choices").Array() {
			texts[choice.Get("index").Int()] += choice.Get("delta.content").Str + choice.Get("text").Str
		}
	}
	tokenizer, err := tiktoken.Get(encoding)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, text := range texts {
		total += tokenizer.Count(text)
	}
	return int64(total), nil
}
