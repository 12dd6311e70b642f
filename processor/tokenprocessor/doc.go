// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package tokenprocessor fills in the token counts that GenAI spans lack, and says for each how it was obtained. It writes what
// each call cost, and names the persona on every span.
//
// What a span says is read by internal/genai, how messages become tokens is known to internal/framing, texts are counted by
// internal/tiktoken, and prices are known to internal/pricing; this package decides what is missing and writes it.
package tokenprocessor
