// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package run says what the MLflow run of a GenAI call has in it: names, params, metrics, tags, status and times.
//
// It is pure: the same call gives the same run, byte for byte, so that a repeated write changes nothing. Everything that
// it returns fits MLflow's limits and character rules, because MLflow cuts long values silently and answers 500 to
// others.
package run
