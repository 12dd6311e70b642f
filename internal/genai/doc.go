// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package genai turns a span of any supported GenAI dialect into one [Call].
//
// The token processor and the MLflow exporter read spans through this package and nothing else, with the same options,
// so they agree on what a call is and on what it says. A dialect is a table (see dialect.go): the attribute names that
// one family of emitters uses, and how it carries message content. A span that fits several dialects is merged field by
// field, the first dialect of the list wins. Nothing is ever decided by a span's name. docs/dialects.md says what is read
// from whom.
//
// Reading does not allocate and does not touch message content, which can be megabytes of JSON; [Call.Messages] parses
// it when asked. The package does no I/O and never changes a span.
package genai
