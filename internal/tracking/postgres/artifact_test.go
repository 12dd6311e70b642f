// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
)

// locations are artifact locations of experiments, and whether they are extended here.
var locations = map[string]bool{
	"mlflow-artifacts:/1":                      true,
	"mlflow-artifacts:/":                       true,
	"mlflow-artifacts:/team-a/1":               true,
	"mlflow-artifacts://host:5000/1":           true,
	"s3://bucket":                              true,
	"s3://bucket/":                             true,
	"s3://bucket/a/b/":                         true,
	"s3://bucket/a?endpoint=x&region=y":        true,
	"gs://bucket/a@b/ü":                        true,
	"abfss://container@account.dfs.core.net/a": true,
	"wasbs://c@a.blob.core.windows.net/?sv=2":  true,
	"dbfs:/mlflow/1":                           true,
	"hdfs://namenode:8020/mlflow":              true,
	"file:///var/mlflow/1":                     true,
	"https://host/a":                           true,
	"sftp://user@host/a/b":                     true,
	"/var/lib/mlflow/1":                        true,
	"/var/lib/mlflow/1/":                       true,
	"/with?mark#and;more":                      true,
	"./mlruns/1":                               true,
	"":                                         false,
	"mlruns/1":                                 false,
	"file:/var/mlflow":                         false, // Python makes three slashes of one
	"hdfs:///mlflow":                           false, // Python makes one slash of three, depending on its version
	"mlflow-artifacts:":                        false,
	"mlflow-artifacts:1":                       false,
	"s3://bucket/a#fragment":                   false,
	"https://host/a;x=1":                       false, // appended before the semicolon
	"s3://bucket/a?x=..":                       false, // MLflow refuses it
	"s3://bucket/a?x=%2e%2e":                   false,
	"s3://bucket/a b":                          false,
	"S3://bucket/a":                            false,
	"s3://[bucket/a":                           false,
	"s3://" + strings.Repeat("b", 160):         false, // longer than the column
}

const appendToURIPath = `
import json, sys
from mlflow.utils.uri import append_to_uri_path
print(json.dumps({l: append_to_uri_path(l, "0123456789abcdef0123456789abcdef", "artifacts") for l in json.load(sys.stdin)}))
`

func TestArtifactLocationsAreThoseOfMLflow(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	got := make(map[string]string)
	var extended []string
	for location, want := range locations {
		uri, ok := postgres.ArtifactURI(location, id)
		assert.Equal(t, want, ok, location)
		if ok {
			got[location] = uri
			extended = append(extended, location)
		}
	}
	python, err := testbed.MLflowProgram("python")
	require.NoError(t, err)
	in, err := json.Marshal(extended)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), python, "-c", appendToURIPath)
	cmd.Stdin, cmd.Env = strings.NewReader(string(in)), testbed.CleanEnv()
	answer, err := cmd.Output()
	require.NoError(t, err)
	var want map[string]string
	require.NoError(t, json.Unmarshal(answer, &want))
	require.Equal(t, want, got)
}
