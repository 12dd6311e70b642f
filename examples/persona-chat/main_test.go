// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"

	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call is what the program prints and records of one call.
type call struct {
	persona string
	model   string
	stream  bool
	status  string
	usage   bool // reported
}

var wantCalls = []call{
	{"viral_content_creator", "gpt-4o", false, "ok", true},
	{"viral_content_creator", "gpt-4o-mini", false, "ok", true},
	{"viral_content_creator", "gpt-4o-mini", true, "ok", true},
	{"tech_educator", "gpt-4o", false, "ok", true},
	{"tech_educator", "gpt-4o-mini", false, "ok", true},
	{"tech_educator", "gpt-4o-mini", true, "ok", true},
	{"tech_educator", "gpt-4o", true, "ok", false},
	{"support_agent", "gpt-4o-mini", false, "ok", true},
	{"support_agent", "gpt-4o-mini", true, "ok", false},
	{"support_agent", "gpt-4o", false, "error", false},
	{"tech_educator", "gpt-4o-mini", false, "ok", true},
	{"tech_educator", "gpt-4o-mini", false, "ok", true},
}

var linePattern = regexp.MustCompile(`^call persona=(\S+) +model=(\S+) +stream=(\S+) +trace=([0-9a-f]{32}) +` +
	`status=(ok|error) +prompt_tokens=(\d+|-) +completion_tokens=(\d+|-) +(?:answer|error)=(".*")$`)

// parseLines returns the printed calls and their trace ids.
func parseLines(t *testing.T, printed io.Reader) (calls []call, traces []string) {
	t.Helper()
	for lines := bufio.NewScanner(printed); lines.Scan(); {
		fields := linePattern.FindStringSubmatch(lines.Text())
		require.NotNil(t, fields, lines.Text())
		stream, err := strconv.ParseBool(fields[3])
		require.NoError(t, err)
		_, err = strconv.Unquote(fields[8])
		require.NoError(t, err)
		calls = append(calls, call{persona: fields[1], model: fields[2], stream: stream, status: fields[5], usage: fields[6] != "-"})
		traces = append(traces, fields[4])
	}
	return calls, traces
}

func newServer(t *testing.T) *openaitest.Server {
	server := openaitest.NewServer()
	t.Cleanup(server.Close)
	return server
}

func TestEveryCallIsPrintedAndBecomesOneSpanInItsOwnTrace(t *testing.T) {
	server := newServer(t)
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	defer func() { require.NoError(t, provider.Shutdown(t.Context())) }()

	var out bytes.Buffer
	require.NoError(t, run(t.Context(), provider, &out, option.WithBaseURL(server.BaseURL()), option.WithAPIKey("test")))

	calls, traces := parseLines(t, &out)
	require.Equal(t, wantCalls, calls)
	billed := server.Calls()
	require.Len(t, billed, len(calls))

	spanOf := make(map[string]tracetest.SpanStub)
	for _, span := range spans.GetSpans() {
		if span.Name != "reply" {
			spanOf[span.SpanContext.TraceID().String()] = span
		}
	}
	require.Len(t, spanOf, len(calls))
	require.Len(t, spans.GetSpans(), 2*len(calls))
	for i, want := range calls {
		span := spanOf[traces[i]]
		attrs := attribute.NewSet(span.Attributes...)
		value := func(key string) attribute.Value {
			v, _ := attrs.Value(attribute.Key(key))
			return v
		}
		require.Equal(t, want.persona, value(semconv.PersonaID).AsString())
		require.Equal(t, want.model, value(semconv.GenAIRequestModel).AsString())
		require.Equal(t, want.stream, value(semconv.GenAIRequestStream).AsBool())
		require.Contains(t, value(semconv.GenAIInputMessages).AsString(), `"user"`)
		require.Equal(t, want.usage, attrs.HasValue(semconv.GenAIUsageInputTokens))
		require.Equal(t, want.usage, attrs.HasValue(semconv.GenAIUsageOutputTokens))
		if want.usage {
			require.EqualValues(t, billed[i].Usage.PromptTokens, value(semconv.GenAIUsageInputTokens).AsInt64())
			require.EqualValues(t, billed[i].Usage.CompletionTokens, value(semconv.GenAIUsageOutputTokens).AsInt64())
		}
		require.Equal(t, billed[i].ID, value(semconv.GenAIResponseID).AsString())
		if want.status == "error" {
			require.Equal(t, codes.Error, span.Status.Code)
			require.Equal(t, "decimal_above_max_value", value(semconv.ErrorType).AsString())
		} else {
			require.Equal(t, codes.Unset, span.Status.Code)
		}
	}
}

func TestUnexpectedFailureIsReturnedAfterAllCalls(t *testing.T) {
	server := newServer(t)
	var out bytes.Buffer
	err := run(t.Context(), sdktrace.NewTracerProvider(), &out, option.WithBaseURL(server.BaseURL()), option.WithAPIKey(""))
	require.ErrorContains(t, err, "viral_content_creator with gpt-4o: ")
	require.ErrorContains(t, err, "401")
	calls, _ := parseLines(t, &out)
	require.Len(t, calls, len(script)+1, "all but the answer to the tool call that was not made")
}

func TestProgramSendsItsSpansToTheCollector(t *testing.T) {
	received := make(chan ptrace.Traces, 2*len(wantCalls)) // room for one batch per span
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := ptraceotlp.NewExportRequest()
		if err != nil || request.UnmarshalProto(body) != nil || r.URL.Path != "/v1/traces" {
			http.Error(w, "not an OTLP trace request", http.StatusBadRequest)
			return
		}
		received <- request.Traces()
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OPENAI_BASE_URL", newServer(t).BaseURL())
	t.Setenv("OPENAI_API_KEY", "test")

	require.NoError(t, start(io.Discard))

	close(received)
	spans := 0
	for traces := range received {
		spans += traces.SpanCount()
		service, found := traces.ResourceSpans().At(0).Resource().Attributes().Get(semconv.ServiceName)
		require.True(t, found)
		require.Equal(t, "persona-chat", service.Str())
	}
	require.Equal(t, 2*len(wantCalls), spans)
}
