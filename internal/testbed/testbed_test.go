// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shell is a process that runs a script; it is ready when the script has written to its log.
func shell(t *testing.T, script string) ProcessConfig {
	log := filepath.Join(t.TempDir(), "shell.log")
	return ProcessConfig{
		Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, Log: log,
		Ready: func(context.Context) error {
			if content, err := os.ReadFile(log); err != nil || len(content) == 0 {
				return errors.New("nothing written")
			}
			return nil
		},
	}
}

func TestProcessEndsWithItsChildren(t *testing.T) {
	end := map[string]func(*Process) error{"stop": (*Process).Stop, "kill": (*Process).Kill}
	for name, end := range end {
		t.Run(name, func(t *testing.T) {
			// The pipe ends when the last process that has it open for writing is gone.
			pipe := filepath.Join(t.TempDir(), "pipe")
			require.NoError(t, syscall.Mkfifo(pipe, 0o600))
			open, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			require.NoError(t, err)
			defer open.Close()

			p, err := StartProcess(t.Context(), shell(t, "exec 3> "+pipe+"; sleep 1000 & echo started; wait"))
			require.NoError(t, err)
			require.NoError(t, end(p))
			require.NoError(t, open.SetReadDeadline(time.Now().Add(10*time.Second)))
			_, err = open.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
			require.NoError(t, end(p), "ending an ended process does nothing")
		})
	}
}

func TestProcessRestarts(t *testing.T) {
	p, err := StartProcess(t.Context(), shell(t, "echo started; exec sleep 1000"))
	require.NoError(t, err)
	require.NoError(t, p.Kill())
	require.NoError(t, p.Restart(t.Context()))
	require.NoError(t, p.Stop())
	log, err := os.ReadFile(p.LogFile())
	require.NoError(t, err)
	require.Contains(t, string(log), "started\n")
}

func TestProcessThatEndsByItselfIsAnErrorWithItsLog(t *testing.T) {
	config := shell(t, "echo no such table >&2; exit 3")
	config.Ready = func(context.Context) error { return errors.New("connection refused") }
	_, err := StartProcess(t.Context(), config)
	require.ErrorContains(t, err, "starting shell: it ended by itself: exit status 3")
	require.ErrorContains(t, err, "no such table")
}

func TestProcessThatIsNotReadyInTimeIsStopped(t *testing.T) {
	config := shell(t, "echo $$; exec sleep 1000")
	config.StartWithin = 300 * time.Millisecond
	config.Ready = func(context.Context) error { return errors.New("connection refused") }
	_, err := StartProcess(t.Context(), config)
	require.ErrorContains(t, err, "not ready within 300ms: connection refused")
	log, err := os.ReadFile(config.Log)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(log)))
	require.NoError(t, err)
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}

func TestServersDoNotSeeTheSettingsOfTheDeveloper(t *testing.T) {
	require.Equal(t, []string{"PATH=/bin", "OPENAI_API_KEY=k"}, withoutSettings([]string{
		"PATH=/bin", "MLFLOW_TRACKING_URI=http://production", "OTEL_SDK_DISABLED=true", "OPENAI_API_KEY=k",
	}))
}

func TestReaderReadsASharedServer(t *testing.T) {
	reader := NewReader(SharedMLflow(t))
	found, err := reader.ExperimentByName(t.Context(), "Default")
	require.NoError(t, err)
	require.Equal(t, "0", found.ID)
	_, err = reader.ExperimentByName(t.Context(), "no such experiment")
	require.ErrorContains(t, err, "RESOURCE_DOES_NOT_EXIST")
	runs, err := reader.Runs(t.Context(), `tags.persona_id = "nobody"`)
	require.NoError(t, err)
	require.Empty(t, runs)
}
