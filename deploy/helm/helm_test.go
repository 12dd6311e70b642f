// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package helm tests the Helm chart as far as that can be done without a cluster: what it makes of the value files in
// testdata is compared with golden files, held against Kubernetes' schemas, and checked for names, ports and labels that
// must agree.
package helm

//go:generate helm-docs --chart-search-root otelcol-mlflow --log-level warning

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	chart       = "otelcol-mlflow"
	releaseName = "llm"
	namespace   = "telemetry"
	// newest is the newest Kubernetes whose schemas there are.
	newest = "1.37"
)

// program returns a tool that make builds, and makes `go test` run again when a file of the chart has changed.
func program(t *testing.T, path, target string) string {
	t.Helper()
	path, err := testbed.Made(path, target)
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(chart, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			_, err = os.Stat(path)
		}
		return err
	}))
	return path
}

// helm runs helm, away from what a developer has configured, and returns what it says on standard output and error.
func helm(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(program(t, ".tools/helm", ".tools/helm"), args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// render returns what the chart makes of the values, which are files or --set arguments.
func render(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return renderFor(t, newest, args...)
}

func renderFor(t *testing.T, kubernetes string, args ...string) (string, error) {
	t.Helper()
	stdout, stderr, err := helm(t, append([]string{
		// Without it, an old default of helm's own.
		"template", releaseName, chart, "--namespace", namespace, "--kube-version", kubernetes,
	}, args...)...)
	if err != nil {
		return stderr, err
	}
	return stdout, nil
}

// valueFiles are the files in testdata/values, by name without extension.
func valueFiles(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/values/*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 8)
	values := map[string]string{}
	for _, file := range files {
		_, err := os.Stat(file)
		require.NoError(t, err)
		values[strings.TrimSuffix(filepath.Base(file), ".yaml")] = file
	}
	return values
}

func TestRendersAsInGoldenFiles(t *testing.T) {
	for name, file := range valueFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rendered, err := render(t, "--values", file)
			require.NoError(t, err, rendered)
			rendered = withoutShippedFiles(t, rendered)
			golden := filepath.Join("testdata/golden", name+".yaml")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(rendered), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err, "go test ./deploy/helm -update")
			require.Equal(t, string(want), rendered, "if it is meant: go test ./deploy/helm -update, and look at the difference")
		})
	}
}

var checksum = regexp.MustCompile(`checksum/config: [0-9a-f]{64}`)

// withoutShippedFiles replaces what the chart copies as it is by its name, so that golden files do not change with it.
func withoutShippedFiles(t *testing.T, rendered string) string {
	t.Helper()
	for path, content := range shippedFiles(t) {
		for _, indent := range []string{"  ", "    "} {
			indented := indent + strings.ReplaceAll(strings.TrimSuffix(content, "\n"), "\n", "\n"+indent)
			rendered = strings.ReplaceAll(rendered, indented, indent+"…"+path+"…")
		}
	}
	return checksum.ReplaceAllLiteralString(rendered, "checksum/config: …")
}

// shippedFiles are the files that the chart takes from elsewhere, by path in the chart.
func shippedFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, pattern := range []string{"files/*.*", "files/*/*.*"} {
		paths, err := filepath.Glob(filepath.Join(chart, pattern))
		require.NoError(t, err)
		for _, path := range paths {
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			inChart, err := filepath.Rel(chart, path)
			require.NoError(t, err)
			files[inChart] = string(content)
		}
	}
	require.Contains(t, files, "files/otelcol-mlflow.yaml")
	return files
}

func TestKubernetesTakesWhatItRenders(t *testing.T) {
	kubeconform := program(t, ".tools/kubeconform", ".tools/kubeconform")
	schemas, err := testbed.Made(".tools/deploy/schemas", ".tools/deploy")
	require.NoError(t, err)
	for _, kubernetes := range []string{"1.30", newest} {
		t.Run(kubernetes, func(t *testing.T) {
			t.Parallel()
			rendered := t.TempDir()
			for name, file := range valueFiles(t) {
				manifests, err := renderFor(t, kubernetes, "--values", file)
				require.NoError(t, err, manifests)
				require.NoError(t, os.WriteFile(filepath.Join(rendered, name+".yaml"), []byte(manifests), 0o600))
			}
			output, err := exec.Command(kubeconform, "-strict", "-summary",
				"-schema-location", filepath.Join(schemas, kubernetes, "{{.ResourceKind}}{{.KindSuffix}}.json"),
				"-schema-location", "testdata/crds/{{.ResourceKind}}.json",
				rendered).CombinedOutput()
			require.NoError(t, err, string(output))
			require.Contains(t, string(output), "Skipped: 0")
		})
	}
}

func TestUnknownFieldsWouldBeFound(t *testing.T) {
	kubeconform := program(t, ".tools/kubeconform", ".tools/kubeconform")
	schemas, err := testbed.Made(".tools/deploy/schemas", ".tools/deploy")
	require.NoError(t, err)
	for name, manifest := range map[string]string{
		"Kubernetes' own": "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: x}, spec: {maxUnavailable: 1, typo: 1}}",
		"custom":          "{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: x}, spec: {selector: {}, endpoints: [{typo: 1}]}}",
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(kubeconform, "-strict",
				"-schema-location", filepath.Join(schemas, newest, "{{.ResourceKind}}{{.KindSuffix}}.json"),
				"-schema-location", "testdata/crds/{{.ResourceKind}}.json")
			cmd.Stdin = strings.NewReader(manifest)
			output, err := cmd.CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(output), "additional properties 'typo' not allowed")
		})
	}
}

