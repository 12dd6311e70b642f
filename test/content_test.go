// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// The collectors' own limits, 4 MiB for gRPC and 20 MiB for HTTP, are raised in the shipped configs.
func TestAPromptOfTenMegabytesBecomesARunWithItsBeginningAndEnd(t *testing.T) {
	const longest = 6000 // that MLflow keeps of a param, in characters
	mlflow := testbed.SharedMLflow(t)
	collector := startCollector(t, "otelcol-mlflow.yaml", mlflow)
	prompt := "Summarize: " + strings.Repeat("lorem ipsum ", 10<<20/12) + "What is it about?"

	for name, send := range map[string]func(context.Context, ptrace.Traces) error{
		"OTLP over gRPC": collector.SendGRPC,
		"OTLP over HTTP": collector.SendHTTP,
	} {
		t.Run(name, func(t *testing.T) {
			persona := newPersona()
			require.NoError(t, send(t.Context(), newCall(persona, prompt)))
			waitFor(t, "the call is written", func() bool { return written(t, mlflow, persona) == 1 })

			run := runsOf(t, mlflow, persona)[0]
			param := run.Params["prompt"]
			require.Equal(t, longest, utf8.RuneCountInString(param))
			head, rest, found := strings.Cut(param, "…[")
			require.True(t, found, "the cut is marked")
			marker, tail, found := strings.Cut(rest, "]…")
			require.True(t, found, "the cut is marked")
			require.Regexp(t, `^\d+ characters cut, whole in artifact prompt\.txt$`, marker)
			require.True(t, strings.HasPrefix(prompt, head))
			require.True(t, strings.HasSuffix(prompt, tail))
			waitFor(t, "the whole prompt is an artifact", func() bool {
				whole, err := testbed.NewReader(mlflow).Artifact(t.Context(), run.ID, "prompt.txt")
				return err == nil && whole == prompt
			})
		})
	}
}
