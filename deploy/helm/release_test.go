// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The fields of Kubernetes' objects that must agree with those of other objects.
type (
	labels map[string]string

	metadata struct {
		Name        string            `yaml:"name"`
		Namespace   string            `yaml:"namespace"`
		Labels      labels            `yaml:"labels"`
		Annotations map[string]string `yaml:"annotations"`
	}

	selector struct {
		MatchLabels labels `yaml:"matchLabels"`
	}

	envVar struct {
		Name      string `yaml:"name"`
		Value     string `yaml:"value"`
		ValueFrom *struct {
			SecretKeyRef *struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}

	port struct {
		Name string `yaml:"name"`
		Port int    `yaml:"containerPort"`
	}

	probe struct {
		HTTPGet struct {
			Port string `yaml:"port"`
		} `yaml:"httpGet"`
	}

	container struct {
		Name            string   `yaml:"name"`
		Command         []string `yaml:"command"`
		Args            []string `yaml:"args"`
		Env             []envVar `yaml:"env"`
		Ports           []port   `yaml:"ports"`
		StartupProbe    *probe   `yaml:"startupProbe"`
		LivenessProbe   *probe   `yaml:"livenessProbe"`
		ReadinessProbe  *probe   `yaml:"readinessProbe"`
		SecurityContext struct {
			AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
			ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
			Capabilities             struct {
				Drop []string `yaml:"drop"`
			} `yaml:"capabilities"`
		} `yaml:"securityContext"`
		VolumeMounts []struct {
			Name      string `yaml:"name"`
			MountPath string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	}

	podSpec struct {
		ServiceAccountName            string `yaml:"serviceAccountName"`
		AutomountServiceAccountToken  *bool  `yaml:"automountServiceAccountToken"`
		TerminationGracePeriodSeconds int    `yaml:"terminationGracePeriodSeconds"`
		SecurityContext               struct {
			RunAsNonRoot   bool `yaml:"runAsNonRoot"`
			SeccompProfile struct {
				Type string `yaml:"type"`
			} `yaml:"seccompProfile"`
		} `yaml:"securityContext"`
		TopologySpreadConstraints []struct {
			LabelSelector selector `yaml:"labelSelector"`
		} `yaml:"topologySpreadConstraints"`
		Containers []container `yaml:"containers"`
		Volumes    []struct {
			Name      string `yaml:"name"`
			ConfigMap *struct {
				Name string `yaml:"name"`
			} `yaml:"configMap"`
			PersistentVolumeClaim *struct {
				ClaimName string `yaml:"claimName"`
			} `yaml:"persistentVolumeClaim"`
		} `yaml:"volumes"`
	}

	// workload is a Deployment, StatefulSet or Job.
	workload struct {
		Kind     string   `yaml:"kind"`
		Metadata metadata `yaml:"metadata"`
		Spec     struct {
			Replicas    *int      `yaml:"replicas"`
			ServiceName string    `yaml:"serviceName"`
			Selector    *selector `yaml:"selector"`
			Template    struct {
				Metadata metadata `yaml:"metadata"`
				Spec     podSpec  `yaml:"spec"`
			} `yaml:"template"`
			VolumeClaimTemplates []struct {
				Metadata metadata `yaml:"metadata"`
			} `yaml:"volumeClaimTemplates"`
		} `yaml:"spec"`
	}

	service struct {
		Metadata metadata `yaml:"metadata"`
		Spec     struct {
			ClusterIP string `yaml:"clusterIP"`
			Selector  labels `yaml:"selector"`
			Ports     []struct {
				Name       string `yaml:"name"`
				Port       int    `yaml:"port"`
				TargetPort string `yaml:"targetPort"`
			} `yaml:"ports"`
		} `yaml:"spec"`
	}

	serviceMonitor struct {
		Metadata metadata `yaml:"metadata"`
		Spec     struct {
			NamespaceSelector struct {
				MatchNames []string `yaml:"matchNames"`
			} `yaml:"namespaceSelector"`
			JobLabel  string   `yaml:"jobLabel"`
			Selector  selector `yaml:"selector"`
			Endpoints []struct {
				Port string `yaml:"port"`
				Path string `yaml:"path"`
			} `yaml:"endpoints"`
		} `yaml:"spec"`
	}

	disruptionBudget struct {
		Metadata metadata `yaml:"metadata"`
		Spec     struct {
			Selector selector `yaml:"selector"`
		} `yaml:"spec"`
	}

	autoscaler struct {
		Metadata metadata `yaml:"metadata"`
		Spec     struct {
			ScaleTargetRef struct{ Kind, Name string } `yaml:"scaleTargetRef"`
			MinReplicas    int                         `yaml:"minReplicas"`
			Behavior       struct {
				ScaleDown struct {
					SelectPolicy string `yaml:"selectPolicy"`
				} `yaml:"scaleDown"`
			} `yaml:"behavior"`
		} `yaml:"spec"`
	}

	peer struct {
		PodSelector       *selector `yaml:"podSelector"`
		NamespaceSelector *selector `yaml:"namespaceSelector"`
		IPBlock           *struct {
			CIDR string `yaml:"cidr"`
		} `yaml:"ipBlock"`
	}

	policyPort struct {
		Port     int    `yaml:"port"`
		Protocol string `yaml:"protocol"`
	}

	networkPolicy struct {
		Metadata metadata `yaml:"metadata"`
		Spec     struct {
			PodSelector selector `yaml:"podSelector"`
			Ingress     []struct {
				From  []peer       `yaml:"from"`
				Ports []policyPort `yaml:"ports"`
			} `yaml:"ingress"`
			Egress []struct {
				To    []peer       `yaml:"to"`
				Ports []policyPort `yaml:"ports"`
			} `yaml:"egress"`
		} `yaml:"spec"`
	}

	configMap struct {
		Metadata metadata          `yaml:"metadata"`
		Data     map[string]string `yaml:"data"`
	}
)

// release is everything that the chart makes of some values.
type release struct {
	kinds             map[string]int // how many objects there are of each kind
	workloads         []workload
	services          []service
	serviceMonitors   []serviceMonitor
	disruptionBudgets []disruptionBudget
	autoscalers       []autoscaler
	networkPolicies   []networkPolicy
	configMaps        []configMap
	claims            []metadata
	serviceAccounts   []metadata
}

// parse reads what helm has rendered.
func parse(t *testing.T, rendered string) release {
	t.Helper()
	r := release{kinds: map[string]int{}}
	documents := yaml.NewDecoder(strings.NewReader(rendered))
	for {
		var document yaml.Node
		err := documents.Decode(&document)
		if errors.Is(err, io.EOF) {
			return r
		}
		require.NoError(t, err)
		var object struct {
			Kind     string   `yaml:"kind"`
			Metadata metadata `yaml:"metadata"`
		}
		require.NoError(t, document.Decode(&object))
		require.Equal(t, namespace, object.Metadata.Namespace, object.Metadata.Name)
		r.kinds[object.Kind]++
		switch object.Kind {
		case "Deployment", "StatefulSet", "Job":
			decode(t, document, &r.workloads)
		case "Service":
			decode(t, document, &r.services)
		case "ServiceMonitor":
			decode(t, document, &r.serviceMonitors)
		case "PodDisruptionBudget":
			decode(t, document, &r.disruptionBudgets)
		case "HorizontalPodAutoscaler":
			decode(t, document, &r.autoscalers)
		case "NetworkPolicy":
			decode(t, document, &r.networkPolicies)
		case "ConfigMap":
			decode(t, document, &r.configMaps)
		case "PersistentVolumeClaim":
			r.claims = append(r.claims, object.Metadata)
		case "ServiceAccount":
			r.serviceAccounts = append(r.serviceAccounts, object.Metadata)
		case "PrometheusRule":
		default:
			require.Fail(t, "no check knows this kind", object.Kind)
		}
	}
}

func decode[T any](t *testing.T, document yaml.Node, objects *[]T) {
	t.Helper()
	var object T
	require.NoError(t, document.Decode(&object))
	*objects = append(*objects, object)
}

// matches tells whether an object with these labels is selected.
func (s labels) matches(object labels) bool {
	for key, value := range s {
		if object[key] != value {
			return false
		}
	}
	return len(s) > 0
}

// selected is the one workload whose pods are selected.
func (r release) selected(t *testing.T, by string, s labels) workload {
	t.Helper()
	var found []workload
	for _, w := range r.workloads {
		if s.matches(w.Spec.Template.Metadata.Labels) {
			found = append(found, w)
		}
	}
	require.Len(t, found, 1, "workloads whose pods %s selects with %v", by, s)
	return found[0]
}

// workload is the one of a kind and name.
func (r release) workload(t *testing.T, kind, name string) workload {
	t.Helper()
	for _, w := range r.workloads {
		if w.Kind == kind && w.Metadata.Name == name {
			return w
		}
	}
	require.Fail(t, "there is no "+kind+" "+name)
	return workload{}
}

// component is the workload of a component, such as collector.
func (r release) component(t *testing.T, name string) workload {
	t.Helper()
	return r.selected(t, "the test", labels{"app.kubernetes.io/component": name})
}

func (w workload) container(t *testing.T) container {
	t.Helper()
	require.Len(t, w.Spec.Template.Spec.Containers, 1)
	return w.Spec.Template.Spec.Containers[0]
}

// port returns the number of a port by its name or number, and whether the pods have it.
func (w workload) port(nameOrNumber string) (int, bool) {
	for _, c := range w.Spec.Template.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == nameOrNumber || strconv.Itoa(p.Port) == nameOrNumber {
				return p.Port, true
			}
		}
	}
	return 0, false
}

// env is the value of an environment variable, empty if there is none.
func (c container) env(name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// letsIn tells whether the policy lets somebody in on a port.
func (p networkPolicy) letsIn(number int, who func(peer) bool) bool {
	for _, rule := range p.Spec.Ingress {
		for _, from := range rule.From {
			for _, to := range rule.Ports {
				if to.Port == number && to.Protocol == "TCP" && who(from) {
					return true
				}
			}
		}
	}
	return false
}
