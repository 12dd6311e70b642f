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
	for name, d := range dashboards() {
		if err := write(filepath.Join("dashboards", name), d); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// dashboards are those that are shipped, by the name of their file.
func dashboards() map[string]dashboard {
	return map[string]dashboard{
		"personas.json":  personas(),
		"latency.json":   latency(),
		"models.json":    models(),
		"prompts.json":   prompts(),
		"tools.json":     tools(),
		"anomalies.json": anomalies(),
		"pipeline.json":  pipeline(),
	}
}

func write(path string, d dashboard) error {
	content, err := encode(d)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644) //nolint:gosec // for everybody to read
}

func encode(d dashboard) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(d)
	return out.Bytes(), err
}
