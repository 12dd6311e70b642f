// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// labelled are the attributes of a call that come from its context.
func labelled(ctx context.Context, t testing.TB, request string, opts ...openaiotel.Option) map[string]any {
	got := make(map[string]any)
	for key, value := range observed(ctx, t, http.MethodPost, "https://api.openai.com/v1/responses", request, jsonAnswer(`{}`), opts...).recordedOne(t).Attributes {
		for _, prefix := range []string{"persona.", "user.", "gen_ai.conversation.", "gen_ai.prompt.", "team"} {
			if strings.HasPrefix(key, prefix) {
				got[key] = value
			}
		}
	}
	return got
}

func TestContext(t *testing.T) {
	ctx := openaiotel.WithPersona(t.Context(), "tech_educator")
	ctx = openaiotel.WithConversation(ctx, "thread-1")
	ctx = openaiotel.WithUser(ctx, "u-1")
	variables := map[string]string{"topic": "sums", "tone": "a\xffb"}
	ctx = openaiotel.WithPrompt(ctx, "explain", "3", variables)
	variables["topic"] = "changed later"
	ctx = openaiotel.WithAttributes(ctx, attribute.String("team", "a"))
	ctx = openaiotel.WithAttributes(ctx, attribute.Int("team.size", 2), attribute.String("persona.id", "not this one"))

	const request = `{"conversation":"conv_1","prompt":{"id":"pmpt_1","version":"9"}}`
	want := map[string]any{
		"persona.id": "tech_educator", "gen_ai.conversation.id": "thread-1", "user.id": "u-1", "gen_ai.prompt.name": "explain",
		"gen_ai.prompt.version": "3", "team": "a", "team.size": int64(2),
	}
	require.Equal(t, want, labelled(ctx, t, request))

	want["gen_ai.prompt.variable.topic"], want["gen_ai.prompt.variable.tone"] = "sums", "a\uFFFDb"
	require.Equal(t, want, labelled(ctx, t, request, openaiotel.WithContent(openaiotel.ContentSpan)))

	ctx = openaiotel.WithPrompt(openaiotel.WithUser(openaiotel.WithConversation(ctx, ""), ""), "", "", nil)
	require.Equal(t, map[string]any{
		"persona.id": "tech_educator", "gen_ai.conversation.id": "conv_1", "gen_ai.prompt.name": "pmpt_1", "gen_ai.prompt.version": "9",
		"team": "a", "team.size": int64(2),
	}, labelled(ctx, t, request))
}

func TestPersonaTravelsInBaggage(t *testing.T) {
	sender := openaiotel.WithUser(openaiotel.WithPersona(t.Context(), "tech educator, née ü"), "u-1")
	headers := make(http.Header)
	propagation.Baggage{}.Inject(sender, propagation.HeaderCarrier(headers))
	require.Empty(t, headers, "nothing travels unless asked for")
	propagation.Baggage{}.Inject(openaiotel.ContextWithBaggage(sender), propagation.HeaderCarrier(headers))

	worker := propagation.Baggage{}.Extract(t.Context(), propagation.HeaderCarrier(headers))
	require.Empty(t, labelled(worker, t, `{}`), "baggage is not believed unless asked for")
	require.Equal(t, map[string]any{"persona.id": "tech educator, née ü", "user.id": "u-1"},
		labelled(worker, t, `{}`, openaiotel.WithBaggage()))
	require.Equal(t, map[string]any{"persona.id": "own", "user.id": "u-1"},
		labelled(openaiotel.WithPersona(worker, "own"), t, `{}`, openaiotel.WithBaggage()))
}

func TestPropagators(t *testing.T) {
	for name, test := range map[string]struct {
		opts []openaiotel.Option
		want bool
	}{
		"none by default": {nil, false},
		"asked for":       {[]openaiotel.Option{openaiotel.WithPropagators(propagation.TraceContext{})}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(t)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/responses", http.NoBody)
			require.NoError(t, err)
			_, err = r.middleware(test.opts...)(req, func(sent *http.Request) (*http.Response, error) {
				require.Equal(t, test.want, sent.Header.Get("Traceparent") != "")
				return nil, nil
			})
			require.NoError(t, err)
			require.Empty(t, req.Header)
			require.Len(t, r.recorded(t), 1)
		})
	}
}

func TestOneSpanOfTwoInstrumentations(t *testing.T) {
	outer, inner := newRecorder(t), newRecorder(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/responses", http.NoBody)
	require.NoError(t, err)
	_, err = outer.middleware()(req, inner.transport(roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil })).RoundTrip)
	require.NoError(t, err)
	require.Len(t, outer.recorded(t), 1)
	require.Empty(t, inner.recorded(t))
}
