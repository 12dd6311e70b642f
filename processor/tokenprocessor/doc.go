// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package tokenprocessor fills in the token counts that GenAI spans lack, and says for each how it was obtained.
//
// What a span says is read by internal/genai, how messages become tokens is known to internal/framing, and texts are
// counted by internal/tiktoken; this package decides which numbers are missing and writes them.
package tokenprocessor
