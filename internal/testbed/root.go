// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Root is the folder of this module: the nearest one above the working directory that has builder-config.yaml.
func Root() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "builder-config.yaml")); err == nil {
			return folder, nil
		}
		above := filepath.Dir(folder)
		if above == folder {
			return "", errors.New("not inside a checkout of otelcol-mlflow: no folder above has builder-config.yaml")
		}
		folder = above
	}
}

// Made returns the path of a file below Root that make makes, and an error that names the target when it is not there.
func Made(path, target string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path = filepath.Join(root, path)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: run `make %s`", err, target)
	}
	return path, nil
}
