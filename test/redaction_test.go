// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// secrets have the forms that redaction.yaml knows. None is anybody's.
var secrets = []string{
	"sk-proj-4f8Zk2Lm9Qw7Xy3Tb6Vn1Rc5", "sk-ant-api03-Qw7Xy3Tb6Vn1Rc54f8Z", "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
	"AKIAIOSFODNN7EXAMPLE", "xoxb-123456789012-abcdefghijkl", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc_def",
	"ada.lovelace+work@mail.example.com", "4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005",
}

// harmless looks like a secret and is none.
const harmless = "order 4711 of 2026-11-23, task-force-management-framework, 1234567890123456789, @ada, ask_me_anything_about_it"

func TestWhatRedactionMasksReachesMLflowByNoWay(t *testing.T) {
	mlflow := testbed.SharedMLflow(t)
	sent, address := recorded(t, mlflow)
	collector := startCollector(t, "otelcol-mlflow.yaml redaction.yaml", address)
	persona := newPersona()
	traces := ptrace.NewTraces()
	for _, secret := range secrets {
		withSecret(persona, secret).ResourceSpans().MoveAndAppendTo(traces.ResourceSpans())
	}
	require.NoError(t, collector.SendHTTP(t.Context(), traces))

	var runs []testbed.Run
	waitFor(t, "all calls are written", func() bool {
		runs = runsOf(t, mlflow, persona)
		ended := 0
		for _, run := range runs {
			if !run.End.IsZero() {
				ended++
			}
		}
		return ended == len(secrets)
	})
	require.NoError(t, collector.Stop())

	requests := sent()
	require.Contains(t, requests, persona)
	for _, secret := range secrets {
		require.NotContains(t, requests, secret)
	}
	for _, run := range runs {
		require.Equal(t, "gpt-4o · Mine is **** or****, and order 4711 of…", run.Name)
		require.Equal(t, "[system]\nYou know **** well.\n\n[user]\nMine is **** or****, and "+harmless+".", cutTail(run.Params["prompt"]))
		require.Equal(t, "Yours is **** now.\n→ look_up({\"key\":\"****\"})", run.Params["response"])
		require.Equal(t, "****", run.Tags["mlflow.user"])
		require.Contains(t, run.Tags["mlflow.note.content"], "refused: ****\n")
	}
}

// withSecret is a failed call that says a secret in every place that can carry one, on a line of its own, too. Its prompt
// is too long for a param.
func withSecret(persona, secret string) ptrace.Traces {
	traces := newCall(persona, "")
	resource := traces.ResourceSpans().At(0)
	resource.Resource().Attributes().PutStr("host.owner", secret)
	span := resource.ScopeSpans().At(0).Spans().At(0)
	span.SetName("chat for " + secret)
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage("refused: " + secret)
	event := span.Events().AppendEmpty()
	event.SetName("exception")
	event.Attributes().PutStr("exception.message", "no such key: "+secret)
	a := span.Attributes()
	a.PutStr(semconv.UserID, secret)
	a.PutStr(semconv.GenAIConversationID, secret)
	a.PutStr("app.note", secret)
	a.PutStr(semconv.GenAISystemInstructions, `[{"type":"text","content":"You know `+secret+` well."}]`)
	a.PutStr(semconv.GenAIInputMessages, messages("user", "Mine is "+secret+" or\n"+secret+", and "+harmless+"."+strings.Repeat(" Really.", 1000)))
	// As structured values, which an SDK may send as well.
	parts := a.PutEmptySlice(semconv.GenAIOutputMessages).AppendEmpty().SetEmptyMap()
	parts.PutStr("role", "assistant")
	list := parts.PutEmptySlice("parts")
	text := list.AppendEmpty().SetEmptyMap()
	text.PutStr("type", "text")
	text.PutStr("content", "Yours is "+secret+" now.")
	call := list.AppendEmpty().SetEmptyMap()
	call.PutStr("type", "tool_call")
	call.PutStr("id", "1")
	call.PutStr("name", "look_up")
	call.PutEmptyMap("arguments").PutStr("key", secret)
	return traces
}

func cutTail(text string) string {
	text, _, _ = strings.Cut(text, " Really.")
	return text
}

// recorded puts a proxy before a server. It returns its address, and what says all that was sent through it so far.
func recorded(t *testing.T, server string) (func() string, string) {
	t.Helper()
	target, err := url.Parse(server)
	require.NoError(t, err)
	var (
		mu  sync.Mutex
		all bytes.Buffer
	)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		body, err := io.ReadAll(r.In.Body)
		if err != nil {
			t.Error(err)
		}
		r.SetURL(target)
		r.Out.Body = io.NopCloser(bytes.NewReader(body))
		mu.Lock()
		defer mu.Unlock()
		all.WriteString(r.In.Method + " " + r.In.URL.String() + "\n")
		all.WriteString(unzipped(t, r.In.Header, body) + "\n")
	}})
	t.Cleanup(proxy.Close)
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return all.String()
	}, proxy.URL
}

func unzipped(t *testing.T, header http.Header, body []byte) string {
	if header.Get("Content-Encoding") != "gzip" {
		return string(body)
	}
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return ""
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}
