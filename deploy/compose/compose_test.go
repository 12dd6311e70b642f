// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package compose tests the compose file without containers: it is valid, its files are there, and what its services
// call each other is what they are called.
package compose

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

type project struct {
	Services map[string]struct {
		Command     []string
		Environment map[string]string
		Ports       []struct {
			HostIP    string `json:"host_ip"`
			Published string
			Target    int
		}
		Volumes []struct{ Type, Source, Target string }
	}
}

// load reads the compose file as docker compose does, with nothing from this environment.
func load(t *testing.T) project {
	t.Helper()
	program, err := testbed.Made(".tools/compose", ".tools/compose")
	require.NoError(t, err)
	_, err = os.Stat("compose.yaml") // so that `go test` runs again when it has changed
	require.NoError(t, err)
	cmd := exec.Command(program, "--format", "json", "compose.yaml")
	cmd.Env = []string{}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.Empty(t, stderr.String(), "warnings")
	var p project
	require.NoError(t, json.Unmarshal(output, &p))
	return p
}

func TestNothingIsOpenToOtherMachines(t *testing.T) {
	published := map[string][]string{}
	for name, service := range load(t).Services {
		for _, port := range service.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s publishes %d", name, port.Target)
			published[name] = append(published[name], port.Published)
		}
	}
	require.Equal(t, map[string][]string{
		"mlflow": {"8085"}, "collector": {"4317", "4318"}, "prometheus": {"9090"}, "grafana": {"3000"},
	}, published)
}

func TestFilesThatAreMountedAreThere(t *testing.T) {
	mounted := 0
	for name, service := range load(t).Services {
		for _, volume := range service.Volumes {
			if volume.Type == "bind" {
				_, err := os.Stat(volume.Source)
				require.NoError(t, err, name)
				mounted++
			}
		}
	}
	require.Equal(t, 6, mounted)
	dashboards, err := filepath.Glob("../grafana/dashboards/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, dashboards, "what Grafana's provisioning finds in /var/lib/grafana/dashboards")
}

func TestMLflowAnswersThoseWhoCallIt(t *testing.T) {
	services := load(t).Services
	allowed := strings.Split(services["mlflow"].Environment["MLFLOW_SERVER_ALLOWED_HOSTS"], ",")
	require.Contains(t, allowed, "localhost:"+services["mlflow"].Ports[0].Published, "the browser")
	endpoint, err := url.Parse(services["collector"].Environment["MLFLOW_TRACKING_URI"])
	require.NoError(t, err)
	require.Contains(t, allowed, endpoint.Host, "the collector")
	require.Contains(t, services, endpoint.Hostname())
	require.Contains(t, services["mlflow"].Command, "--port="+endpoint.Port())
	require.Contains(t, allowed, "mlflow:5000", "Prometheus")
}

// prometheusConfig is the part of Prometheus's config that the two files share.
type prometheusConfig struct {
	Global        map[string]string `yaml:"global"`
	RuleFiles     []string          `yaml:"rule_files"`
	ScrapeConfigs []struct {
		JobName       string `yaml:"job_name"`
		HonorLabels   bool   `yaml:"honor_labels"`
		StaticConfigs []struct {
			Targets []string
		} `yaml:"static_configs"`
	} `yaml:"scrape_configs"`
}

func readPrometheus(t *testing.T, path string) prometheusConfig {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	var config prometheusConfig
	require.NoError(t, decoder.Decode(&config))
	return config
}

func TestPrometheusIsTheOneThatIsShipped(t *testing.T) {
	shipped, here := readPrometheus(t, "../prometheus/prometheus.yaml"), readPrometheus(t, "prometheus.yaml")
	addresses := map[string]string{"localhost:8889": "collector:8889", "localhost:8888": "collector:8888", "localhost:5000": "mlflow:5000"}
	for _, scrape := range shipped.ScrapeConfigs {
		for i, target := range scrape.StaticConfigs[0].Targets {
			scrape.StaticConfigs[0].Targets[i] = addresses[target]
		}
	}
	for i, file := range shipped.RuleFiles {
		_, err := os.Stat(filepath.Join("../prometheus", file))
		require.NoError(t, err)
		matched, err := filepath.Match(here.RuleFiles[0], "rules/"+file)
		require.NoError(t, err)
		require.True(t, matched, shipped.RuleFiles[i])
	}
	shipped.RuleFiles = here.RuleFiles
	require.Equal(t, shipped, here)
}

func TestCollectorTakesItsConfig(t *testing.T) {
	binary, err := testbed.CollectorBinary()
	require.NoError(t, err)
	const config = "../collector/otelcol-mlflow.yaml"
	_, err = os.Stat(config)
	require.NoError(t, err)
	cmd := exec.Command(binary, "validate", "--config", config)
	cmd.Env = append(testbed.CleanEnv(), "OTELCOL_LISTEN=0.0.0.0", "OTELCOL_STORAGE=/var/lib/otelcol-mlflow")
	for name, value := range load(t).Services["collector"].Environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))
}
