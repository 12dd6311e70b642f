// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Helmmlflow does what Kubernetes would do with the Helm chart's ha profile, without Kubernetes: it renders the chart, runs
// the migration and two MLflow servers on one PostgreSQL with exactly the commands and environment of their pods, sends a
// call through the collector with the pod's config, and asks MLflow under every name that it must or must not answer to.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// values is the file of the chart's tests that has the ha profile, passwords and a public host.
const values = "deploy/helm/testdata/values/mlflow-ha-minio.yaml"

// podIP is the address that the pods are told is theirs.
const podIP = "10.1.2.3"

// account is a user of MLflow.
type account struct{ name, password string }

var (
	admin = account{"admin", "a password of the administrator"}
	// writer is the collector's, who has no rights but to make experiments.
	writer = account{"collector", "correct horse battery staple"}
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "helmmlflow:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	chart, err := render(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "otelcol-mlflow-helm-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	postgres, err := testbed.StartPostgres(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, postgres.Stop()) }()

	secrets, err := makeSecrets(dir, postgres.URI)
	if err != nil {
		return err
	}
	if err := migrate(ctx, chart, secrets); err != nil {
		return err
	}
	fmt.Println("ok    the migration Job")

	// Both at once, as a Deployment starts them.
	servers := make([]*server, 2)
	defer func() {
		for _, s := range servers {
			if s != nil {
				err = errors.Join(err, s.Stop())
			}
		}
	}()
	var group errgroup.Group
	for i := range servers {
		group.Go(func() error {
			var err error
			servers[i], err = startServer(ctx, chart, secrets, filepath.Join(dir, fmt.Sprintf("mlflow-%d", i)))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Println("ok    two pods of the MLflow Deployment, on one database")

	if err := makeWriter(ctx, servers[0]); err != nil {
		return err
	}
	if err := sendCall(ctx, chart, secrets, servers[0], dir); err != nil {
		return err
	}
	var errs []error
	for _, check := range checks(servers) {
		err := check.do(ctx)
		result := "ok   "
		if err != nil {
			result = "FAIL "
			errs = append(errs, fmt.Errorf("%s: %w", check.name, err))
		}
		fmt.Println(result, check.name)
	}
	return errors.Join(errs...)
}

// makeSecrets makes what the values refer to: the value of each key, by Secret and key.
func makeSecrets(dir, database string) (secrets, error) {
	// As the chart's README says to make it.
	config := filepath.Join(dir, "basic_auth.ini")
	err := os.WriteFile(config, []byte(strings.Join([]string{
		"[mlflow]",
		"default_permission = READ",
		"database_uri = " + database,
		"admin_username = admin",
		"authorization_function = mlflow.server.auth:authenticate_request_basic_auth",
		"auth_cache_ttl_seconds = 60",
	}, "\n")), 0o600)
	return secrets{
		"mlflow-database/uri":                database,
		"mlflow-admin/username":              admin.name,
		"mlflow-admin/password":              admin.password,
		"mlflow-writer/username":             writer.name,
		"mlflow-writer/password":             writer.password,
		"mlflow-flask/key":                   "a key that signs",
		"minio-mlflow/AWS_ACCESS_KEY_ID":     "mlflow",
		"minio-mlflow/AWS_SECRET_ACCESS_KEY": "not used: nothing is uploaded",
		"mlflow-auth-config":                 config,
	}, err
}
