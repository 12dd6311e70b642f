// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command grafana writes the Grafana dashboards in the folder dashboards: every metric in them is one that docs/metrics.md
// has, and tests in test/dashboards hold them to a real Prometheus.
//
//go:generate go run .
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	for name, d := range map[string]dashboard{
		"personas":  personas(),
		"latency":   latency(),
		"models":    models(),
		"prompts":   prompts(),
		"tools":     tools(),
		"anomalies": anomalies(),
		"pipeline":  pipeline(),
	} {
		if err := write(filepath.Join("dashboards", name+".json"), d); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func write(path string, d dashboard) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(d); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644) //nolint:gosec // for everybody to read
}
