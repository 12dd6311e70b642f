// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// newPersona is a persona that no other test and no earlier run of this one has, to find the runs of a test by.
func newPersona() string {
	return "e2e_" + rand.Text()
}

// newTrace is a trace of one span, which ended just now.
func newTrace(name string) (ptrace.Traces, ptrace.Span) {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr(semconv.ServiceName, "e2e")
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName(name)
	now := time.Now()
	testbed.Stamp(span, now.Add(-250*time.Millisecond), now)
	return traces, span
}

// newCall is a trace of one LLM call with content and usage, as an instrumentation by the GenAI conventions sends it.
func newCall(persona, prompt string) ptrace.Traces {
	traces, span := newTrace("chat gpt-4o")
	span.SetKind(ptrace.SpanKindClient)
	attributes := span.Attributes()
	attributes.PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	attributes.PutStr(semconv.GenAIProviderName, semconv.ProviderOpenAI)
	attributes.PutStr(semconv.GenAIRequestModel, "gpt-4o")
	attributes.PutStr(semconv.PersonaID, persona)
	attributes.PutStr(semconv.GenAIInputMessages, messages("user", prompt))
	attributes.PutStr(semconv.GenAIOutputMessages, messages("assistant", "4"))
	attributes.PutInt(semconv.GenAIUsageInputTokens, 9)
	attributes.PutInt(semconv.GenAIUsageOutputTokens, 1)
	return traces
}

// messages is one message as the attributes for messages have it.
func messages(role, text string) string {
	type part struct {
		Type    string `json:"type"`
		Content string `json:"content"`
	}
	type message struct {
		Role  string `json:"role"`
		Parts []part `json:"parts"`
	}
	encoded, _ := json.Marshal([]message{{Role: role, Parts: []part{{Type: "text", Content: text}}}}) // strings never fail
	return string(encoded)
}

func spanID(traces ptrace.Traces) string {
	return traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SpanID().String()
}

// flow sends one call after the other until it is stopped. A call that is not accepted is sent again until it is, as an SDK
// would.
type flow struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	accepted []string // span ids
}

func startFlow(t *testing.T, collector *testbed.Collector, persona string) *flow {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &flow{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		next := newCall(persona, "What is 2+2?")
		for {
			// Not with ctx: a call that is being sent when the flow is stopped must not be accepted unnoticed.
			if collector.SendHTTP(context.WithoutCancel(ctx), next) == nil {
				f.mu.Lock()
				f.accepted = append(f.accepted, spanID(next))
				f.mu.Unlock()
				next = newCall(persona, "What is 2+2?")
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { f.stop() })
	return f
}

// soFar is how many calls the collector has accepted.
func (f *flow) soFar() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.accepted)
}

// stop ends the flow and returns the span ids of the calls that the collector has accepted.
func (f *flow) stop() []string {
	f.cancel()
	<-f.done
	return f.accepted
}
