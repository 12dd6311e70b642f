// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// Run is a finished run with everything that is written about it. Its values fit MLflow's limits, its keys are unique.
type Run struct {
	ID         string // of RunID
	Experiment tracking.Experiment
	Name       string
	User       string
	Start, End int64 // milliseconds since the epoch
	Status     tracking.Status
	Params     []tracking.KeyValue
	Metrics    []tracking.Metric
	Tags       []tracking.KeyValue
}

// RunID is the id of a span's run: the same whoever writes it, and greater for a later start, so that new runs are
// neighbours in the indexes. It is a UUID of version 8 (RFC 9562, section 5.8) without hyphens, as MLflow writes its own:
// the start in milliseconds, then 74 bits of a hash of the span's trace id, span id and start.
func RunID(trace [16]byte, span [8]byte, start time.Time) string {
	var what [32]byte
	copy(what[:], trace[:])
	copy(what[16:], span[:])
	binary.BigEndian.PutUint64(what[24:], uint64(start.UnixNano()))
	hash := sha256.Sum256(what[:])

	var id [16]byte
	binary.BigEndian.PutUint64(id[:], uint64(start.UnixMilli())<<16)
	copy(id[6:], hash[:])
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return hex.EncodeToString(id[:])
}

// name is the run's name. MLflow invents one where there is none; here the id will do.
func (r *Run) name() string { return cmp.Or(r.Name, r.ID) }
