// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

func TestForModel(t *testing.T) {
	for model, want := range map[string]tiktoken.Encoding{
		"gpt-6":                                 tiktoken.O200kBase,
		"gpt-6.1-mini":                          tiktoken.O200kBase,
		"gpt-5":                                 tiktoken.O200kBase,
		"gpt-5-nano-2025-08-07":                 tiktoken.O200kBase,
		"gpt-5.6":                               tiktoken.O200kBase,
		"gpt-5.1-codex-max":                     tiktoken.O200kBase,
		"gpt-4.5-preview-2025-02-27":            tiktoken.O200kBase,
		"gpt-4.1":                               tiktoken.O200kBase,
		"gpt-4.1-nano-2025-04-14":               tiktoken.O200kBase,
		"gpt-4o":                                tiktoken.O200kBase,
		"gpt-4o-mini-2024-07-18":                tiktoken.O200kBase,
		"chatgpt-4o-latest":                     tiktoken.O200kBase,
		"o1":                                    tiktoken.O200kBase,
		"o1-preview-2024-09-12":                 tiktoken.O200kBase,
		"o3-mini":                               tiktoken.O200kBase,
		"o4-mini-2025-04-16":                    tiktoken.O200kBase,
		"ft:gpt-4o-mini-2024-07-18:acme:bot:id": tiktoken.O200kBase,
		"ft:gpt-4.1-mini-2025-04-14:acme::id":   tiktoken.O200kBase,
		"openai/gpt-4o":                         tiktoken.O200kBase,
		"openrouter/openai/gpt-4o:extended":     tiktoken.O200kBase,
		"azure/gpt-4o":                          tiktoken.O200kBase,
		"GPT-4o":                                tiktoken.O200kBase,
		"gpt-audio-mini-2025-10-06":             tiktoken.O200kBase,
		"gpt-realtime-2025-08-28":               tiktoken.O200kBase,
		"computer-use-preview-2025-03-11":       tiktoken.O200kBase,
		"codex-mini-latest":                     tiktoken.O200kBase,
		"gpt-oss-120b":                          tiktoken.O200kHarmony,
		"gpt-oss:20b":                           tiktoken.O200kHarmony,
		"openai.gpt-oss-20b-1:0":                tiktoken.O200kHarmony,
		"openai/gpt-oss-120b":                   tiktoken.O200kHarmony,
		"text-davinci-edit-001":                 tiktoken.P50kEdit,
		"code-davinci-edit-001":                 tiktoken.P50kEdit,
		"gpt-4":                                 tiktoken.Cl100kBase,
		"gpt-4-0613":                            tiktoken.Cl100kBase,
		"gpt-4-32k":                             tiktoken.Cl100kBase,
		"gpt-4-turbo-2024-04-09":                tiktoken.Cl100kBase,
		"gpt-4-1106-preview":                    tiktoken.Cl100kBase,
		"gpt-3.5-turbo":                         tiktoken.Cl100kBase,
		"gpt-3.5-turbo-0125":                    tiktoken.Cl100kBase,
		"gpt-35-turbo-16k":                      tiktoken.Cl100kBase,
		"azure/gpt-35-turbo":                    tiktoken.Cl100kBase,
		"ft:gpt-3.5-turbo-0613:acme::id":        tiktoken.Cl100kBase,
		"ft:davinci-002:acme::id":               tiktoken.Cl100kBase,
		"babbage-002":                           tiktoken.Cl100kBase,
		"text-embedding-3-small":                tiktoken.Cl100kBase,
		"text-embedding-3-large":                tiktoken.Cl100kBase,
		"text-embedding-ada-002":                tiktoken.Cl100kBase,
		"text-embedding-ada-002-v2":             tiktoken.Cl100kBase,
		"text-davinci-003":                      tiktoken.P50kBase,
		"code-davinci-002":                      tiktoken.P50kBase,
		"text-davinci-001":                      tiktoken.R50kBase,
		"davinci":                               tiktoken.R50kBase,
		"davinci:ft-acme-2023-01-01":            tiktoken.R50kBase,
	} {
		got, ok := tiktoken.ForModel(model)
		require.True(t, ok, model)
		require.Equal(t, want, got, model)
	}
}

func TestForModelDoesNotGuess(t *testing.T) {
	for _, model := range []string{
		"", "/", "-", ".", "ft:", ":", "gpt", "gpt-", "gpt-4.2", "gpt-4.15", "gpt-45", "gpt-50", "gpt4o", "o", "o10", "o2-mini",
		"my-gpt-4o", "prod-chat", "claude-opus-4-8", "anthropic/claude-sonnet-5", "gemini-2.5-pro", "llama-3.3-70b",
		"mistral-large", "EleutherAI/gpt-j-6b", "gpt-neo", "text-embedding-4", "gpt-4o/other",
		"openai.", "openai.gpt", ".gpt-4o", "a1.gpt-4o",
	} {
		_, ok := tiktoken.ForModel(model)
		require.False(t, ok, model)
	}
}

func FuzzForModel(f *testing.F) {
	for _, seed := range []string{"gpt-4o", "ft:gpt-4o:a::b", "a/b/", "-.-", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, model string) {
		if encoding, ok := tiktoken.ForModel(model); ok {
			require.Contains(t, tiktoken.Encodings(), encoding)
		}
	})
}
