// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package openaiotel turns the HTTP calls of any OpenAI client into OpenTelemetry GenAI client spans and metrics, without
// delaying, changing or breaking a call.
//
// Use [Middleware] with openai-go (v1, v2 and v3); use [NewTransport] with every client that takes an http.Client or an
// http.RoundTripper. Both observe the same calls and write the same span; requests to other endpoints pass through
// untouched. [RecordCall] and [RecordBatch] write it for calls that were made some other way.
//
// A span is one HTTP attempt, or with [Do] a call with all its retries. It starts before the request is sent and ends when
// the answer is complete: at the last byte of a body, at the [DONE] or the last event of a stream, when the application
// closes the body, when reading fails or when the context ends. Without Do an attempt that an SDK retried is a span of its
// own, and the next one carries http.request.resend_count.
//
// Names are those of the GenAI semantic conventions 1.41. Prompts and answers stay in the application unless [WithContent]
// or the environment turns them on.
package openaiotel
