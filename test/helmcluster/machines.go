// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// machines do what kubelets, a provisioner of volumes and a cloud's load balancers would do, but run nothing: a pod whose
// volumes, secrets and config maps are there is ready at once, that of a job has done its work.
type machines struct {
	api *api
	ips int // given to pods so far

	mu      sync.Mutex
	lacking map[string]string // pod → what it lacks
	failed  error             // of the last round
}

type meta struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	Labels            map[string]string `json:"labels"`
	DeletionTimestamp *time.Time        `json:"deletionTimestamp"`
}

type list[T any] struct {
	Items []T `json:"items"`
}

type reference struct {
	Name     string `json:"name"`
	Key      string `json:"key"`
	Optional bool   `json:"optional"`
}

// source is where a value or files come from.
type source struct {
	SecretKeyRef    *reference `json:"secretKeyRef"`
	ConfigMapKeyRef *reference `json:"configMapKeyRef"`
	SecretRef       *reference `json:"secretRef"`
	ConfigMapRef    *reference `json:"configMapRef"`
}

type container struct {
	Name string `json:"name"`
	Env  []struct {
		ValueFrom source `json:"valueFrom"`
	} `json:"env"`
	EnvFrom []source `json:"envFrom"`
}

type pod struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		NodeName       string      `json:"nodeName"`
		RestartPolicy  string      `json:"restartPolicy"`
		Containers     []container `json:"containers"`
		InitContainers []container `json:"initContainers"`
		Volumes        []struct {
			Secret *struct {
				SecretName string `json:"secretName"`
			} `json:"secret"`
			ConfigMap *reference `json:"configMap"`
		} `json:"volumes"`
	} `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

// addNodes makes three machines of each kind, in three zones.
func (m *machines) addNodes(ctx context.Context) error {
	var err error
	for _, arch := range []string{"amd64", "arm64"} {
		for _, zone := range []string{"a", "b", "c"} {
			name := arch + "-" + zone
			err = errors.Join(err, m.api.do(ctx, http.MethodPost, "/api/v1/nodes", object{
				"metadata": object{"name": name, "labels": object{
					"kubernetes.io/hostname": name, "kubernetes.io/arch": arch, "topology.kubernetes.io/zone": zone,
				}},
			}, nil), m.api.do(ctx, http.MethodPatch, "/api/v1/nodes/"+name, object{
				"spec": object{"taints": nil}, // a new one has that of a node that is not ready
			}, nil), m.api.do(ctx, http.MethodPatch, "/api/v1/nodes/"+name+"/status", object{"status": object{
				"allocatable": object{"cpu": "16", "memory": "64Gi", "pods": "100"},
				"capacity":    object{"cpu": "16", "memory": "64Gi", "pods": "100"},
				"conditions":  []object{{"type": "Ready", "status": "True"}},
			}}, nil))
		}
	}
	return err
}

// run works until the context ends.
func (m *machines) run(ctx context.Context) {
	for ctx.Err() == nil {
		// What fails is tried again: objects change and go while they are looked at.
		err := errors.Join(m.runPods(ctx), m.provideVolumes(ctx), m.balanceLoad(ctx))
		m.mu.Lock()
		m.failed = err
		m.mu.Unlock()
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// lacks says what keeps pods from starting, and what else went wrong last.
func (m *machines) lacks() (map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lacking, m.failed
}

func (m *machines) runPods(ctx context.Context) error {
	pods, err := get[list[pod]](ctx, m.api, "/api/v1/pods")
	if err != nil {
		return err
	}
	lacking := make(map[string]string)
	for _, p := range pods.Items {
		path := "/api/v1/namespaces/" + p.Metadata.Namespace + "/pods/" + p.Metadata.Name
		switch {
		case p.Metadata.DeletionTimestamp != nil:
			err = errors.Join(err, m.api.do(ctx, http.MethodDelete, path, object{"gracePeriodSeconds": 0}, nil))
		case p.Spec.NodeName != "" && p.Status.Phase == "Pending":
			if lack := m.lack(ctx, &p); lack != nil {
				lacking[p.Metadata.Namespace+"/"+p.Metadata.Name] = lack.Error()
				continue
			}
			m.ips++
			err = errors.Join(err, m.api.do(ctx, http.MethodPatch, path+"/status", object{"status": running(&p, m.ips)}, nil))
		}
	}
	m.mu.Lock()
	m.lacking = lacking
	m.mu.Unlock()
	return err
}

// lack is an error if a secret or config map that the pod needs is not there.
func (m *machines) lack(ctx context.Context, p *pod) error {
	var err error
	need := func(kind string, r *reference) {
		if r == nil || r.Optional || r.Name == "" {
			return
		}
		found, getErr := get[struct {
			Data map[string]string `json:"data"`
		}](ctx, m.api, "/api/v1/namespaces/"+p.Metadata.Namespace+"/"+kind+"/"+r.Name)
		if _, ok := found.Data[r.Key]; getErr == nil && r.Key != "" && !ok {
			getErr = fmt.Errorf("%s %s has no key %s", kind, r.Name, r.Key)
		}
		err = errors.Join(err, getErr)
	}
	for _, v := range p.Spec.Volumes {
		need("configmaps", v.ConfigMap)
		if v.Secret != nil {
			need("secrets", &reference{Name: v.Secret.SecretName})
		}
	}
	for _, containers := range [][]container{p.Spec.InitContainers, p.Spec.Containers} {
		for _, c := range containers {
			from := c.EnvFrom
			for _, variable := range c.Env {
				from = append(from, variable.ValueFrom)
			}
			for _, s := range from {
				need("secrets", s.SecretKeyRef)
				need("configmaps", s.ConfigMapKeyRef)
				need("secrets", s.SecretRef)
				need("configmaps", s.ConfigMapRef)
			}
		}
	}
	return err
}

// running is the status of a pod that is ready, or whose job is done.
func running(p *pod, n int) object {
	now := time.Now().UTC().Format(time.RFC3339)
	phase, state := "Running", object{"running": object{"startedAt": now}}
	done := p.Spec.RestartPolicy != "Always"
	if done {
		phase, state = "Succeeded", object{"terminated": object{"exitCode": 0, "startedAt": now, "finishedAt": now}}
	}
	var containers []object
	for _, c := range p.Spec.Containers {
		containers = append(containers, object{
			"name": c.Name, "ready": !done, "started": !done, "restartCount": 0, "image": "x", "imageID": "x", "state": state,
		})
	}
	ready := map[bool]string{false: "True", true: "False"}[done]
	ip := fmt.Sprintf("10.244.%d.%d", n/250, n%250+1)
	return object{
		"phase": phase, "podIP": ip, "podIPs": []object{{"ip": ip}}, "hostIP": "10.0.0.1", "startTime": now, "containerStatuses": containers,
		"conditions": []object{
			{"type": "PodScheduled", "status": "True"},
			{"type": "Initialized", "status": "True"},
			{"type": "ContainersReady", "status": ready, "lastTransitionTime": now},
			{"type": "Ready", "status": ready, "lastTransitionTime": now},
		},
	}
}

// provideVolumes makes a volume for each claim that waits; the controllers bind the two.
func (m *machines) provideVolumes(ctx context.Context) error {
	claims, err := get[list[struct {
		Metadata meta `json:"metadata"`
		Spec     struct {
			VolumeName       string   `json:"volumeName"`
			StorageClassName string   `json:"storageClassName"`
			AccessModes      []string `json:"accessModes"`
			Resources        struct {
				Requests object `json:"requests"`
			} `json:"resources"`
		} `json:"spec"`
	}]](ctx, m.api, "/api/v1/persistentvolumeclaims")
	for _, claim := range claims.Items {
		if claim.Spec.VolumeName != "" {
			continue
		}
		createErr := m.api.do(ctx, http.MethodPost, "/api/v1/persistentvolumes", object{
			"metadata": object{"name": claim.Metadata.Namespace + "-" + claim.Metadata.Name},
			"spec": object{
				"capacity": claim.Spec.Resources.Requests, "accessModes": claim.Spec.AccessModes,
				"storageClassName": claim.Spec.StorageClassName, "hostPath": object{"path": "/nowhere"},
				"claimRef": object{"namespace": claim.Metadata.Namespace, "name": claim.Metadata.Name},
			},
		}, nil)
		if !isStatus(createErr, http.StatusConflict) { // it is there and not bound yet
			err = errors.Join(err, createErr)
		}
	}
	return err
}

// balanceLoad gives an address to services that want one from outside.
func (m *machines) balanceLoad(ctx context.Context) error {
	services, err := get[list[service]](ctx, m.api, "/api/v1/services")
	for _, s := range services.Items {
		if s.Spec.Type == "LoadBalancer" && len(s.Status.LoadBalancer.Ingress) == 0 {
			err = errors.Join(err, m.api.do(ctx, http.MethodPatch, "/api/v1/namespaces/"+s.Metadata.Namespace+"/services/"+s.Metadata.Name+"/status",
				object{"status": object{"loadBalancer": object{"ingress": []object{{"ip": "192.0.2.1"}}}}}, nil))
		}
	}
	return err
}
