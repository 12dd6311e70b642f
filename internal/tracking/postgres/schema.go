// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"crypto/sha256"
	_ "embed" // fingerprint.sql
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// SchemaCheck says which schemas are written to.
type SchemaCheck string

// Which schemas are written to.
const (
	// SchemaStrict: those of Schemas.
	SchemaStrict SchemaCheck = "strict"
	// SchemaFingerprint: also one that is not in Schemas, if the tables that are written are made as in those. It
	// cannot tell whether a newer MLflow expects something else to be written as well.
	SchemaFingerprint SchemaCheck = "fingerprint"
)

// Schema is a state of MLflow's database.
type Schema struct {
	MLflow string // the versions that have it: all that begin so
	Head   string // revision in MLflow's table alembic_version
}

// Schemas are those that this package was tested with, the oldest first. `make test-versions VERSIONS=3.19.0` says whether that
// of another release may be here.
var Schemas = []Schema{
	{"3.7", "bf29a5ff90ea"},
	{"3.8", "1bd49d398cd23"},
	{"3.9", "d3e4f5a6b7c8"},
	{"3.10", "1b5f0d9ad7c1"},
	{"3.11", "c3d6457b6d8a"},
	{"3.12", "7d34483879f0"},
	{"3.13", "da6fb0208061"},
	{"3.14", "b7e4c1a90f23"},
	{"3.15", "6f8d9c3b2a1e"},
	{"3.16", "b7e2c1a4d9f3"},
	{"3.17", "dc11669786a5"},
	{"3.18", "f4a9b2c7d1e6"},
}

// tables is the fingerprint that the written tables have in all of Schemas.
const tables = "1bf3e7d4c1629c6a"

// fingerprintQuery describes the tables that are written, and those columns of experiments that are read.
//
//go:embed fingerprint.sql
var fingerprintQuery string

// fingerprint returns a hash of how the tables are made.
func fingerprint(ctx context.Context, tx interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
},
) (string, error) {
	var description string
	if err := tx.QueryRow(ctx, fingerprintQuery).Scan(&description); err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(description))
	return hex.EncodeToString(hash[:8]), nil
}

// checkSchema is an error unless the schema is one that is written to.
func (s *Store) checkSchema(ctx context.Context, tx pgx.Tx, heads []string) error {
	head := strings.Join(heads, " and ")
	if slices.ContainsFunc(Schemas, func(known Schema) bool { return known.Head == head }) {
		return nil
	}
	if _, ok := s.accepted.Load(head); ok {
		return nil
	}
	oldest, newest := Schemas[0], Schemas[len(Schemas)-1]
	known := fmt.Sprintf("those of MLflow %s (%s) to %s (%s)", oldest.MLflow, oldest.Head, newest.MLflow, newest.Head)
	refusal := &tracking.Error{Op: doing, Class: tracking.Retryable, Hint: fmt.Sprintf(
		"MLflow's database has the schema %q, and this version was tested with %s: spans wait until the collector is upgraded; or set `store::schema_check` to fingerprint, or `store::type` to rest",
		head, known)}
	if s.check != SchemaFingerprint {
		return refusal
	}
	found, err := fingerprint(ctx, tx)
	if err != nil {
		return err
	}
	if found == tables {
		s.accepted.Store(head, struct{}{})
		return nil
	}
	refusal.Hint = fmt.Sprintf(
		"MLflow's database has the schema %q, which this version does not know, and its tables are not %s (fingerprint %s): spans wait until the collector is upgraded; or set `store::type` to rest",
		head, known, found)
	return refusal
}
