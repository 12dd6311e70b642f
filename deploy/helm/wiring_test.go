// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// theUsers are the objects that value files name and the chart does not make.
var theUsers = map[string]bool{"llm-prices": true, "mlflow-data": true, "llm-runs-existing": true}

// Kubernetes takes names, ports and labels that fit nothing; then no packet arrives, and nobody says why.
func TestNamesPortsAndLabelsMeanWhatIsThere(t *testing.T) {
	for name, file := range valueFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rendered, err := render(t, "--values", file)
			require.NoError(t, err, rendered)
			r := parse(t, rendered)
			checkPods(t, r)
			checkServices(t, r)
			checkServiceMonitors(t, r)
			checkDisruptionBudgets(t, r)
			checkAutoscalers(t, r)
			checkNetworkPolicies(t, r)
			checkHooks(t, r)
			checkMLflowIsReached(t, r)
			checkCollectorConfig(t, r)
		})
	}
}

func checkPods(t *testing.T, r release) {
	t.Helper()
	require.Zero(t, r.kinds["Secret"], "secrets are the user's")
	for _, w := range r.workloads {
		name, pod := w.Kind+" "+w.Metadata.Name, w.Spec.Template.Spec
		if w.Kind != "Job" {
			require.Equal(t, w.Metadata.Name, r.selected(t, name, w.Spec.Selector.MatchLabels).Metadata.Name)
		}
		for _, constraint := range pod.TopologySpreadConstraints {
			require.Equal(t, w.Spec.Selector.MatchLabels, constraint.LabelSelector.MatchLabels, name)
		}
		// The restricted profile of https://kubernetes.io/docs/concepts/security/pod-security-standards/, and more.
		require.True(t, pod.SecurityContext.RunAsNonRoot, name)
		require.Equal(t, "RuntimeDefault", pod.SecurityContext.SeccompProfile.Type, name)
		require.False(t, *pod.AutomountServiceAccountToken, name)
		c := w.container(t)
		require.False(t, *c.SecurityContext.AllowPrivilegeEscalation, name)
		require.True(t, c.SecurityContext.ReadOnlyRootFilesystem, name)
		require.Equal(t, []string{"ALL"}, c.SecurityContext.Capabilities.Drop, name)

		for _, p := range []*probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
			if p != nil {
				_, found := w.port(p.HTTPGet.Port)
				require.True(t, found, "%s has no port %s for a probe", name, p.HTTPGet.Port)
			}
		}
		env := map[string]bool{}
		for _, e := range c.Env {
			require.False(t, env[e.Name], "%s has %s twice", name, e.Name)
			env[e.Name] = true
		}
		checkVolumes(t, r, w)
		if w.Kind != "Job" && !theUsers[pod.ServiceAccountName] {
			require.Equal(t, pod.ServiceAccountName, r.serviceAccounts[0].Name)
		}
	}
}

func checkVolumes(t *testing.T, r release, w workload) {
	t.Helper()
	volumes := map[string]bool{}
	for _, claim := range w.Spec.VolumeClaimTemplates {
		volumes[claim.Metadata.Name] = true
	}
	for _, volume := range w.Spec.Template.Spec.Volumes {
		volumes[volume.Name] = true
		if volume.ConfigMap != nil && !theUsers[volume.ConfigMap.Name] {
			_ = r.configMap(t, volume.ConfigMap.Name)
		}
		if claim := volume.PersistentVolumeClaim; claim != nil && !theUsers[claim.ClaimName] {
			require.Equal(t, claim.ClaimName, r.claims[0].Name)
		}
	}
	for _, mount := range w.container(t).VolumeMounts {
		require.True(t, volumes[mount.Name], "%s mounts %s, which it does not have", w.Metadata.Name, mount.Name)
		delete(volumes, mount.Name)
	}
	require.Empty(t, volumes, "volumes that %s does not mount", w.Metadata.Name)
}

func (r release) configMap(t *testing.T, name string) configMap {
	t.Helper()
	for _, c := range r.configMaps {
		if c.Metadata.Name == name {
			return c
		}
	}
	require.Fail(t, "there is no ConfigMap "+name)
	return configMap{}
}

