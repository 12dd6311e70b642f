// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a working MLflow of the ha profile needs at least.
const highlyAvailable = "mlflow.profile=ha,mlflow.database.uriSecret=db,mlflow.artifacts.destination=s3://bucket," +
	"networkPolicy.mlflowEgress[0].ports[0].port=5432"

// impossible has a combination of values for each failure in templates/validate.yaml.
var impossible = []struct {
	name string
	set  string
	says string
}{
	{
		name: "two MLflows", set: "mlflowExporter.endpoint=http://mlflow:5000",
		says: "leave it empty, or set mlflow.enabled=false",
	},
	{
		name: "no MLflow", set: "mlflow.enabled=false,networkPolicy.enabled=false",
		says: "set mlflowExporter.endpoint to the URL of your MLflow",
	},
	{
		name: "two ways to sign in", set: "mlflowExporter.auth.basicSecret=a,mlflowExporter.auth.bearerSecret=b",
		says: "set the one that your MLflow asks for",
	},
	{
		name: "a database without an address", set: "mlflowExporter.store.type=postgres,networkPolicy.enabled=false," + highlyAvailable,
		says: "needs mlflowExporter.store.dsnSecret",
	},
	{
		name: "a database that is not MLflow's", set: "mlflowExporter.store.type=postgres,mlflowExporter.store.dsnSecret=s,networkPolicy.enabled=false",
		says: "set mlflow.profile=ha, or mlflowExporter.store.type=rest",
	},
	{
		name: "a database that the collector does not reach", set: "mlflowExporter.store.type=postgres,mlflowExporter.store.dsnSecret=s," + highlyAvailable,
		says: "name it in networkPolicy.collectorEgress",
	},
	{
		name: "a database that is not written to", set: "mlflowExporter.store.dsnSecret=s",
		says: "mlflowExporter.store.dsnSecret is not used by mlflowExporter.store.type=rest",
	},
	{
		name: "a queue larger than its volume", set: "collector.queue.size=2Gi",
		says: "collector.queue.volume.size=2Gi is too small for collector.queue.size=2Gi: make it at least twice as large",
	},
	{
		name: "a queue in memory without a bound", set: "collector.queue.type=memory,collector.queue.size=64Mi,collector.resources.limits.memory=null",
		says: "needs collector.resources.limits.memory",
	},
	{
		name: "a queue that does not fit into memory", set: "collector.queue.type=memory,collector.queue.size=600Mi",
		says: "collector.queue.size=600Mi does not fit into collector.resources.limits.memory=1Gi",
	},
	{
		name: "killed while the queue drains", set: "collector.queue.type=memory,collector.queue.size=64Mi,collector.terminationGracePeriodSeconds=300",
		says: "leave it empty or set it to 1084 or more",
	},
	{
		name: "Kafka without brokers", set: "collector.kafka.enabled=true,collector.queue.type=memory,collector.queue.size=64Mi,networkPolicy.enabled=false",
		says: "needs collector.kafka.brokers",
	},
	{
		name: "Kafka and a queue on disk", set: "collector.kafka.enabled=true,collector.kafka.brokers={kafka:9092},networkPolicy.enabled=false",
		says: "set collector.queue.type=memory",
	},
	{
		name: "Kafka that no packet reaches", set: "collector.kafka.enabled=true,collector.kafka.brokers={kafka:9092},collector.queue.type=memory,collector.queue.size=64Mi",
		says: "would keep the collector from collector.kafka.brokers: name them in networkPolicy.collectorEgress",
	},
	{
		name: "the fewest pods are more than the most", set: "collector.autoscaling.enabled=true,collector.autoscaling.minReplicas=9",
		says: "collector.autoscaling.minReplicas=9 is more than collector.autoscaling.maxReplicas=6",
	},
	{
		name: "a share of nothing", set: "mlflow.autoscaling.enabled=true,mlflow.resources.requests.cpu=null," + highlyAvailable,
		says: "mlflow.autoscaling.enabled=true needs mlflow.resources.requests.cpu",
	},
	{
		name: "open to the internet", set: "collector.service.type=LoadBalancer",
		says: "collector.service.type=LoadBalancer without collector.service.loadBalancerSourceRanges would be open to the whole internet",
	},
	{
		name: "source ranges without a load balancer", set: "mlflow.service.loadBalancerSourceRanges={10.0.0.0/8}",
		says: "mlflow.service.loadBalancerSourceRanges has no effect on mlflow.service.type=ClusterIP",
	},
	{
		name: "more pods than SQLite serves", set: "mlflow.autoscaling.enabled=true",
		says: "mlflow.autoscaling.enabled=true needs mlflow.profile=ha",
	},
	{
		name: "a database that is not used", set: "mlflow.database.uriSecret=db",
		says: "mlflow.database.uriSecret is not used by mlflow.profile=single",
	},
	{
		name: "many pods without a database", set: "mlflow.profile=ha,mlflow.artifacts.destination=s3://bucket,networkPolicy.enabled=false",
		says: "needs a PostgreSQL: set mlflow.database.uriSecret",
	},
	{
		name: "many pods without shared artifacts", set: "mlflow.profile=ha,mlflow.database.uriSecret=db,networkPolicy.enabled=false",
		says: "set mlflow.artifacts.destination=s3://",
	},
	{
		name: "one pod is not highly available", set: "mlflow.replicas=1," + highlyAvailable,
		says: "mlflow.profile=ha means mlflow.replicas=2 or more",
	},
	{
		name: "a volume that is not used", set: "mlflow.volume.existingClaim=data," + highlyAvailable,
		says: "mlflow.volume.existingClaim is not used by mlflow.profile=ha",
	},
	{
		name: "a database that no packet reaches", set: "mlflow.profile=ha,mlflow.database.uriSecret=db,mlflow.artifacts.destination=s3://bucket",
		says: "name them in networkPolicy.mlflowEgress",
	},
	{
		name: "a host that gets 403", set: "mlflow.service.type=LoadBalancer,mlflow.service.loadBalancerSourceRanges={10.0.0.0/8}",
		says: "needs mlflow.publicHosts",
	},
	{
		name: "less memory than MLflow takes", set: "mlflow.workers=8",
		says: "mlflow.resources.limits.memory=2Gi is less than MLflow takes with mlflow.workers=8 and mlflow.jobExecution=false: set it to 2420Mi or more",
	},
	{
		name: "no administrator", set: "mlflow.auth.enabled=true,mlflow.auth.flaskSecret=f,mlflowExporter.auth.basicSecret=w",
		says: "needs mlflow.auth.adminSecret",
	},
	{
		name: "no key for sessions", set: "mlflow.auth.enabled=true,mlflow.auth.adminSecret=a,mlflowExporter.auth.basicSecret=w",
		says: "needs mlflow.auth.flaskSecret",
	},
	{
		name: "users that only one pod knows", set: "mlflow.auth.enabled=true,mlflow.auth.adminSecret=a,mlflow.auth.flaskSecret=f,mlflowExporter.auth.basicSecret=w," + highlyAvailable,
		says: "needs mlflow.auth.configSecret",
	},
	{
		name: "a collector that may not write", set: "mlflow.auth.enabled=true,mlflow.auth.adminSecret=a,mlflow.auth.flaskSecret=f",
		says: "needs mlflowExporter.auth.basicSecret",
	},
	{
		name: "an MLflow that no packet reaches", set: "mlflow.enabled=false,mlflowExporter.endpoint=https://mlflow.example.com",
		says: "name that server in networkPolicy.collectorEgress",
	},
}

