// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// When an autoscaler is switched on, helm would take `replicas` away, and Kubernetes make it 1: all queues but one would wait
// for pods that are gone.
func TestUpgradeKeepsThePodsOfAnAutoscaler(t *testing.T) {
	for name, test := range map[string]struct {
		set         string
		kind, named string
		live, want  int
	}{
		"collectors stay":      {"collector.autoscaling.enabled=true", "StatefulSet", "llm-otelcol-mlflow-collector", 5, 5},
		"as few as allowed":    {"collector.autoscaling.enabled=true", "StatefulSet", "llm-otelcol-mlflow-collector", 1, 2},
		"without a queue":      {"collector.autoscaling.enabled=true,collector.queue.type=memory,collector.queue.size=64Mi", "Deployment", "llm-otelcol-mlflow-collector", 5, 5},
		"MLflow that stood by": {"mlflow.autoscaling.enabled=true," + highlyAvailable, "Deployment", "llm-otelcol-mlflow-mlflow", 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rendered, err := render(t, "--set", test.set, "--dry-run=server", "--kubeconfig", cluster(t, test.kind, test.named, test.live))
			require.NoError(t, err, rendered)
			w := parse(t, rendered).workload(t, test.kind, test.named)
			require.NotNil(t, w.Spec.Replicas)
			require.Equal(t, test.want, *w.Spec.Replicas)
		})
	}
}

// cluster returns the kubeconfig of a Kubernetes that has one object, and answers what helm's lookup asks.
func cluster(t *testing.T, kind, name string, replicas int) string {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(path, body string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		})
	}
	answer("/apis/apps/v1", `{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "apps/v1", "resources": [
		{"name": "deployments", "kind": "Deployment", "namespaced": true}, {"name": "statefulsets", "kind": "StatefulSet", "namespaced": true}]}`)
	resource := map[string]string{"Deployment": "deployments", "StatefulSet": "statefulsets"}[kind]
	answer("/apis/apps/v1/namespaces/"+namespace+"/"+resource+"/"+name,
		fmt.Sprintf(`{"kind": %q, "apiVersion": "apps/v1", "metadata": {"name": %q}, "spec": {"replicas": %d}}`, kind, name, replicas))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: test,
		clusters: [{name: test, cluster: {server: %q}}], contexts: [{name: test, context: {cluster: test}}]}`, server.URL), 0o600))
	return config
}
