// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package postgres writes finished runs into the PostgreSQL database of an MLflow server, many in one transaction, and each
// at most once however often it is handed over. It is for those who may write that database; package tracking asks the
// server instead, is some hundred times slower and works with every MLflow.
//
// A run's id follows from its span ([RunID]), so the primary key of MLflow's table says whether a run was written: one
// that is there is left as it is, with all that users have changed about it. The rows are those that MLflow's own store
// writes for the same run (mlflow/store/tracking/sqlalchemy_store.py: create_run, log_batch, update_run_info), which holds
// for the schemas that it was tested with; every transaction looks at the schema first and refuses any other ([Schemas]).
package postgres