func TestLint(t *testing.T) {
	for name, file := range valueFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, err := helm(t, "lint", chart, "--strict", "--namespace", namespace, "--kube-version", newest, "--values", file)
			require.NoError(t, err, stdout+stderr)
		})
	}
}

// The chart takes the image of its own version.
func TestVersionIsThatOfTheDistribution(t *testing.T) {
	var metadata struct {
		Version    string `yaml:"version"`
		AppVersion string `yaml:"appVersion"`
	}
	readYAML(t, chart+"/Chart.yaml", &metadata)
	var distribution struct {
		Dist struct {
			Version string `yaml:"version"`
		} `yaml:"dist"`
	}
	readYAML(t, "../../builder-config.yaml", &distribution)
	require.Equal(t, distribution.Dist.Version, metadata.AppVersion)
	require.Equal(t, distribution.Dist.Version, metadata.Version)
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, into))
}

// A package has the files that are links in this repository, and renders as the folder does.
func TestPackageIsWhole(t *testing.T) {
	_, packaged := packageChart(t)

	values := valueFiles(t)["monitoring"]
	want, err := render(t, "--values", values)
	require.NoError(t, err, want)
	got, stderr, err := helm(t, "template", releaseName, packaged, "--namespace", namespace, "--kube-version", newest, "--values", values)
	require.NoError(t, err, stderr)
	require.Equal(t, want, got)
}

// packageChart returns a folder, and the package that helm has made in it.
func packageChart(t *testing.T) (folder, path string) {
	t.Helper()
	folder = t.TempDir()
	stdout, stderr, err := helm(t, "package", chart, "--destination", folder)
	require.NoError(t, err, stdout+stderr)
	packages, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	require.NoError(t, err)
	require.Len(t, packages, 1)
	return folder, packages[0]
}

// NOTES.txt is not in what `helm template` prints, so a chart with one more template prints it.
func TestNotesSayHowToGoOn(t *testing.T) {
	folder, packaged := packageChart(t)
	output, err := exec.Command("tar", "-xzf", packaged, "-C", folder).CombinedOutput()
	require.NoError(t, err, string(output))
	const shown = "templates/shown-notes.yaml"
	require.NoError(t, os.WriteFile(filepath.Join(folder, chart, shown),
		[]byte(`notes: {{ include (print .Template.BasePath "/NOTES.txt") . | toJson }}`), 0o600))

	for values, say := range map[string][]string{
		"default": {
			"kubectl port-forward --namespace telemetry svc/llm-otelcol-mlflow-mlflow 8085:5000",
			"http://llm-otelcol-mlflow-collector.telemetry:4318",
			"mlflow.auth.enabled is off",
			"otelcol_exporter_queue_size is 0",
		},
		"external-mlflow": {"The runs are in https://mlflow.example.com"},
		"memory-queue":    {"spans that wait are lost with their pod"},
		"mlflow-ha-minio": {"8085:80"},
	} {
		t.Run(values, func(t *testing.T) {
			stdout, stderr, err := helm(t, "template", releaseName, filepath.Join(folder, chart), "--namespace", namespace,
				"--kube-version", newest, "--values", valueFiles(t)[values], "--show-only", shown)
			require.NoError(t, err, stderr)
			for _, text := range say {
				require.Contains(t, stdout, text)
			}
		})
	}
}
