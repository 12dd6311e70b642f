// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// Each query of docs/queries.md has the answer that is shown below it, in SQLite and in PostgreSQL.
func TestQueriesOfTheDocsHaveTheAnswersShown(t *testing.T) {
	root, err := testbed.Root()
	require.NoError(t, err)
	document := filepath.Join(root, "docs", "queries.md")
	text, err := os.ReadFile(document)
	require.NoError(t, err)

	for _, database := range []struct {
		name  string
		start func(t *testing.T, dir string) string // returns the URI for MLflow
	}{
		{"SQLite", func(_ *testing.T, dir string) string { return "sqlite:///" + filepath.Join(dir, "mlflow.db") }},
		{"PostgreSQL", func(t *testing.T, _ string) string {
			postgres, err := testbed.StartPostgres(t.Context())
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, postgres.Stop()) })
			return postgres.URI
		}},
	} {
		t.Run(database.name, func(t *testing.T) {
			t.Parallel() // MLflow takes long to start
			dir := t.TempDir()
			store := database.start(t, dir)
			writeCalls(t, dir, store)

			answered := answer(string(text), func(statements []string) [][][]any { return ask(t, store, statements) })
			if *update {
				require.NoError(t, os.WriteFile(document, []byte(answered), 0o644))
			} else {
				require.Empty(t, cmp.Diff(string(text), answered), "go test ./test -update writes the answers anew")
			}
		})
	}
}

// writeCalls has the exporter write what the queries are about into a database.
func writeCalls(t *testing.T, dir, store string) {
	t.Helper()
	mlflow, err := testbed.StartMLflow(t.Context(), testbed.MLflowConfig{Dir: dir, Store: store})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mlflow.Stop()) })
	collector, err := testbed.StartCollector(t.Context(), testbed.CollectorConfig{
		Configs: []string{shippedConfig(t, "otelcol-mlflow.yaml")},
		Set:     []string{"service.pipelines.traces.processors=[memory_limiter]"}, // the calls have their costs
		Env:     []string{"MLFLOW_TRACKING_URI=" + mlflow.URL},
		Dir:     dir,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, collector.Stop()) })

	calls := callsOfTwoDays()
	require.NoError(t, collector.SendHTTP(t.Context(), calls))
	waitFor(t, "all calls are written", func() bool {
		runs, err := testbed.NewReader(mlflow.URL).Runs(t.Context(), "attributes.end_time > 0")
		require.NoError(t, err)
		return len(runs) == calls.SpanCount()
	})
}

