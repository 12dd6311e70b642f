// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// controlPlane is Kubernetes without machines: etcd, the API server, the controllers and the scheduler.
type controlPlane struct {
	api        *api
	kubeconfig string // file for its administrator
	processes  []*testbed.Process
}

func startControlPlane(ctx context.Context, dir string) (*controlPlane, error) {
	c := &controlPlane{kubeconfig: filepath.Join(dir, "kubeconfig")}
	if err := c.start(ctx, dir); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *controlPlane) start(ctx context.Context, dir string) error {
	var ports [3]int
	for i := range ports {
		var err error
		if ports[i], err = testbed.FreePort(); err != nil {
			return err
		}
	}
	etcd, peers, server := "http://"+testbed.LoopbackAddress(ports[0]), "http://"+testbed.LoopbackAddress(ports[1]), testbed.LoopbackAddress(ports[2])
	token, key, tokens := rand.Text(), filepath.Join(dir, "service-accounts.key"), filepath.Join(dir, "tokens.csv")
	if err := errors.Join(writeKey(key), os.WriteFile(tokens, []byte(token+",admin,admin,system:masters\n"), 0o600)); err != nil {
		return err
	}

	err := c.run(ctx, dir, "etcd", func(ctx context.Context) error {
		_, err := request(ctx, http.DefaultClient, http.MethodGet, etcd+"/health", "", "", nil)
		return err
	},
		"--data-dir="+filepath.Join(dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd, "--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
	if err != nil {
		return err
	}
	certificates := filepath.Join(dir, "certificates")
	c.api = &api{base: "https://" + server, token: token}
	err = c.run(ctx, dir, "kube-apiserver", func(ctx context.Context) error {
		if err := c.api.trust(filepath.Join(certificates, "apiserver.crt")); err != nil {
			return err
		}
		return c.api.do(ctx, http.MethodGet, "/readyz", nil, nil)
	},
		"--etcd-servers="+etcd, "--bind-address=127.0.0.1", fmt.Sprint("--secure-port=", ports[2]), "--cert-dir="+certificates,
		"--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC", "--token-auth-file="+tokens,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+key, "--service-account-signing-key-file="+key)
	if err != nil {
		return err
	}
	authority := filepath.Join(certificates, "apiserver.crt")
	config, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"clusters": []any{map[string]any{"name": "test", "cluster": map[string]any{"server": c.api.base, "certificate-authority": authority}}},
		"users":    []any{map[string]any{"name": "admin", "user": map[string]any{"token": token}}},
		"contexts": []any{map[string]any{"name": "test", "context": map[string]any{"cluster": "test", "user": "admin"}}},
	})
	if err := errors.Join(err, os.WriteFile(c.kubeconfig, config, 0o600)); err != nil {
		return err
	}
	atOnce := func(context.Context) error { return nil }
	return errors.Join(
		// Nobody here sends the heartbeats of nodes.
		c.run(ctx, dir, "kube-controller-manager", atOnce, "--kubeconfig="+c.kubeconfig, "--leader-elect=false", "--secure-port=0",
			"--service-account-private-key-file="+key, "--root-ca-file="+authority,
			"--controllers=*,-node-lifecycle-controller,-taint-eviction-controller", "--pvclaimbinder-sync-period=1s"),
		c.run(ctx, dir, "kube-scheduler", atOnce, "--kubeconfig="+c.kubeconfig, "--leader-elect=false", "--secure-port=0"))
}

func (c *controlPlane) run(ctx context.Context, dir, name string, ready func(context.Context) error, args ...string) error {
	path, err := testbed.Made(filepath.Join(".tools/kubernetes", name), ".tools/kubernetes")
	if err != nil {
		return err
	}
	process, err := testbed.StartProcess(ctx, testbed.ProcessConfig{
		Name: name, Path: path, Args: args, Dir: dir, Log: filepath.Join(dir, name+".log"), Ready: ready,
	})
	if err == nil {
		c.processes = append(c.processes, process)
	}
	return err
}

func (c *controlPlane) stop() error {
	var err error
	for _, process := range slices.Backward(c.processes) {
		err = errors.Join(err, process.Kill()) // nothing of it is wanted afterwards
	}
	return err
}

func writeKey(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return os.WriteFile(path, pem.EncodeToMemory(&block), 0o600)
}

// api talks to the API server as its administrator.
type api struct {
	base, token string
	client      *http.Client
}

// trust makes a client that takes the certificate in a file.
func (a *api) trust(certificate string) error {
	text, err := os.ReadFile(certificate)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	a.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 30 * time.Second}
	return nil
}

// do sends in, which may be nil, and reads the answer into out, which may be nil. A PATCH is merged.
func (a *api) do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	contentType := "application/json"
	if method == http.MethodPatch {
		contentType = "application/merge-patch+json"
	}
	answer, err := request(ctx, a.client, method, a.base+path, a.token, contentType, body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// get is the object, or list of objects, at a path.
func get[T any](ctx context.Context, a *api, path string) (T, error) {
	var out T
	return out, a.do(ctx, http.MethodGet, path, nil, &out)
}

// refused is an answer that is no success.
type refused struct {
	status       int
	method, path string
	text         string
}

func (r *refused) Error() string {
	return fmt.Sprintf("%s %s: status %d: %s", r.method, r.path, r.status, r.text)
}

// isStatus reports whether err is an answer with that HTTP status.
func isStatus(err error, status int) bool {
	r, ok := errors.AsType[*refused](err)
	return ok && r.status == status
}

func request(ctx context.Context, client *http.Client, method, url, token, contentType string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", contentType)
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = &refused{response.StatusCode, method, r.URL.Path, string(answer)}
	}
	return answer, err
}
