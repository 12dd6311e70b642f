// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

func TestContentByEnvironment(t *testing.T) {
	for value, on := range map[string]bool{
		"": false, "NO_CONTENT": false, "false": false, "0": false, "EVENT_ONLY": false, "yes": false,
		"true": true, "TRUE": true, "1": true, "SPAN_ONLY": true, "span_and_event": true, " true ": true,
	} {
		t.Run(value, func(t *testing.T) {
			t.Setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)
			_, got := exchange(t, plainRequest, plainAnswer).Attributes["gen_ai.input.messages"]
			require.Equal(t, on, got)
			_, got = exchange(t, plainRequest, plainAnswer, openaiotel.WithContent(openaiotel.ContentNone)).Attributes["gen_ai.input.messages"]
			require.False(t, got)
			_, got = exchange(t, plainRequest, plainAnswer, openaiotel.WithContent(openaiotel.ContentSpan)).Attributes["gen_ai.input.messages"]
			require.True(t, got)
		})
	}
}

func TestProviderModelAndServer(t *testing.T) {
	for name, test := range map[string]struct {
		url, body string
		opts      []openaiotel.Option
		want      map[string]any
	}{
		"OpenAI": {
			url: "https://api.openai.com/v1/chat/completions", body: `{"model":"m"}`,
			want: map[string]any{
				"gen_ai.provider.name": "openai", "gen_ai.request.model": "m",
				"server.address": "api.openai.com", "server.port": int64(443),
			},
		},
		"another vendor": {
			url: "http://localhost:8000/v1/chat/completions", body: `{"model":"m"}`,
			opts: []openaiotel.Option{openaiotel.WithProvider("deepseek"), nil},
			want: map[string]any{
				"gen_ai.provider.name": "deepseek", "gen_ai.request.model": "m",
				"server.address": "localhost", "server.port": int64(8000),
			},
		},
		"Azure deployment": {
			url: "https://me.OpenAI.azure.com/openai/deployments/my-gpt/chat/completions?api-version=1", body: `{}`,
			want: map[string]any{
				"gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "my-gpt",
				"server.address": "me.OpenAI.azure.com", "server.port": int64(443),
			},
		},
		"Azure deployment behind a gateway": {
			url: "https://llm.example.com/openai/deployments/my-gpt/chat/completions", body: `{"model":"m"}`,
			want: map[string]any{
				"gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "m",
				"server.address": "llm.example.com", "server.port": int64(443),
			},
		},
		"Azure v1": {
			url: "https://me.services.ai.azure.com/openai/v1/chat/completions", body: `{"model":"m"}`,
			want: map[string]any{
				"gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "m",
				"server.address": "me.services.ai.azure.com", "server.port": int64(443),
			},
		},
		"neither host nor model": {
			url: "/chat/completions", body: `{}`, want: map[string]any{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(t)
			req, err := http.NewRequest(http.MethodPost, test.url, strings.NewReader(test.body))
			require.NoError(t, err)
			_, err = r.middleware(test.opts...)(req, func(*http.Request) (*http.Response, error) { return nil, nil })
			require.NoError(t, err)
			want := span{Name: "chat", Attributes: attributes(nil, test.want)}
			if model, ok := test.want["gen_ai.request.model"]; ok {
				want.Name += " " + model.(string)
			}
			require.Equal(t, want, r.recordedOne(t))
		})
	}
}

func TestPersona(t *testing.T) {
	r := newRecorder(t)
	personas := []string{"", "tech_educator", "a\xffb", strings.Repeat("x", 2000), "viral_content_creator"}
	ctx := t.Context()
	for _, persona := range personas {
		ctx = openaiotel.WithPersona(ctx, persona)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", http.NoBody)
		require.NoError(t, err)
		_, err = r.middleware()(req, func(*http.Request) (*http.Response, error) { return nil, nil })
		require.NoError(t, err)
	}
	var got []any
	for _, s := range r.recorded(t) {
		got = append(got, s.Attributes["persona.id"])
	}
	require.Equal(t, []any{nil, "tech_educator", "a\uFFFDb", nil, "viral_content_creator"}, got)
}

func TestSamplersSeeTheRequest(t *testing.T) {
	var seen sdktrace.SamplingParameters
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler(func(p sdktrace.SamplingParameters) sdktrace.SamplingDecision {
		seen = p
		return sdktrace.Drop
	})))
	ctx := openaiotel.WithPersona(t.Context(), "tech_educator")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(plainRequest))
	require.NoError(t, err)
	answer := jsonAnswer(plainAnswer)
	middleware := openaiotel.Middleware(openaiotel.WithTracerProvider(provider), openaiotel.WithContent(openaiotel.ContentSpan))
	res, err := middleware(req, func(sent *http.Request) (*http.Response, error) {
		require.True(t, trace.SpanContextFromContext(sent.Context()).IsValid())
		require.False(t, trace.SpanContextFromContext(sent.Context()).IsSampled())
		return answer.respond(sent)
	})
	require.NoError(t, err)
	require.Equal(t, plainAnswer, string(readAll(t, res)))
	require.Equal(t, "chat gpt-4o-mini", seen.Name)
	got := make(map[string]any)
	for _, a := range seen.Attributes {
		got[string(a.Key)] = a.Value.AsInterface()
	}
	require.Equal(t, attributes(nil, map[string]any{
		"gen_ai.request.model": "gpt-4o-mini", "persona.id": "tech_educator",
		"server.address": "api.openai.com", "server.port": int64(443),
	}), got)
}

type sampler func(sdktrace.SamplingParameters) sdktrace.SamplingDecision

func (f sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: f(p)}
}

func (f sampler) Description() string { return "test" }

func TestGlobalProviderIsTheDefault(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	req, err := http.NewRequest(http.MethodPost, "https://api.openai.com/v1/chat/completions", http.NoBody)
	require.NoError(t, err)
	_, err = openaiotel.Middleware(openaiotel.WithTracerProvider(nil))(req, func(*http.Request) (*http.Response, error) { return nil, nil })
	require.NoError(t, err)
	require.Len(t, spans.Ended(), 1)
}

// An application that links this package links nothing more than this.
func TestDependencies(t *testing.T) {
	allowed := []string{
		"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel",
		"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv",
		"github.com/tidwall/gjson", "github.com/tidwall/match", "github.com/tidwall/pretty",
	}
	out, err := exec.Command("go", "list", "-f", "{{if not .Standard}}{{.ImportPath}}: {{join .Imports \" \"}}{{end}}", "-deps", ".").Output()
	require.NoError(t, err)
	const otelAPI = "go.opentelemetry.io/otel"
	for line := range strings.Lines(string(out)) {
		path, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		// What the API itself is made of comes with it.
		fromAPI := path == otelAPI || strings.HasPrefix(path, otelAPI+"/") && !strings.HasPrefix(path, otelAPI+"/sdk") &&
			!strings.HasPrefix(path, otelAPI+"/exporters")
		ofAPI := strings.HasPrefix(path, "github.com/go-logr/") || strings.HasPrefix(path, "github.com/cespare/xxhash/") ||
			strings.HasPrefix(path, "go.opentelemetry.io/auto/sdk")
		if !fromAPI && !ofAPI {
			require.Contains(t, allowed, path)
		}
	}

	out, err = exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, ".").Output()
	require.NoError(t, err)
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSpace(path)
		if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
			continue // standard library
		}
		require.Contains(t, append(allowed, otelAPI, otelAPI+"/attribute", otelAPI+"/baggage", otelAPI+"/codes", otelAPI+"/log",
			otelAPI+"/metric", otelAPI+"/propagation", otelAPI+"/trace"), path)
	}
}
