// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package examples_test runs the examples as programs: against the stand-in for the OpenAI API, with a collector that keeps
// what it gets.
package examples_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector keeps the spans that it gets.
type collector struct {
	server *httptest.Server
	mu     sync.Mutex
	spans  []ptrace.Span
}

func newCollector(t *testing.T) *collector {
	c := new(collector)
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := ptraceotlp.NewExportRequest()
		if err != nil || request.UnmarshalProto(body) != nil || r.URL.Path != "/v1/traces" {
			http.Error(w, "not an OTLP trace request", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.Traces().ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					c.spans = append(c.spans, span)
				}
			}
		}
	}))
	t.Cleanup(c.server.Close)
	return c
}

// byName returns the attributes of the spans by their name, each as text.
func (c *collector) byName(t *testing.T) map[string][]map[string]string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	got := make(map[string][]map[string]string)
	for _, span := range c.spans {
		attrs := make(map[string]string)
		for key, value := range span.Attributes().All() {
			attrs[key] = value.AsString()
		}
		got[span.Name()] = append(got[span.Name()], attrs)
	}
	return got
}

func TestExamples(t *testing.T) {
	programs := programs{t.TempDir()}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", programs.folder, "./azure", "./batch", "./go-openai", "./tools")
	build.Stderr = os.Stderr
	require.NoError(t, build.Run())
	t.Run("go-openai", programs.goOpenAI)
	t.Run("azure", programs.azure)
	t.Run("tools", programs.tools)
	t.Run("batch", programs.batch)
}

// programs are the examples, as their users build them.
type programs struct{ folder string }

// run runs an example and returns what it prints.
func (p programs) run(t *testing.T, c *collector, environment map[string]string, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(p.folder, name), args...)
	command.Env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.server.URL}
	for key, value := range environment {
		command.Env = append(command.Env, key+"="+value)
	}
	var failure bytes.Buffer
	command.Stderr = &failure
	out, err := command.Output()
	require.NoError(t, err, failure.String())
	require.Empty(t, failure.String())
	return string(out)
}

func openAI(server *openaitest.Server) map[string]string {
	return map[string]string{"OPENAI_BASE_URL": server.BaseURL(), "OPENAI_API_KEY": "test"}
}

func newServer(t *testing.T) *openaitest.Server {
	server := openaitest.NewServer()
	t.Cleanup(server.Close)
	return server
}

// requireCall holds that a span is the call that the server billed, made by the persona of the examples.
func requireCall(t *testing.T, billed openaitest.Call, got map[string]string) {
	t.Helper()
	require.Equal(t, "tech_educator", got["persona.id"])
	require.Equal(t, billed.Model, got["gen_ai.request.model"])
	require.Equal(t, billed.ID, got["gen_ai.response.id"])
	require.Equal(t, []string{strconv.Itoa(billed.Usage.PromptTokens), strconv.Itoa(billed.Usage.CompletionTokens)},
		[]string{got["gen_ai.usage.input_tokens"], got["gen_ai.usage.output_tokens"]})
}

func (p programs) goOpenAI(t *testing.T) {
	server, c := newServer(t), newCollector(t)
	require.NotEmpty(t, strings.TrimSpace(p.run(t, c, openAI(server), "go-openai")))
	spans := c.byName(t)
	require.Len(t, spans["chat gpt-4o-mini"], 1)
	requireCall(t, server.Calls()[0], spans["chat gpt-4o-mini"][0])
}

// The host is one of Azure's, and the server the proxy on the way to it.
func (p programs) azure(t *testing.T) {
	server, c := newServer(t), newCollector(t)
	require.NotEmpty(t, strings.TrimSpace(p.run(t, c, map[string]string{
		"AZURE_OPENAI_ENDPOINT": "http://example.openai.azure.com", "AZURE_OPENAI_API_KEY": "test", "AZURE_OPENAI_DEPLOYMENT": "gpt-4o",
		"HTTP_PROXY": server.BaseURL(),
	}, "azure")))
	spans := c.byName(t)
	require.Len(t, spans["chat gpt-4o"], 1)
	requireCall(t, server.Calls()[0], spans["chat gpt-4o"][0])
	require.Equal(t, "azure.ai.openai", spans["chat gpt-4o"][0]["gen_ai.provider.name"])
	require.Equal(t, "example.openai.azure.com", spans["chat gpt-4o"][0]["server.address"])
}

func (p programs) tools(t *testing.T) {
	server, c := newServer(t), newCollector(t)
	require.Contains(t, p.run(t, c, openAI(server), "tools"), "6912")
	spans := c.byName(t)
	require.ElementsMatch(t, []string{"chat gpt-4o-mini", "execute_tool get_sum"}, slices.Collect(maps.Keys(spans)))
	require.Len(t, spans["chat gpt-4o-mini"], 2)
	for i, billed := range server.Calls() {
		requireCall(t, billed, spans["chat gpt-4o-mini"][i])
	}
	require.Equal(t, `["tool_calls"]`, spans["chat gpt-4o-mini"][0]["gen_ai.response.finish_reasons"])
	require.Len(t, spans["execute_tool get_sum"], 1)
	require.Equal(t, "tech_educator", spans["execute_tool get_sum"][0]["persona.id"])
	require.NotEmpty(t, spans["execute_tool get_sum"][0]["gen_ai.tool.call.id"])
}

func (p programs) batch(t *testing.T) {
	server, c := newServer(t), newCollector(t)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	client := openai.NewClient(option.WithBaseURL(server.BaseURL()), option.WithAPIKey("test"), option.WithHTTPClient(&http.Client{Transport: transport}))
	file, err := client.Files.New(t.Context(), openai.FileNewParams{Purpose: openai.FilePurposeBatch, File: openai.File(strings.NewReader(
		`{"custom_id":"tech_educator:1","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}}
{"custom_id":"2","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o","metadata":{"persona_id":"tech_educator"},"messages":[{"role":"user","content":"hello"}]}}
{"custom_id":"tech_educator:3","method":"POST","url":"/v1/chat/completions","body":{"model":"no-such-model","messages":[]}}
`), "batch.jsonl", "application/jsonl")})
	require.NoError(t, err)
	batch, err := client.Batches.New(t.Context(), openai.BatchNewParams{
		InputFileID: file.ID, Endpoint: openai.BatchNewParamsEndpointV1ChatCompletions, CompletionWindow: openai.BatchNewParamsCompletionWindow24h,
	})
	require.NoError(t, err)
	billed := server.Calls()[1:3]

	require.Equal(t, "3 calls recorded\n", p.run(t, c, openAI(server), "batch", batch.ID))
	spans := c.byName(t)
	require.Len(t, spans["retrieve_batch"], 1)
	require.Equal(t, batch.ID, spans["retrieve_batch"][0]["openai.batch.id"])
	require.Len(t, spans["chat gpt-4o"], 2)
	for _, span := range spans["chat gpt-4o"] {
		line := slices.IndexFunc(billed, func(c openaitest.Call) bool { return c.ID == span["gen_ai.response.id"] })
		require.GreaterOrEqual(t, line, 0)
		requireCall(t, billed[line], span)
		require.Equal(t, batch.ID, span["openai.batch.id"])
		require.Equal(t, "batch", span["openai.response.service_tier"])
	}
	require.Len(t, spans["chat no-such-model"], 1)
	require.Equal(t, "model_not_found", spans["chat no-such-model"][0]["error.type"])
}
