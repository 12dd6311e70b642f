// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"regexp"
	"strings"
)

// plainLocation fits the locations that end with a path, or with a path and a query, whatever version of Python reads them:
// a folder, a URL with a host, file:///, and the two schemes that MLflow uses without a host.
var plainLocation = regexp.MustCompile(
	`^(?:/[^\x00-\x20]*|\.[^\x00-\x20:]*|(?:[a-z][a-z0-9+.-]*://[^/?#;\[\]\x00-\x20]+(?:/[^?#;\x00-\x20]*)?|file:///[^?#;\x00-\x20]*|(?:mlflow-artifacts|dbfs):/(?:[^/?#;\x00-\x20][^?#;\x00-\x20]*)?)(\?[^?#;%\x00-\x20]+)?)$`)

// maxArtifactURI is the length of MLflow's column, in code points.
const maxArtifactURI = 200

// artifactURI is where a run of an experiment has its artifacts, as MLflow makes it (append_to_uri_path in
// mlflow/utils/uri.py). It reports false for a location of which that cannot be told for sure, or that MLflow refuses.
func artifactURI(location, runID string) (string, bool) {
	match := plainLocation.FindStringSubmatch(location)
	if match == nil {
		return "", false
	}
	query := match[1]
	if strings.Contains(query, "..") {
		return "", false
	}
	path := strings.TrimSuffix(location, query)
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	uri := path + runID + "/artifacts" + query
	return uri, len([]rune(uri)) <= maxArtifactURI
}
