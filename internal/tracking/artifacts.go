// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tracking

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// artifactScheme begins the URI of artifacts that are written through the server.
const artifactScheme = "mlflow-artifacts:"

// TakesArtifacts reports whether the artifacts of the experiment's runs can be written through the server. Others lie in a
// storage of their own, such as s3://, whose credentials are the user's.
func (e Experiment) TakesArtifacts() bool { return strings.HasPrefix(e.Artifacts, artifactScheme) }

// PutArtifact writes a file of a run of an experiment that takes artifacts. Writing it again replaces it.
func (c *Client) PutArtifact(ctx context.Context, experiment Experiment, runID, name, content string) error {
	root := strings.TrimPrefix(experiment.Artifacts, artifactScheme)
	if rest, ok := strings.CutPrefix(root, "//"); ok { // mlflow-artifacts://host/1
		_, root, _ = strings.Cut(rest, "/")
	}
	_, err := c.do(ctx, opPutArtifact, request{
		method:      http.MethodPut,
		suffix:      "/" + strings.Trim(root, "/") + "/" + url.PathEscape(runID) + "/artifacts/" + url.PathEscape(name),
		contentType: "text/plain; charset=utf-8",
		body:        []byte(content),
	})
	return err
}