func checkServices(t *testing.T, r release) {
	t.Helper()
	headless := map[string]string{} // name of the workload by that of its headless Service
	for _, s := range r.services {
		w := r.selected(t, "Service "+s.Metadata.Name, s.Spec.Selector)
		for _, p := range s.Spec.Ports {
			_, found := w.port(p.TargetPort)
			require.True(t, found, "Service %s means port %s, which %s does not have", s.Metadata.Name, p.TargetPort, w.Metadata.Name)
		}
		if s.Spec.ClusterIP == "None" {
			headless[s.Metadata.Name] = w.Metadata.Name
		}
	}
	for _, w := range r.workloads {
		if w.Kind == "StatefulSet" {
			require.Equal(t, w.Metadata.Name, headless[w.Spec.ServiceName])
		}
	}
}

func checkServiceMonitors(t *testing.T, r release) {
	t.Helper()
	for _, m := range r.serviceMonitors {
		require.Equal(t, []string{namespace}, m.Spec.NamespaceSelector.MatchNames)
		var found []service
		for _, s := range r.services {
			if m.Spec.Selector.MatchLabels.matches(s.Metadata.Labels) {
				found = append(found, s)
			}
		}
		require.Len(t, found, 1, "Services that ServiceMonitor %s selects: each pod is scraped once", m.Metadata.Name)
		w := r.selected(t, m.Metadata.Name, found[0].Spec.Selector)
		for _, endpoint := range m.Spec.Endpoints {
			target := ""
			for _, p := range found[0].Spec.Ports {
				if p.Name == endpoint.Port {
					target = p.TargetPort
				}
			}
			number, found := w.port(target)
			require.True(t, found, "ServiceMonitor %s means port %s", m.Metadata.Name, endpoint.Port)
			for _, policy := range r.policiesOf(w) {
				require.True(t, policy.letsIn(number, func(p peer) bool {
					return p.NamespaceSelector != nil && p.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] == "monitoring"
				}), "Prometheus may not scrape %s", w.Metadata.Name)
			}
		}
		if w.Metadata.Labels["app.kubernetes.io/component"] == "mlflow" {
			require.Contains(t, w.container(t).Args, "--expose-prometheus=/metrics")
		}
	}
}

// The rules and dashboards name jobs, which are labels of Services.
func TestRulesAndDashboardsNameTheJobsThatThereAre(t *testing.T) {
	rendered, err := render(t, "--values", valueFiles(t)["monitoring"])
	require.NoError(t, err, rendered)
	r := parse(t, rendered)
	scraped := map[string]bool{}
	for _, m := range r.serviceMonitors {
		for _, s := range r.services {
			if m.Spec.Selector.MatchLabels.matches(s.Metadata.Labels) {
				scraped[s.Metadata.Labels[m.Spec.JobLabel]] = true
			}
		}
	}
	named := map[string]bool{}
	for _, content := range shippedFiles(t) {
		for _, match := range job.FindAllStringSubmatch(content, -1) {
			named[match[1]] = true
		}
	}
	require.Equal(t, scraped, named)
}

// job finds the jobs that PromQL names, in YAML and in JSON.
var job = regexp.MustCompile(`job=\\?"([^"\\]+)`)

