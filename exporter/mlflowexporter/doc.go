// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package mlflowexporter is a collector exporter that writes every LLM call found in traces as an MLflow run, in the
// experiment of its persona and day.
//
// It has three layers: internal/run says what a run has in it, and does no I/O; [tracking] speaks MLflow's REST API; the
// writer between them gets each run written once, whatever happens on the way.
//
// [tracking]: https://pkg.go.dev/github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking
package mlflowexporter
