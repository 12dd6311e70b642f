// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// single runs the pod of the single profile, which has everything on one volume.
func single(ctx context.Context, dir string) (err error) {
	chart, err := render(ctx, "mlflow-single-auth.yaml")
	if err != nil {
		return err
	}
	volume := filepath.Join(dir, "mlflow")
	secrets := accounts()
	if err := secrets.addConfig(volume, strings.ReplaceAll(chart.files["basic_auth.ini"], "/mlflow/", volume+"/")); err != nil {
		return err
	}
	if err := migrate(ctx, chart, secrets, dir); err != nil {
		return err
	}
	fmt.Println("ok    single: the migration before the start")
	server, err := startServer(ctx, chart, secrets, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if err := makeWriter(ctx, server); err != nil {
		return err
	}
	if err := sendCall(ctx, chart, secrets, server, dir, longPrompt); err != nil {
		return err
	}
	fmt.Println("ok    single: a call, of a user who is no administrator")
	for _, file := range []string{"mlflow.db", "basic_auth.db", "artifacts/1/*/artifacts/prompt.txt"} {
		if found, err := filepath.Glob(filepath.Join(volume, file)); err != nil || len(found) != 1 {
			return errors.Join(err, fmt.Errorf("the volume has not %s once, but %v", file, found))
		}
	}
	fmt.Println("ok    single: databases and the long prompt are on the volume")

	text := chart.containers["mlflow"].Resources.Requests.Memory
	request, err := strconv.Atoi(strings.TrimSuffix(text, "Mi"))
	if err != nil {
		return err
	}
	used, err := server.memory()
	if err == nil && used>>20 > request {
		err = fmt.Errorf("MLflow takes %d MiB, and its pod asks for %s", used>>20, text)
	}
	fmt.Printf("ok    single: MLflow takes %d MiB of the %s that its pod asks for\n", used>>20, text)
	return err
}

var proportional = regexp.MustCompile(`(?m)^Pss: +(\d+) kB$`)

// memory is what the server's processes take in bytes, what they share once.
func (s *server) memory() (int, error) {
	folders, err := filepath.Glob("/proc/[0-9]*")
	sum := 0
	for _, process := range folders {
		if cwd, err := os.Readlink(filepath.Join(process, "cwd")); err != nil || cwd != s.cwd {
			continue
		}
		if rollup, err := os.ReadFile(filepath.Join(process, "smaps_rollup")); err == nil {
			if found := proportional.FindSubmatch(rollup); found != nil {
				kB, _ := strconv.Atoi(string(found[1]))
				sum += kB << 10
			}
		}
	}
	if sum == 0 {
		err = errors.Join(err, errors.New("no process of the server found"))
	}
	return sum, err
}
