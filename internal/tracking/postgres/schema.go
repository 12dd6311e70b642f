// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"crypto/sha256"
	_ "embed" // fingerprint.sql
	"encoding/hex"
	"fmt"
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
	MLflow string // the version that has it
	Head   string // revision in MLflow's table alembic_version
}

// Schemas are those that this package was tested with.
var Schemas = []Schema{
	{"3.7", "bf29a5ff90ea"},
	{"3.10", "1b5f0d9ad7c1"},
	{"3.17", "dc11669786a5"},
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
	known := make([]string, len(Schemas))
	for i, schema := range Schemas {
		if schema.Head == head {
			return nil
		}
		known[i] = fmt.Sprintf("%s (MLflow %s)", schema.Head, schema.MLflow)
	}
	if _, ok := s.accepted.Load(head); ok {
		return nil
	}
	refusal := &tracking.Error{Op: doing, Class: tracking.Retryable, Hint: fmt.Sprintf(
		"MLflow's database has the schema %q, and this version was tested with %s: spans wait until the collector is upgraded; or set `store::schema_check` to fingerprint, or `store::type` to rest",
		head, strings.Join(known, ", "))}
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
		"MLflow's database has the schema %q, which this version does not know, and its tables are not those of %s (fingerprint %s): spans wait until the collector is upgraded; or set `store::type` to rest",
		head, strings.Join(known, ", "), found)
	return refusal
}
