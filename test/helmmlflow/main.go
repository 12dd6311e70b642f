// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Helmmlflow does what Kubernetes would do with the Helm chart, without Kubernetes. Of the ha profile, it runs the migration and
// two MLflow servers on one PostgreSQL and a stand-in for S3 with exactly the commands and environment of their pods, sends a
// call through the collector with the pod's config, and asks MLflow under every name that it must or must not answer to. Of the
// single profile, it does so with one server on a volume, and looks at its memory.
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

// podIP is the address that the pods are told is theirs.
const podIP = "10.1.2.3"

// accessKey is the object store's.
const accessKey = "mlflow-artifacts"

// longPrompt is longer than a param holds.
var longPrompt = strings.Repeat("What is 2+2? ", 1000)

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
	dir, err := os.MkdirTemp("", "otelcol-mlflow-helm-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := single(ctx, filepath.Join(dir, "single")); err != nil {
		return err
	}
	return highlyAvailable(ctx, filepath.Join(dir, "ha"))
}

func highlyAvailable(ctx context.Context, dir string) (err error) {
	chart, err := render(ctx, "mlflow-ha-minio.yaml")
	if err != nil {
		return err
	}
	postgres, err := testbed.StartPostgres(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, postgres.Stop()) }()

	objects, err := startBucket(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, objects.Close()) }()

	secrets := accounts()
	secrets["mlflow-database/uri"] = postgres.URI
	secrets["minio-mlflow/AWS_ACCESS_KEY_ID"] = accessKey
	secrets["minio-mlflow/AWS_SECRET_ACCESS_KEY"] = "a secret that signs"
	// As the chart's README says to make it.
	if err := secrets.addConfig(dir, strings.Join([]string{
		"[mlflow]",
		"default_permission = READ",
		"database_uri = " + postgres.URI,
		"admin_username = admin",
		"authorization_function = mlflow.server.auth:authenticate_request_basic_auth",
		"auth_cache_ttl_seconds = 60",
	}, "\n")); err != nil {
		return err
	}
	if err := migrate(ctx, chart, secrets, dir); err != nil {
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
			// Both make the tables of users at their first start. Kubernetes starts the one again that comes second.
			for attempt := 1; ; attempt++ {
				var err error
				servers[i], err = startServer(ctx, chart, secrets, filepath.Join(dir, fmt.Sprintf("mlflow-%d", i)),
					"http://minio.storage:9000", objects.url)
				if err == nil || attempt == 2 {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Println("ok    two pods of the MLflow Deployment, on one database")

	if err := makeWriter(ctx, servers[0]); err != nil {
		return err
	}
	if err := sendCall(ctx, chart, secrets, servers[0], dir, longPrompt); err != nil {
		return err
	}
	var errs []error
	for _, check := range checks(servers, objects) {
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

// accounts are the Secrets that both profiles have.
func accounts() secrets {
	return secrets{
		"mlflow-admin/username":  admin.name,
		"mlflow-admin/password":  admin.password,
		"mlflow-writer/username": writer.name,
		"mlflow-writer/password": writer.password,
		"mlflow-flask/key":       "a key that signs",
	}
}

// addConfig makes basic_auth.ini a file in a new folder.
func (s secrets) addConfig(dir, content string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s["mlflow-auth-config"] = filepath.Join(dir, "basic_auth.ini")
	return os.WriteFile(s["mlflow-auth-config"], []byte(content), 0o600)
}
