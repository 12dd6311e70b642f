// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// CollectorConfig describes a collector.
type CollectorConfig struct {
	// Configs are files, in the order of their --config arguments. Together they must have the otlp receiver with both
	// protocols and the health_check extension.
	Configs []string
	Set     []string // overrides as `--set` takes them: a.b.c=value
	Env     []string // added to the environment, such as MLFLOW_TRACKING_URI=http://…
	Dir     string   // log and, where the configs name it by OTELCOL_STORAGE, the queue on disk
	Path    string   // of the binary; empty means the distribution that `make build` makes
	// UsualPorts asks for OTLP on 4317 and 4318, where applications send it without being told. Each that is taken is
	// replaced by a free one.
	UsualPorts bool
}

// Collector is a running collector.
type Collector struct {
	*Process
	GRPC    string // host:port of OTLP/gRPC
	HTTP    string // host:port of OTLP/HTTP
	Metrics string // URL of the collector's own metrics, for Prometheus
	Calls   string // URL of the metrics of LLM calls, where the configs have the prometheus exporter
}

// StartCollector starts a collector. All that it listens on gets free loopback ports, whatever the configs say.
func StartCollector(ctx context.Context, config CollectorConfig) (*Collector, error) {
	program, err := CollectorBinary()
	if config.Path != "" {
		program, err = config.Path, nil
	}
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	if config.UsualPorts {
		for i, usual := range []int{4317, 4318} {
			if IsFree(usual) {
				ports[i] = usual
			}
		}
	}
	grpc, httpAddress, health := LoopbackAddress(ports[0]), LoopbackAddress(ports[1]), LoopbackAddress(ports[2])
	metrics, calls := ports[3], LoopbackAddress(ports[4])

	var args []string
	for _, location := range config.Configs {
		// Looked at here too, so that `go test` does not take an old result for one with a config that has changed.
		if _, err := os.Stat(location); err != nil {
			return nil, fmt.Errorf("config of the collector: %w", err)
		}
		args = append(args, "--config", location)
	}
	for _, override := range append([]string{
		"receivers.otlp.protocols.grpc.endpoint=" + grpc,
		"receivers.otlp.protocols.http.endpoint=" + httpAddress,
		"extensions.health_check.endpoint=" + health,
		"exporters.prometheus.endpoint=" + calls, // unused by configs without it
		fmt.Sprintf("service.telemetry.metrics.readers=[{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %d}}}}]", metrics),
	}, config.Set...) {
		args = append(args, "--set", override)
	}
	process, err := StartProcess(ctx, ProcessConfig{
		Name:  "the collector",
		Path:  program,
		Args:  args,
		Env:   append([]string{"OTELCOL_STORAGE=" + filepath.Join(dir, "storage")}, config.Env...),
		Log:   filepath.Join(dir, "collector.log"),
		Ready: func(ctx context.Context) error { return get(ctx, "http://"+health) },
	})
	if err != nil {
		return nil, err
	}
	return &Collector{
		Process: process,
		GRPC:    grpc,
		HTTP:    httpAddress,
		Metrics: "http://" + LoopbackAddress(metrics) + "/metrics",
		Calls:   "http://" + calls + "/metrics",
	}, nil
}

// Busy is how much the collector has to do, by its own metrics: what is in its queue, and spans to look at again.
func (c *Collector) Busy(ctx context.Context) (float64, error) {
	own, err := c.OwnMetrics(ctx, "otelcol_exporter_queue_size", "otelcol_mlflow_doubts_waiting")
	if err != nil {
		return 0, err
	}
	return own[0] + own[1], nil
}

// OwnMetrics returns metrics of the collector's own, as Prometheus names them, each summed over its labels. One that there
// is not is an error.
func (c *Collector) OwnMetrics(ctx context.Context, names ...string) ([]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Metrics, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	sums, found := make([]float64, len(names)), make([]bool, len(names))
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name := lines.Text()
		if end := strings.IndexAny(name, "{ "); end > 0 {
			name = name[:end]
		}
		i := slices.Index(names, name)
		if i < 0 {
			continue
		}
		value, err := strconv.ParseFloat(lines.Text()[strings.LastIndexByte(lines.Text(), ' ')+1:], 64)
		if err != nil {
			return nil, err
		}
		sums[i] += value
		found[i] = true
	}
	if missing := slices.Index(found, false); missing >= 0 {
		return nil, fmt.Errorf("%s has no %s", c.Metrics, names[missing])
	}
	return sums, lines.Err()
}

// CollectorBinary is the path of the collector distribution, or an error that says how to build it.
func CollectorBinary() (string, error) {
	path, err := Made("_build/otelcol-mlflow", "build")
	if err != nil {
		return "", fmt.Errorf("the collector is not built: %w", err)
	}
	return path, nil
}

// get returns nil when a URL answers with 200.
func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
