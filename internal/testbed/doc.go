// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package testbed starts the real servers that tests and the demo run against, as child processes on free loopback
// ports, and reads from MLflow what became of the spans. It is test equipment: nothing that ships imports it.
//
// A server is ready when it answers, stops with all of its own children, and keeps its port and its data over a
// [Process.Restart]. Its output goes to a file, whose end is part of the error when it does not start.
package testbed
