// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package dashboards holds what an operator sees to what the collector says: the metrics of the shipped config to the spans
// that were sent, the rules in deploy/prometheus to when they must fire, and every expression of the dashboards in
// deploy/grafana to metrics that exist.
package dashboards
