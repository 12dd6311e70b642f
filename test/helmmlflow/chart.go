// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// container is what Kubernetes runs, as far as it matters here.
type container struct {
	Name    string   `yaml:"name"`
	Command []string `yaml:"command"`
	Args    []string `yaml:"args"`
	Env     []struct {
		Name      string `yaml:"name"`
		Value     string `yaml:"value"`
		ValueFrom struct {
			SecretKeyRef *struct{ Name, Key string } `yaml:"secretKeyRef"`
			FieldRef     *struct {
				FieldPath string `yaml:"fieldPath"`
			} `yaml:"fieldRef"`
		} `yaml:"valueFrom"`
	} `yaml:"env"`
	Resources struct {
		Requests struct {
			Memory string `yaml:"memory"`
		} `yaml:"requests"`
	} `yaml:"resources"`
}

// chart is what the chart makes of some values: containers and files of ConfigMaps, by name.
type chart struct {
	containers map[string]container
	files      map[string]string
}

// secrets has values by Secret and key, such as mlflow-admin/password.
type secrets map[string]string

// render takes a file of the chart's tests.
func render(ctx context.Context, values string) (chart, error) {
	c := chart{containers: map[string]container{}, files: map[string]string{}}
	helm, err := testbed.Made(".tools/helm", ".tools/helm")
	if err != nil {
		return c, err
	}
	root, err := testbed.Root()
	if err != nil {
		return c, err
	}
	cmd := exec.CommandContext(ctx, helm, "template", "llm", "deploy/helm/otelcol-mlflow", "--namespace", "telemetry",
		"--kube-version", "1.37", "--values", filepath.Join("deploy/helm/testdata/values", values))
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	rendered, err := cmd.Output()
	if err != nil {
		return c, fmt.Errorf("rendering the chart: %w\n%s", err, stderr.String())
	}
	documents := yaml.NewDecoder(bytes.NewReader(rendered))
	for {
		var object struct {
			Spec struct {
				Template struct {
					Spec struct {
						InitContainers []container `yaml:"initContainers"`
						Containers     []container `yaml:"containers"`
					} `yaml:"spec"`
				} `yaml:"template"`
			} `yaml:"spec"`
			Data map[string]string `yaml:"data"`
		}
		err := documents.Decode(&object)
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		pods := object.Spec.Template.Spec
		for _, pod := range slices.Concat(pods.InitContainers, pods.Containers) {
			c.containers[pod.Name] = pod
		}
		maps.Copy(c.files, object.Data)
	}
}

// environment is that of the container, with the secrets in it. As in Kubernetes, $(NAME) stands for a variable above.
func (c container) environment(s secrets) ([]string, error) {
	var env []string
	for _, variable := range c.Env {
		value := c.expand(variable.Value, env)
		if ref := variable.ValueFrom.SecretKeyRef; ref != nil {
			var found bool
			if value, found = s[ref.Name+"/"+ref.Key]; !found {
				return nil, fmt.Errorf("%s of %s is %s of Secret %s, which there is not", variable.Name, c.Name, ref.Key, ref.Name)
			}
		}
		if ref := variable.ValueFrom.FieldRef; ref != nil {
			if ref.FieldPath != "status.podIP" {
				return nil, fmt.Errorf("%s of %s is %s, which is not known here", variable.Name, c.Name, ref.FieldPath)
			}
			value = podIP
		}
		env = append(env, variable.Name+"="+value)
	}
	return env, nil
}

// arguments are those of the container, without its program.
func (c container) arguments(env []string) []string {
	var args []string
	for _, arg := range slices.Concat(c.Command[1:], c.Args) {
		args = append(args, c.expand(arg, env))
	}
	return args
}

func (container) expand(text string, env []string) string {
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		text = strings.ReplaceAll(text, "$("+name+")", value)
	}
	return text
}

// program is the one that the container runs, from the Python packages that stand for MLflow's image.
func (c container) program() (string, error) {
	return testbed.Made(filepath.Join(".tools/mlflow-full/bin", c.Command[0]), ".tools/mlflow-full")
}
