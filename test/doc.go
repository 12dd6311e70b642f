// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the built collector between real OTLP clients and a real MLflow server. Its subfolders are programs
// that run tests and the demo.
package e2e
