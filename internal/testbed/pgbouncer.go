// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// PgBouncer is a running connection pooler in transaction mode, in front of a Postgres.
type PgBouncer struct {
	*Process
	Address string // 127.0.0.1:port, of all databases of the server
	dir     string
}

// pgBouncerConfig is PgBouncer's own, but for what it must be told: where to listen, for whom, and the mode.
const pgBouncerConfig = `[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = users.txt
pool_mode = transaction
`

// StartPgBouncer starts PgBouncer for a user: the one on the PATH, or the one that the variable PGBOUNCER names.
func StartPgBouncer(ctx context.Context, postgres *Postgres, user string) (*PgBouncer, error) {
	program, err := exec.LookPath(cmp.Or(os.Getenv("PGBOUNCER"), "pgbouncer"))
	if err != nil {
		return nil, errors.Join(errors.New("install PgBouncer (apt-get install pgbouncer, whose folder is /usr/sbin), or set PGBOUNCER to its path"), err)
	}
	dir, err := os.MkdirTemp("", "otelcol-mlflow-pgbouncer-")
	if err != nil {
		return nil, err
	}
	pgBouncer, err := startPgBouncer(ctx, program, dir, postgres, user)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return pgBouncer, nil
}

func startPgBouncer(ctx context.Context, program, dir string, postgres *Postgres, user string) (*PgBouncer, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	host, postgresPort, err := net.SplitHostPort(postgres.Address)
	if err != nil {
		return nil, err
	}
	config, users := filepath.Join(dir, "pgbouncer.ini"), filepath.Join(dir, "users.txt")
	err = errors.Join(
		os.WriteFile(config, fmt.Appendf(nil, pgBouncerConfig, host, postgresPort, port), 0o600),
		os.WriteFile(users, fmt.Appendf(nil, "%q \"\"\n", user), 0o600))
	var credential *syscall.Credential
	if os.Getuid() == 0 { // which PgBouncer refuses too
		credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		for _, path := range []string{dir, config, users} {
			err = errors.Join(err, os.Chown(path, nobody, nobody))
		}
	}
	if err != nil {
		return nil, err
	}
	address := LoopbackAddress(port)
	process, err := StartProcess(ctx, ProcessConfig{
		Name: "PgBouncer",
		Path: program,
		Args: []string{config},
		Dir:  dir,
		Log:  filepath.Join(dir, "pgbouncer.log"),
		User: credential,
		Ready: func(ctx context.Context) error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			return conn.Close()
		},
	})
	if err != nil {
		return nil, err
	}
	return &PgBouncer{Process: process, Address: address, dir: dir}, nil
}

// Stop ends the pooler and removes its files.
func (p *PgBouncer) Stop() error { return errors.Join(p.Process.Stop(), os.RemoveAll(p.dir)) }
