// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package tracking is a client of MLflow's tracking REST API: the calls that write runs, and nothing else.
//
// A finished run costs three calls, because MLflow has no bulk call for runs: [Client.CreateRun], which is not
// idempotent, then [Client.LogBatch] and [Client.UpdateRun], which are. Every method either succeeds or returns an
// [*Error], whose class says whether to try again, to look first, or to give up. The caller has made the values fit
// MLflow's limits: MLflow itself cuts long values, and drops the rest of a body after some malformed ones, with a 200.
package tracking
