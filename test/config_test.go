// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// A mistake in a config is an error of `otelcol-mlflow validate` that names the key and says what is allowed.
func TestBadConfigIsRefusedWithWhatIsAllowed(t *testing.T) {
	binary, err := testbed.CollectorBinary()
	require.NoError(t, err)
	for _, tt := range []struct {
		name    string
		mistake string // what is added to the shipped config
		want    []string
	}{
		{"unknown key of the exporter", "exporters::mlflow::endpiont: http://mlflow:5000", []string{
			"mlflow", "unknown key `endpiont`, did you mean `endpoint`?", "allowed here: `auth`", "`workspace`",
		}},
		{"unknown key in the HTTP settings", "exporters::mlflow::tls: {insecur: true}", []string{
			"mlflow", "unknown key `tls::insecur`, did you mean `insecure`?", "allowed here: `ca_file`",
		}},
		{"unknown key in the queue", "exporters::mlflow::sending_queue::queue_sise: 1", []string{
			"mlflow", "unknown key `sending_queue::queue_sise`, did you mean `queue_size`?", "`storage`",
		}},
		{"endpoint that is no URL", "exporters::mlflow::endpoint: mlflow:5000", []string{
			"exporters::mlflow", "`endpoint` must be the URL of an MLflow server, such as http://mlflow:5000",
		}},
		{"unknown variable of the experiment's name", `exporters::mlflow::experiment::name: "{persona}"`, []string{
			"exporters::mlflow", "`experiment::name`", "unknown variable {persona}", "allowed are {persona_id}, {date}",
		}},
		{"experiment's name with an open brace", `exporters::mlflow::experiment::name: "{persona_id"`, []string{
			"exporters::mlflow", "`experiment::name`", "{ without }",
		}},
		{"unknown key of the token processor", "processors::token::fallback_encodng: o200k_base", []string{
			"token", "unknown key `fallback_encodng`, did you mean `fallback_encoding`?", "`zero_usage`",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(binary, "validate", "--config", shippedConfig(t, "otelcol-mlflow.yaml"), "--config", "yaml:"+tt.mistake)
			cmd.Env = testbed.CleanEnv()
			output, err := cmd.CombinedOutput()
			require.Error(t, err)
			for _, want := range tt.want {
				require.Contains(t, string(output), want)
			}
		})
	}
}
