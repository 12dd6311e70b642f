// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Withservers starts the servers that tests share, runs a command that finds them by its environment, stops the servers
// and ends as the command did:
//
//	withservers go test ./...
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: withservers command [argument ...]")
		os.Exit(2)
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "withservers:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run returns the exit code of the command.
func run(command []string) (code int, err error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	servers, err := start(ctx, cancel, signals)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, servers.Stop()) }()
	return runCommand(command, servers.Env(), signals)
}

// start gives up when a signal comes.
func start(ctx context.Context, cancel context.CancelFunc, signals <-chan os.Signal) (*testbed.Servers, error) {
	started := make(chan struct{})
	defer close(started)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-started:
		}
	}()
	begin := time.Now()
	fmt.Println("==> starting MLflow with PostgreSQL (10-20 s)")
	servers, err := testbed.StartServers(ctx)
	if err == nil {
		fmt.Printf("==> MLflow is ready at %s after %.1f s\n", servers.MLflow.URL, time.Since(begin).Seconds())
	}
	return servers, err
}

// runCommand passes signals on to the command and all that it started: `go test` by itself would leave the tests running.
func runCommand(command, env []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if err := syscall.Kill(-cmd.Process.Pid, s.(syscall.Signal)); err != nil {
				return 0, fmt.Errorf("passing on %s: %w", s, err)
			}
		case err := <-ended:
			if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
				return exit.ExitCode(), nil
			}
			if err != nil {
				return 0, fmt.Errorf("%s: %w", command[0], err)
			}
			return 0, nil
		}
	}
}