// Budgets in values become the series that the shipped rules and dashboards read.
func TestBudgetsAreTheSeriesThatTheRulesRead(t *testing.T) {
	var shipped struct {
		Groups []struct {
			Rules []struct {
				Record string            `yaml:"record"`
				Labels map[string]string `yaml:"labels"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	readYAML(t, "../prometheus/budgets.rules.yaml", &shipped)
	record := shipped.Groups[0].Rules[0].Record
	require.Contains(t, shipped.Groups[0].Rules[0].Labels, "persona_id")
	rendered, err := render(t, "--set", "prometheusRule.enabled=true,prometheusRule.budgets.tech_educator=200")
	require.NoError(t, err, rendered)
	require.Contains(t, rendered, "- record: "+record+"\n          expr: vector(200)\n          labels:\n            persona_id: \"tech_educator\"\n")
}

func checkDisruptionBudgets(t *testing.T, r release) {
	t.Helper()
	budgets := map[string]bool{}
	for _, b := range r.disruptionBudgets {
		budgets[r.selected(t, "PodDisruptionBudget "+b.Metadata.Name, b.Spec.Selector.MatchLabels).Metadata.Name] = true
	}
	for _, w := range r.workloads {
		several := w.Kind != "Job" && (w.Spec.Replicas == nil || *w.Spec.Replicas > 1)
		require.Equal(t, several, budgets[w.Metadata.Name], "%s has more than one pod, and a PodDisruptionBudget", w.Metadata.Name)
	}
}

func checkAutoscalers(t *testing.T, r release) {
	t.Helper()
	scaled := map[string]bool{}
	for _, a := range r.autoscalers {
		w := r.workload(t, a.Spec.ScaleTargetRef.Kind, a.Spec.ScaleTargetRef.Name)
		require.GreaterOrEqual(t, a.Spec.MinReplicas, 2)
		if w.Kind == "StatefulSet" {
			require.Equal(t, "Disabled", a.Spec.Behavior.ScaleDown.SelectPolicy, "a queue would be stranded")
		}
		scaled[w.Metadata.Name] = true
	}
	for _, w := range r.workloads {
		if w.Kind != "Job" {
			require.Equal(t, scaled[w.Metadata.Name], w.Spec.Replicas == nil, "either a number of pods or an autoscaler for %s", w.Metadata.Name)
		}
	}
}

func (r release) policiesOf(w workload) []networkPolicy {
	var policies []networkPolicy
	for _, p := range r.networkPolicies {
		if p.Spec.PodSelector.MatchLabels.matches(w.Spec.Template.Metadata.Labels) {
			policies = append(policies, p)
		}
	}
	return policies
}

func checkNetworkPolicies(t *testing.T, r release) {
	t.Helper()
	if len(r.networkPolicies) == 0 {
		return
	}
	for _, w := range r.workloads {
		require.Len(t, r.policiesOf(w), 1, w.Metadata.Name)
	}
	for _, policy := range r.networkPolicies {
		w := r.selected(t, "NetworkPolicy "+policy.Metadata.Name, policy.Spec.PodSelector.MatchLabels)
		for _, rule := range policy.Spec.Ingress {
			require.NotEmpty(t, rule.From, "%s lets everybody in", policy.Metadata.Name)
			for _, p := range rule.Ports {
				_, found := w.port(strconv.Itoa(p.Port))
				require.True(t, found, "%s lets in on %d, which %s does not have", policy.Metadata.Name, p.Port, w.Metadata.Name)
			}
		}
		// Where it lets out to pods of this release, those let it in.
		for _, rule := range policy.Spec.Egress {
			for _, to := range rule.To {
				if to.PodSelector == nil || to.PodSelector.MatchLabels["app.kubernetes.io/instance"] != releaseName {
					continue
				}
				target := r.selected(t, policy.Metadata.Name, to.PodSelector.MatchLabels)
				for _, p := range rule.Ports {
					require.True(t, r.policiesOf(target)[0].letsIn(p.Port, func(from peer) bool {
						return from.PodSelector != nil && from.NamespaceSelector == nil &&
							from.PodSelector.MatchLabels.matches(w.Spec.Template.Metadata.Labels)
					}), "%s does not let %s in on %d", target.Metadata.Name, w.Metadata.Name, p.Port)
				}
			}
		}
	}
	for _, s := range r.services {
		w := r.selected(t, s.Metadata.Name, s.Spec.Selector)
		for _, p := range s.Spec.Ports {
			if strings.HasSuffix(p.TargetPort, "metrics") {
				continue // let in where there is a ServiceMonitor, which is looked at there
			}
			number, _ := w.port(p.TargetPort)
			require.True(t, r.policiesOf(w)[0].letsIn(number, func(peer) bool { return true }), "nobody may use port %d of %s", p.Port, s.Metadata.Name)
		}
	}
}

// A namespace may deny what no policy allows, and a hook runs before the release's own objects are there.
func checkHooks(t *testing.T, r release) {
	t.Helper()
	const hook, weight = "helm.sh/hook", "helm.sh/hook-weight"
	for _, w := range r.workloads {
		if w.Metadata.Annotations[hook] == "" {
			continue
		}
		for _, policy := range r.policiesOf(w) {
			require.Equal(t, w.Metadata.Annotations[hook], policy.Metadata.Annotations[hook], policy.Metadata.Name)
			require.Equal(t, "before-hook-creation", policy.Metadata.Annotations["helm.sh/hook-delete-policy"])
			before, err := strconv.Atoi(policy.Metadata.Annotations[weight])
			require.NoError(t, err)
			require.Negative(t, before, "%s comes before the Job, whose weight is 0", policy.Metadata.Name)
			require.Empty(t, w.Metadata.Annotations[weight])
		}
	}
}

// The collector's MLflow is a Service of this release, the way there is open, and MLflow knows itself by that name.
func checkMLflowIsReached(t *testing.T, r release) {
	t.Helper()
	collector := r.component(t, "collector")
	endpoint, err := url.Parse(collector.container(t).env("MLFLOW_TRACKING_URI"))
	require.NoError(t, err)
	var mlflow workload
	for _, s := range r.services {
		if s.Metadata.Name != endpoint.Hostname() {
			continue
		}
		require.Len(t, s.Spec.Ports, 1)
		require.Equal(t, endpoint.Port(), strconv.Itoa(s.Spec.Ports[0].Port))
		mlflow = r.selected(t, s.Metadata.Name, s.Spec.Selector)
	}
	if mlflow.Kind == "" {
		require.Equal(t, "mlflow.example.com", endpoint.Host)
		return
	}
	hosts := strings.Split(mlflow.container(t).env("MLFLOW_SERVER_ALLOWED_HOSTS"), ",")
	require.Contains(t, hosts, endpoint.Host)
	require.Contains(t, hosts, "$(POD_IP):5000", "Prometheus scrapes by address")
	require.Contains(t, hosts, "localhost:*", "kubectl port-forward")
	for _, policy := range r.policiesOf(collector) {
		reached := false
		for _, rule := range policy.Spec.Egress {
			for _, to := range rule.To {
				reached = reached || to.PodSelector != nil && to.PodSelector.MatchLabels.matches(mlflow.Spec.Template.Metadata.Labels)
			}
		}
		require.True(t, reached, "the collector may not reach MLflow")
	}
}

// checkCollectorConfig has the built collector read its config as in the pod, and compares where it listens with the ports
// of the pod.
func checkCollectorConfig(t *testing.T, r release) {
	t.Helper()
	binary, err := testbed.CollectorBinary()
	require.NoError(t, err)
	w := r.component(t, "collector")
	c, pod := w.container(t), w.Spec.Template.Spec
	require.NotNil(t, pod.Volumes[0].ConfigMap)
	folder := t.TempDir()
	for name, content := range r.configMap(t, pod.Volumes[0].ConfigMap.Name).Data {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	env := testbed.CleanEnv()
	for _, e := range c.Env {
		if e.ValueFrom != nil {
			e.Value = "postgresql://secret@db:5432/mlflow" // the only one whose form matters
		}
		env = append(env, e.Name+"="+e.Value)
	}
	args := make([]string, len(c.Args))
	for i, arg := range c.Args {
		args[i] = strings.ReplaceAll(arg, "/etc/otelcol-mlflow", folder)
	}
	run := func(command string) string {
		cmd := exec.Command(binary, append([]string{command}, args...)...)
		cmd.Env = env
		var stderr strings.Builder
		cmd.Stderr = &stderr
		output, err := cmd.Output()
		require.NoError(t, err, stderr.String())
		return string(output)
	}
	run("validate")
	effective := run("print-config")

	var listens, open []string
	for _, match := range listening.FindAllStringSubmatch(effective, -1) {
		listens = append(listens, match[1])
	}
	for _, p := range c.Ports {
		open = append(open, strconv.Itoa(p.Port))
	}
	require.ElementsMatch(t, open, listens, "where the collector listens, and the ports of its pod")

	var config struct {
		Exporters struct {
			MLflow struct {
				Dedupe       string
				Store        struct{ Type string }
				SendingQueue struct {
					Storage *string
				} `yaml:"sending_queue"`
			}
		}
		Extensions struct {
			Storage struct{ Directory string } `yaml:"file_storage"`
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(effective), &config))
	persistent := w.Kind == "StatefulSet"
	require.Equal(t, persistent, config.Exporters.MLflow.SendingQueue.Storage != nil)
	if persistent {
		require.Equal(t, "queue", c.VolumeMounts[1].Name)
		require.Equal(t, c.VolumeMounts[1].MountPath, config.Extensions.Storage.Directory)
	}
	several := w.Spec.Replicas == nil || *w.Spec.Replicas > 1
	if config.Exporters.MLflow.Store.Type == "rest" {
		require.Equal(t, several, config.Exporters.MLflow.Dedupe == "always")
	}
}

// listening finds the ports in a config that are open to other pods.
var listening = regexp.MustCompile(`0\.0\.0\.0(?::|\n\s+port: )(\d+)`)
