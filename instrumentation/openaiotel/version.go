// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

// ScopeName is the name of the instrumentation scope of every span.
const ScopeName = "github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"

// Version is the version of the instrumentation scope of every span.
const Version = "0.1.0"

// schemaURL names the last release of the core conventions that has the GenAI attributes.
const schemaURL = "https://opentelemetry.io/schemas/1.41.0"