func TestImpossibleValuesFailAndSayWhatToChange(t *testing.T) {
	for _, test := range impossible {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			output, err := render(t, "--set", test.set)
			require.Error(t, err)
			_, failures, found := strings.Cut(output, "these values cannot work:\n")
			require.True(t, found, output)
			failures, _, _ = strings.Cut(failures, "\n\n")
			require.Contains(t, failures, test.says)
			if !strings.Contains(test.says, "limits") { // which fail together with the requests
				require.Len(t, strings.Split(failures, "\n"), 1, failures)
			}
		})
	}
}

func TestEachFailureIsTested(t *testing.T) {
	template, err := os.ReadFile(chart + "/templates/validate.yaml")
	require.NoError(t, err)
	require.Len(t, impossible, strings.Count(string(template), "append $errors"))
}

// Kubernetes takes memory in more ways than one.
func TestMemoryLimitsAreUnderstood(t *testing.T) {
	for set, bytes := range map[string]string{
		"1Gi":        "1073741824",
		"1.5Gi":      "1610612736",
		"1500M":      "1500000000",
		"1073741824": "1073741824",
	} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			limit, err := strconv.Atoi(bytes)
			require.NoError(t, err)
			rendered, err := render(t, "--set", "collector.resources.limits.memory="+set)
			require.NoError(t, err, rendered)
			require.Equal(t, strconv.Itoa(limit*55/100), parse(t, rendered).component(t, "collector").container(t).env("GOMEMLIMIT"))
		})
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte("mlflow: {resources: {limits: {memory: 1000000}}}"), 0o600))
	output, err := render(t, "--values", file)
	require.Error(t, err)
	require.Contains(t, output, "mlflow.resources.limits.memory=1000000 is less than MLflow takes")
}

func TestWrongValuesAreRefused(t *testing.T) {
	for set, says := range map[string]string{
		"colector.replicas=3":                           "additional properties 'colector' not allowed",
		"collector.queue.typ=memory":                    "additional properties 'typ' not allowed",
		"collector.queue.type=redis":                    "value must be one of 'persistent', 'memory'",
		"collector.queue.size=512MB":                    "does not match pattern",
		"collector.autoscaling.minReplicas=1":           "minimum: got 1, want 2",
		"collector.kafka.brokers={kafka}":               "does not match pattern",
		"mlflow.profile=large":                          "value must be one of 'single', 'ha'",
		"mlflow.service.loadBalancerSourceRanges={any}": "does not match pattern",
		"mlflow.artifacts.destination=/tmp":             "does not match pattern",
		"mlflowExporter.endpoint=mlflow:5000":           "does not match pattern",
		"collector.resources.limits.memory=1GB":         "does not match pattern",
		"networkPolicy.dnsPorts={dns}":                  "got string, want integer",
	} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			output, err := render(t, "--set", set)
			require.Error(t, err)
			require.Contains(t, output, says)
		})
	}
}
