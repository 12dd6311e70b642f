// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Helmcluster installs the Helm chart into Kubernetes, with each file of values that its tests have: a real API server with
// its admission, the real controllers and scheduler; only what runs containers is played. It upgrades, drains and uninstalls
// each, and holds what the controllers say of it to what it should be.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// object is JSON.
type object = map[string]any

func main() {
	crds := flag.String("crds", "", "`folder` with the Prometheus operator's custom resource definitions")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *crds)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "helmcluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, crds string) (err error) {
	root, err := testbed.Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "otelcol-mlflow-cluster-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	plane, err := startControlPlane(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plane.stop()) }()
	played := &machines{api: plane.api}
	if err := errors.Join(played.addNodes(ctx), addPlatform(ctx, plane.api, crds)); err != nil {
		return err
	}
	playing, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Go(func() { played.run(playing) })
	defer working.Wait()
	defer stop()

	files, err := filepath.Glob(filepath.Join(root, "deploy/helm/testdata/values/*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		r := release{plane: plane, played: played, root: root, namespace: "chart-" + name, values: file}
		if err := r.live(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Println("ok   ", name)
	}
	return nil
}

// addPlatform adds what a cluster has that the values name.
func addPlatform(ctx context.Context, a *api, crds string) error {
	var err error
	for _, kind := range []string{"servicemonitors", "prometheusrules"} {
		crd, readErr := os.ReadFile(filepath.Join(crds, kind+"-crd.json"))
		if readErr == nil {
			_, readErr = request(ctx, a.client, http.MethodPost, a.base+"/apis/apiextensions.k8s.io/v1/customresourcedefinitions", a.token, "application/json", crd)
		}
		err = errors.Join(err, readErr)
	}
	for name, standard := range map[string]string{"standard": "true", "fast": "false"} {
		err = errors.Join(err, a.do(ctx, http.MethodPost, "/apis/storage.k8s.io/v1/storageclasses", object{
			"metadata":    object{"name": name, "annotations": object{"storageclass.kubernetes.io/is-default-class": standard}},
			"provisioner": "example.com/played",
		}, nil))
	}
	return errors.Join(err, a.do(ctx, http.MethodPost, "/apis/scheduling.k8s.io/v1/priorityclasses", object{
		"metadata": object{"name": "high"}, "value": 1000,
	}, nil))
}

// secrets are those that the values name, with the keys that the chart's documentation asks for.
var secrets = map[string][]string{
	"mlflow-admin":       {"username", "password"},
	"mlflow-auth-config": {"basic_auth.ini"},
	"mlflow-database":    {"uri"},
	"mlflow-flask":       {"key"},
	"mlflow-runs":        {"dsn"},
	"mlflow-token":       {"token"},
	"mlflow-writer":      {"username", "password"},
	"minio-mlflow":       {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
}

// release is the chart in a namespace, with a file of values.
type release struct {
	plane             *controlPlane
	played            *machines
	root              string
	namespace, values string
}

func (r *release) live(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.helm(ctx, "install", "--values", r.values); err != nil {
		return err
	}
	for _, check := range []func(context.Context) error{r.checkServices, r.checkDisruptions, r.checkScaling, r.checkSpread} {
		if err := r.eventually(ctx, check); err != nil {
			return err
		}
	}
	if err := r.helm(ctx, "upgrade", "--values", r.values, "--set", "collector.podAnnotations.changed=yes"); err != nil {
		return err
	}
	if err := r.eventually(ctx, r.drain); err != nil {
		return err
	}
	if filepath.Base(r.values) == "everything.yaml" {
		if err := r.checkAutoscalerKeeps(ctx, 3); err != nil {
			return err
		}
	}
	if err := r.helm(ctx, "uninstall"); err != nil {
		return err
	}
	return r.eventually(ctx, r.checkGone)
}

// prepare makes the namespace, in which only pods by the restricted standard are let in, and what an operator makes by hand.
func (r *release) prepare(ctx context.Context) error {
	a := r.plane.api
	err := a.do(ctx, http.MethodPost, "/api/v1/namespaces", object{"metadata": object{
		"name": r.namespace, "labels": object{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, nil)
	add := func(kind, name string, rest object) {
		rest["metadata"] = object{"name": name}
		err = errors.Join(err, a.do(ctx, http.MethodPost, "/api/v1/namespaces/"+r.namespace+"/"+kind, rest, nil))
	}
	for name, keys := range secrets {
		data := object{}
		for _, key := range keys {
			data[key] = "x"
		}
		add("secrets", name, object{"stringData": data})
	}
	add("configmaps", "llm-prices", object{})
	add("serviceaccounts", "llm-runs-existing", object{})
	add("persistentvolumeclaims", "mlflow-data", object{"spec": object{
		"accessModes": []string{"ReadWriteOnce"}, "resources": object{"requests": object{"storage": "1Gi"}},
	}})
	return errors.Join(err, r.eventually(ctx, func(ctx context.Context) error {
		_, err := get[object](ctx, a, "/api/v1/namespaces/"+r.namespace+"/serviceaccounts/default")
		return err
	}))
}

// helm has helm do something with the release, and wait until Kubernetes says that it is done.
func (r *release) helm(ctx context.Context, verb string, args ...string) error {
	helm, err := testbed.Made(".tools/helm", ".tools/helm")
	if err != nil {
		return err
	}
	all := []string{verb, "llm"}
	if verb != "uninstall" {
		all = append(all, "deploy/helm/otelcol-mlflow", "--wait-for-jobs")
	}
	all = append(append(all, "--namespace", r.namespace, "--wait", "--timeout", "2m", "--kubeconfig", r.plane.kubeconfig), args...)
	cmd := exec.CommandContext(ctx, helm, all...)
	home := filepath.Dir(r.plane.kubeconfig)
	cmd.Dir, cmd.Env = r.root, append(testbed.CleanEnv(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("helm %s: %w\n%s%s", verb, err, output, r.complaints(ctx))
	}
	return nil
}

// complaints are the warnings of the namespace's events, and what its pods lack.
func (r *release) complaints(ctx context.Context) string {
	var b bytes.Buffer
	events, err := get[list[struct {
		Type    string `json:"type"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
		About   meta   `json:"involvedObject"`
	}]](ctx, r.plane.api, "/api/v1/namespaces/"+r.namespace+"/events")
	if err != nil {
		return err.Error()
	}
	for _, e := range events.Items {
		if e.Type == "Warning" {
			fmt.Fprintf(&b, "%s: %s: %s\n", e.About.Name, e.Reason, e.Message)
		}
	}
	lacking, err := r.played.lacks()
	for pod, lack := range lacking {
		fmt.Fprintf(&b, "%s: %s\n", pod, lack)
	}
	if err != nil {
		b.WriteString(err.Error())
	}
	return b.String()
}

// eventually returns when check does not fail any more, or its last error after half a minute: controllers take their time.
func (r *release) eventually(ctx context.Context, check func(context.Context) error) error {
	limit := time.After(30 * time.Second)
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-limit:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

type service struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		Type  string `json:"type"`
		Ports []struct {
			Name string `json:"name"`
		} `json:"ports"`
	} `json:"spec"`
	Status struct {
		LoadBalancer struct {
			Ingress []object `json:"ingress"`
		} `json:"loadBalancer"`
	} `json:"status"`
}

// checkServices asks whether each port of each service leads to a pod.
func (r *release) checkServices(ctx context.Context) error {
	services, err := get[list[service]](ctx, r.plane.api, "/api/v1/namespaces/"+r.namespace+"/services")
	if err != nil {
		return err
	}
	slices, err := get[list[struct {
		Metadata  meta `json:"metadata"`
		Endpoints []struct {
			Conditions struct {
				Ready bool `json:"ready"`
			} `json:"conditions"`
		} `json:"endpoints"`
		Ports []struct {
			Name string `json:"name"`
		} `json:"ports"`
	}]](ctx, r.plane.api, "/apis/discovery.k8s.io/v1/namespaces/"+r.namespace+"/endpointslices")
	if err != nil {
		return err
	}
	if len(services.Items) == 0 {
		return errors.New("there is no service")
	}
	for _, s := range services.Items {
		open := make(map[string]bool)
		for _, slice := range slices.Items {
			if slice.Metadata.Labels["kubernetes.io/service-name"] != s.Metadata.Name || len(slice.Endpoints) == 0 || !slice.Endpoints[0].Conditions.Ready {
				continue
			}
			for _, port := range slice.Ports {
				open[port.Name] = true
			}
		}
		for _, port := range s.Spec.Ports {
			if !open[port.Name] {
				return fmt.Errorf("port %s of service %s leads to no pod", port.Name, s.Metadata.Name)
			}
		}
	}
	return nil
}

type budget struct {
	Metadata meta `json:"metadata"`
	Status   struct {
		Expected int `json:"expectedPods"`
		Healthy  int `json:"currentHealthy"`
		Allowed  int `json:"disruptionsAllowed"`
	} `json:"status"`
}

func (r *release) budgets(ctx context.Context) ([]budget, error) {
	budgets, err := get[list[budget]](ctx, r.plane.api, "/apis/policy/v1/namespaces/"+r.namespace+"/poddisruptionbudgets")
	return budgets.Items, err
}

// checkDisruptions asks whether each budget is about pods, and lets a node be drained.
func (r *release) checkDisruptions(ctx context.Context) error {
	budgets, err := r.budgets(ctx)
	for _, b := range budgets {
		if b.Status.Expected == 0 || b.Status.Healthy != b.Status.Expected || b.Status.Allowed == 0 {
			err = errors.Join(err, fmt.Errorf("disruption budget %s: %+v", b.Metadata.Name, b.Status))
		}
	}
	return err
}

// checkScaling asks whether each autoscaler has found what it scales. There are no metrics for it to scale by.
func (r *release) checkScaling(ctx context.Context) error {
	scalers, err := get[list[struct {
		Metadata meta `json:"metadata"`
		Status   struct {
			Conditions []struct {
				Type    string `json:"type"`
				Reason  string `json:"reason"`
				Message string `json:"message"`
			} `json:"conditions"`
		} `json:"status"`
	}]](ctx, r.plane.api, "/apis/autoscaling/v2/namespaces/"+r.namespace+"/horizontalpodautoscalers")
	for _, s := range scalers.Items {
		found := false
		for _, c := range s.Status.Conditions {
			found = found || c.Type == "AbleToScale" && c.Reason == "SucceededGetScale"
		}
		if !found {
			err = errors.Join(err, fmt.Errorf("autoscaler %s: %+v", s.Metadata.Name, s.Status.Conditions))
		}
	}
	return err
}

// checkAutoscalerKeeps switches the collector's autoscaler on, which wants two, where there are more: each has a queue on disk.
func (r *release) checkAutoscalerKeeps(ctx context.Context, replicas int) error {
	if err := r.helm(ctx, "upgrade", "--values", r.values, "--set", "collector.autoscaling.enabled=true"); err != nil {
		return err
	}
	sets, err := get[list[struct {
		Spec struct {
			Replicas int `json:"replicas"`
		} `json:"spec"`
	}]](ctx, r.plane.api, "/apis/apps/v1/namespaces/"+r.namespace+"/statefulsets")
	if err != nil {
		return err
	}
	if len(sets.Items) != 1 || sets.Items[0].Spec.Replicas != replicas {
		return fmt.Errorf("with an autoscaler, %d collectors became %+v", replicas, sets.Items)
	}
	return nil
}

// checkSpread asks whether two pods of the same workload are in two zones, and none is without a node.
func (r *release) checkSpread(ctx context.Context) error {
	pods, err := get[list[pod]](ctx, r.plane.api, "/api/v1/namespaces/"+r.namespace+"/pods")
	if err != nil {
		return err
	}
	nodes := make(map[string][]string)
	for _, p := range pods.Items {
		if p.Spec.NodeName == "" {
			return fmt.Errorf("pod %s has no node", p.Metadata.Name)
		}
		component := p.Metadata.Labels["app.kubernetes.io/component"]
		nodes[component] = append(nodes[component], p.Spec.NodeName)
	}
	for component, names := range nodes {
		if len(names) > 1 && len(slices.Compact(slices.Sorted(slices.Values(names)))) == 1 {
			return fmt.Errorf("all pods of %s are on node %s", component, names[0])
		}
	}
	return nil
}

// drain evicts all pods at once, as if every node were drained. Where there is a budget, not all of them may go.
func (r *release) drain(ctx context.Context) error {
	if err := r.checkDisruptions(ctx); err != nil {
		return err
	}
	budgets, err := r.budgets(ctx)
	if err != nil {
		return err
	}
	pods, err := get[list[pod]](ctx, r.plane.api, "/api/v1/namespaces/"+r.namespace+"/pods")
	if err != nil {
		return err
	}
	kept := 0
	for _, p := range pods.Items {
		err := r.plane.api.do(ctx, http.MethodPost, "/api/v1/namespaces/"+r.namespace+"/pods/"+p.Metadata.Name+"/eviction", object{
			"apiVersion": "policy/v1", "kind": "Eviction", "metadata": object{"name": p.Metadata.Name},
		}, nil)
		if isStatus(err, http.StatusTooManyRequests) {
			kept++
		} else if err != nil {
			return err
		}
	}
	if kept < len(budgets) {
		return fmt.Errorf("%d pods were kept by %d disruption budgets", kept, len(budgets))
	}
	return nil
}

// checkGone asks whether nothing is left that runs or costs, but the volumes with what was not written, and the network policy of
// the migration, which is a hook as its Job is.
func (r *release) checkGone(ctx context.Context) error {
	var err error
	for _, path := range []string{
		"/api/v1/namespaces/%s/pods", "/api/v1/namespaces/%s/services", "/apis/apps/v1/namespaces/%s/deployments",
		"/apis/apps/v1/namespaces/%s/statefulsets", "/apis/batch/v1/namespaces/%s/jobs",
		"/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies", "/apis/monitoring.coreos.com/v1/namespaces/%s/servicemonitors",
		"/apis/monitoring.coreos.com/v1/namespaces/%s/prometheusrules",
	} {
		left, getErr := get[list[struct {
			Metadata meta `json:"metadata"`
		}]](ctx, r.plane.api, fmt.Sprintf(path, r.namespace))
		err = errors.Join(err, getErr)
		for _, object := range left.Items {
			if strings.HasSuffix(object.Metadata.Name, "-migrate") && strings.HasSuffix(path, "networkpolicies") {
				continue
			}
			err = errors.Join(err, fmt.Errorf("%s is left of %s", object.Metadata.Name, path))
		}
	}
	return err
}
