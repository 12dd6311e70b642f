// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

// What tests look at from outside.
var (
	Fingerprint = fingerprint
	ArtifactURI = artifactURI
)

// Tables is the fingerprint of the tables that are known.
const Tables = tables