// callsOfTwoDays are calls of three personas with two models, some streamed, some failed, some with tools.
func callsOfTwoDays() ptrace.Traces {
	personas := []string{"tech_educator", "support_agent", "viral_content_creator"}
	models := []struct {
		name                 string
		input, output        float64 // US dollars per token
		firstToken, perToken time.Duration
	}{
		{"gpt-4o", 2.5e-6, 10e-6, 350 * time.Millisecond, 12 * time.Millisecond},
		{"gpt-4o-mini", 0.15e-6, 0.6e-6, 220 * time.Millisecond, 7 * time.Millisecond},
	}
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for n := range 36 {
		day, persona, model, ofModel := n/18, personas[n/6%3], models[n/3%2], n%3
		input, output := int64(120+37*n%91), int64(40+53*n%140)
		start := time.Date(2026, 11, 22+day, 8+3*ofModel, n, 0, 0, time.UTC)

		span := spans.AppendEmpty()
		testbed.Stamp(span, start, start.Add(model.firstToken+time.Duration(output)*model.perToken))
		a := span.Attributes()
		a.PutStr(semconv.GenAIOperationName, semconv.OperationChat)
		a.PutStr(semconv.GenAIRequestModel, model.name)
		a.PutStr(semconv.PersonaID, persona)
		a.PutStr(semconv.UserID, []string{"ada", "bob"}[n%2])
		a.PutStr(semconv.GenAIConversationID, fmt.Sprintf("%s-%d", persona, day+1))
		a.PutStr(semconv.GenAIPromptName, "answer")
		a.PutStr(semconv.GenAIPromptVersion, strconv.Itoa(1+n%2))
		a.PutStr(semconv.GenAIInputMessages, messages("user", fmt.Sprintf("Question %d: how does it work?", n+1)))
		if n%11 == 10 {
			span.Status().SetCode(ptrace.StatusCodeError)
			a.PutStr(semconv.ErrorType, "rate_limit_exceeded")
			continue
		}
		a.PutStr(semconv.GenAIOutputMessages, messages("assistant", "Like this."))
		if n%5 == 0 {
			a.PutStr(semconv.GenAIOutputMessages, `[{"role":"assistant","parts":[{"type":"tool_call","id":"1","name":"search","arguments":{}}]}]`)
		}
		a.PutEmptySlice(semconv.GenAIResponseFinishReasons).AppendEmpty().SetStr([]string{"stop", "stop", "length"}[n%3])
		a.PutInt(semconv.GenAIUsageInputTokens, input)
		a.PutInt(semconv.GenAIUsageOutputTokens, output)
		a.PutDouble(semconv.TokenCostUSD, float64(input)*model.input+float64(output)*model.output)
		if ofModel == 0 {
			a.PutInt(semconv.GenAIUsageCacheReadInputTokens, input/2)
		} else {
			a.PutDouble(semconv.GenAIResponseTimeToFirstChunk, model.firstToken.Seconds())
		}
		if n%4 == 0 {
			a.PutStr(semconv.TokenInputSource, semconv.SourceCounted)
			a.PutStr(semconv.TokenOutputSource, []string{semconv.SourceCounted, semconv.SourceEstimated}[n/4%2])
		}
	}
	return traces
}

// ask returns the answer to each statement: rows, of which the first has the names of the columns. A statement that asks
// nothing has no rows.
func ask(t *testing.T, store string, statements []string) [][][]any {
	t.Helper()
	python, err := testbed.Made(".venv/bin/python", ".venv")
	require.NoError(t, err)
	in, err := json.Marshal(statements)
	require.NoError(t, err)
	cmd := exec.Command(python, "queries.py", strings.Replace(store, "+psycopg2", "", 1))
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &problem
	require.NoError(t, cmd.Run(), problem.String())
	var answers [][][]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &answers))
	return answers
}

// answer puts the answer to each statement of a document below it, in place of the one that is there.
func answer(document string, ask func(statements []string) [][][]any) string {
	const begin, end = "```sql\n", "\n```\n"
	parts := strings.Split(document, begin)
	statements := make([]string, len(parts)-1)
	rests := make([]string, len(parts)-1)
	for i, part := range parts[1:] {
		statements[i], rests[i], _ = strings.Cut(part, end)
	}
	var b strings.Builder
	b.WriteString(parts[0])
	for i, rows := range ask(statements) {
		b.WriteString(begin + statements[i] + end)
		if len(rows) == 0 {
			b.WriteString(rests[i])
			continue
		}
		b.WriteString("\n" + table(rows))
		_, after, _ := strings.Cut(strings.TrimPrefix(rests[i], "\n"), "\n\n")
		b.WriteString("\n" + after)
	}
	return b.String()
}

// table is an answer in Markdown.
func table(rows [][]any) string {
	if len(rows) == 1 {
		return "No rows.\n"
	}
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("|")
		for _, value := range row {
			switch value := value.(type) {
			case nil:
				b.WriteString(" NULL |")
			case float64:
				b.WriteString(" " + strconv.FormatFloat(value, 'f', -1, 64) + " |")
			default:
				fmt.Fprintf(&b, " %v |", value)
			}
		}
		b.WriteString("\n")
		if i == 0 {
			b.WriteString("|")
			for column := range row {
				if _, number := rows[1][column].(float64); number {
					b.WriteString("--:|")
				} else {
					b.WriteString("---|")
				}
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}
