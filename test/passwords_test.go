// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build mlflow_full

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// An MLflow that asks for passwords and has a workspace for each team.
func TestMLflowWithPasswordsAndWorkspaces(t *testing.T) {
	mlflow := startGuarded(t)
	admin := account{mlflow, "admin", "a-password-of-the-admin"}
	writer := account{mlflow, "collector", "a-password-of-the-collector"}
	admin.call(t, "", http.MethodPost, "/api/3.0/mlflow/workspaces", `{"name":"team-a"}`, nil)
	admin.call(t, "", http.MethodPost, "/api/2.0/mlflow/users/create", `{"username":"collector","password":"`+writer.password+`"}`, nil)
	admin.call(t, "", http.MethodPatch, "/api/2.0/mlflow/users/update-admin", `{"username":"collector","is_admin":true}`, nil)

	t.Run("the right password writes to the workspace", func(t *testing.T) {
		collector := startCollector(t, "otelcol-mlflow.yaml auth.yaml", mlflow,
			"MLFLOW_TRACKING_USERNAME="+writer.name, "MLFLOW_TRACKING_PASSWORD="+writer.password, "MLFLOW_WORKSPACE=team-a")
		persona := newPersona()
		require.NoError(t, collector.SendHTTP(t.Context(), newCall(persona, "What is 2+2?")))
		waitFor(t, "the call is written", func() bool { return admin.finished(t, "team-a", persona) == 1 })
		require.Zero(t, admin.finished(t, "default", persona))
	})

	t.Run("the wrong password is told, and the call waits for the right one", func(t *testing.T) {
		persona := newPersona()
		dir := t.TempDir()
		config := testbed.CollectorConfig{
			Configs: []string{shippedConfig(t, "otelcol-mlflow.yaml"), shippedConfig(t, "auth.yaml")},
			Set:     []string{"exporters.mlflow.retry_on_failure={initial_interval: 200ms, max_interval: 1s}"},
			Env:     []string{"MLFLOW_TRACKING_URI=" + mlflow, "MLFLOW_TRACKING_USERNAME=collector", "MLFLOW_TRACKING_PASSWORD=wrong"},
			Dir:     dir,
		}
		collector, err := testbed.StartCollector(t.Context(), config)
		require.NoError(t, err)
		require.NoError(t, collector.SendHTTP(t.Context(), newCall(persona, "What is 2+2?")))
		waitFor(t, "the log says what to do", func() bool {
			log, err := os.ReadFile(collector.LogFile())
			require.NoError(t, err)
			return strings.Contains(string(log), "MLflow asks for credentials")
		})
		require.NoError(t, collector.Stop())

		config.Env[2] = "MLFLOW_TRACKING_PASSWORD=" + writer.password
		collector, err = testbed.StartCollector(t.Context(), config)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, collector.Stop()) })
		waitFor(t, "the call is written", func() bool { return admin.finished(t, "default", persona) == 1 })
	})
}

// startGuarded starts `mlflow server --app-name basic-auth` with workspaces.
func startGuarded(t *testing.T) string {
	t.Helper()
	program, err := testbed.Made(".tools/mlflow-full/bin/mlflow", ".tools/mlflow-full")
	require.NoError(t, err)
	dir := t.TempDir()
	auth := filepath.Join(dir, "basic_auth.ini")
	require.NoError(t, os.WriteFile(auth, []byte(strings.Join([]string{
		"[mlflow]",
		"default_permission = READ",
		"database_uri = sqlite:///" + filepath.Join(dir, "auth.db"),
		"admin_username = admin",
		"authorization_function = mlflow.server.auth:authenticate_request_basic_auth",
		"auth_cache_ttl_seconds = 60",
	}, "\n")), 0o600))
	port, err := testbed.FreePort()
	require.NoError(t, err)
	address := "http://" + testbed.LoopbackAddress(port)
	process, err := testbed.StartProcess(t.Context(), testbed.ProcessConfig{
		Name: "MLflow with passwords",
		Path: program,
		Args: []string{
			"server", "--host", "127.0.0.1", "--port", strconv.Itoa(port), "--workers", "1",
			"--app-name", "basic-auth", "--enable-workspaces",
			"--backend-store-uri", "sqlite:///" + filepath.Join(dir, "mlflow.db"),
			"--artifacts-destination", filepath.Join(dir, "artifacts"),
		},
		Env: []string{
			"MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", "GIT_PYTHON_REFRESH=quiet",
			"MLFLOW_FLASK_SERVER_SECRET_KEY=a-key-that-signs", "MLFLOW_AUTH_CONFIG_PATH=" + auth,
			"MLFLOW_AUTH_ADMIN_PASSWORD=a-password-of-the-admin",
		},
		Dir: dir,
		Log: filepath.Join(dir, "mlflow.log"),
		Ready: func(ctx context.Context) error {
			return account{address, "admin", "a-password-of-the-admin"}.try(ctx, "", http.MethodPost,
				"/api/2.0/mlflow/experiments/search", `{"max_results":1}`, nil)
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, process.Stop()) })
	return address
}

// account is a user of MLflow.
type account struct{ mlflow, name, password string }

// finished is how many finished runs a persona has in a workspace.
func (a account) finished(t *testing.T, workspace, persona string) int {
	t.Helper()
	var found struct {
		Experiments []struct {
			ID string `json:"experiment_id"`
		}
		Runs []struct{}
	}
	a.call(t, workspace, http.MethodPost, "/api/2.0/mlflow/experiments/search", `{"max_results":1000}`, &found)
	ids := make([]string, len(found.Experiments))
	for i, experiment := range found.Experiments {
		ids[i] = experiment.ID
	}
	search, err := json.Marshal(map[string]any{
		"experiment_ids": ids, "filter": `tags.persona_id = "` + persona + `" and attributes.status = "FINISHED"`,
	})
	require.NoError(t, err)
	a.call(t, workspace, http.MethodPost, "/api/2.0/mlflow/runs/search", string(search), &found)
	return len(found.Runs)
}

func (a account) call(t *testing.T, workspace, method, path, body string, out any) {
	t.Helper()
	require.NoError(t, a.try(t.Context(), workspace, method, path, body, out))
}

func (a account) try(ctx context.Context, workspace, method, path, body string, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, a.mlflow+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.SetBasicAuth(a.name, a.password)
	request.Header.Set("Content-Type", "application/json")
	if workspace != "" {
		request.Header.Set("X-MLFLOW-WORKSPACE", workspace)
	}
	request.Close = true // no connection outlives the test
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: %s: %s", path, response.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(bytes.NewReader(answer)).Decode(out)
}
