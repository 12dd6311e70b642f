// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	probeEvery   = 100 * time.Millisecond
	probeTimeout = 2 * time.Second
	// stopWithin is how long a process may take to end after SIGTERM. A collector finishes the requests under way.
	stopWithin = 30 * time.Second
	// logTail is how much of the log an error quotes, in bytes.
	logTail = 4 << 10
)

// ProcessConfig describes a server.
type ProcessConfig struct {
	Name string   // in errors
	Path string   // of the executable
	Args []string // without the executable
	// Env is added to CleanEnv: what a developer has set for servers of his own must not reach those of a test.
	Env []string
	Dir string // working directory; empty means this program's
	Log string // file that output is appended to
	// User is who the server runs as; nil means who this program runs as.
	User *syscall.Credential
	// Ready returns nil when the server does its work. It is called until then, with a context of its own each time.
	Ready func(context.Context) error
	// StartWithin is how long the server may take until it is ready; 0 means two minutes.
	StartWithin time.Duration
}

// Process is a running server. Its methods are not safe for concurrent use.
type Process struct {
	config ProcessConfig
	pid    int
	exited chan struct{} // closed when the process has ended
	status string        // how it ended; set before exited is closed
}

// StartProcess starts a server and returns when it is ready. The context bounds the start, not the life of the server: the
// caller must Stop or Kill it. After an error nothing is left running.
func StartProcess(ctx context.Context, config ProcessConfig) (*Process, error) {
	p := &Process{config: config}
	if err := p.start(ctx); err != nil {
		return nil, fmt.Errorf("starting %s: %w", config.Name, err)
	}
	return p, nil
}

// Stop ends the server and its children by SIGTERM, as an operator would, and after half a minute by SIGKILL, which is an
// error. Stopping a stopped server does nothing.
func (p *Process) Stop() error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopWithin):
		return errors.Join(fmt.Errorf("%s did not stop within %s, killing it\n%s", p.config.Name, stopWithin, p.logTail()), p.Kill())
	}
}

// Kill ends the server and its children by SIGKILL: nothing is finished, nothing is saved.
func (p *Process) Kill() error {
	err := p.signal(syscall.SIGKILL)
	<-p.exited
	return err
}

// Restart starts the server again with the same arguments, so on the same port with the same data. It must have been
// stopped or killed.
func (p *Process) Restart(ctx context.Context) error {
	if err := p.start(ctx); err != nil {
		return fmt.Errorf("starting %s again: %w", p.config.Name, err)
	}
	return nil
}

// LogFile is where the output of the server is.
func (p *Process) LogFile() string { return p.config.Log }

// Exited is closed when the process has ended, whoever ended it.
func (p *Process) Exited() <-chan struct{} { return p.exited }

func (p *Process) start(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(p.config.Log), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(p.config.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own descriptor

	cmd := exec.Command(p.config.Path, p.config.Args...)
	cmd.Dir, cmd.Env = p.config.Dir, append(CleanEnv(), p.config.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownGroup()
	cmd.SysProcAttr.Credential = p.config.User

	exited, started := make(chan struct{}), make(chan error)
	go func() {
		// The kernel ends the child when the thread that started it ends, so this one lives as long as the child.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()                                      // the state says more
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // children that it left behind
			p.status = cmd.ProcessState.String()
			close(exited)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	p.pid, p.exited = cmd.Process.Pid, exited
	if err := p.waitReady(ctx); err != nil {
		return errors.Join(err, p.Kill(), errors.New(p.logTail()))
	}
	return nil
}

func (p *Process) waitReady(ctx context.Context) error {
	within := p.config.StartWithin
	if within == 0 {
		within = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("not ready within %s", within))
	defer cancel()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		err := p.probe(ctx)
		select {
		// Looked at after every answer, because it could be that of another server on the same port.
		case <-p.exited:
			return fmt.Errorf("it ended by itself: %s", p.status)
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

func (p *Process) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return p.config.Ready(ctx)
}

// signal sends a signal to the server and its children, if it is still running.
func (p *Process) signal(sig syscall.Signal) error {
	select {
	case <-p.exited:
		return nil
	default:
	}
	if err := syscall.Kill(-p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("sending %s to %s: %w", sig, p.config.Name, err)
	}
	return nil
}

// logTail is the end of the log, for an error.
func (p *Process) logTail() string {
	log, err := os.ReadFile(p.config.Log)
	if err != nil {
		return err.Error()
	}
	if len(log) > logTail {
		log = log[len(log)-logTail:]
		log = log[bytes.IndexByte(log, '\n')+1:]
	}
	return fmt.Sprintf("the end of %s:\n%s", p.config.Log, log)
}

// CleanEnv is the environment of this program without the variables that configure MLflow or OpenTelemetry.
func CleanEnv() []string { return withoutSettings(os.Environ()) }

func withoutSettings(env []string) []string {
	return slices.DeleteFunc(env, func(variable string) bool {
		for _, prefix := range []string{"MLFLOW_", "_MLFLOW_", "OTEL_", "OTELCOL_"} {
			if strings.HasPrefix(variable, prefix) {
				return true
			}
		}
		return false
	})
}
