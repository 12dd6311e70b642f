// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

const (
	// patience is for how long spans come again because of a sideline that fails.
	patience = 2 * time.Minute
	// pause is for how long a sideline that has failed for longer is not tried.
	pause = 30 * time.Second
)

// sideline is a method of MLflow that something beside the runs is written with, such as /v1/traces. When it fails, spans
// come again for a while, as their runs are not written twice; then what it would have written is left out, so that what is
// broken there never holds up or costs a run.
type sideline struct {
	what   string // what is written, in plural
	logger *zap.Logger

	mu      sync.Mutex
	off     bool      // the server does not have it
	failing time.Time // since when; zero while it works
	closed  time.Time // until when it is not tried
	logged  time.Time
}

// verdict is what becomes of something that a sideline was to write.
type verdict int

const (
	verdictDone verdict = iota
	verdictAgain
	verdictDropped
	verdictOff // the server does not have it, nobody misses it
)

// open says whether to try now: if not, the verdict is dropped or off.
func (s *sideline) open(now time.Time) (bool, verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.off:
		return false, verdictOff
	case now.Before(s.closed):
		return false, verdictDropped
	default:
		return true, verdictDone
	}
}

// settle takes what came of an attempt.
func (s *sideline) settle(ctx context.Context, err error, now time.Time) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, ok := errors.AsType[*tracking.Error](err)
	switch {
	case err == nil:
		if !s.failing.IsZero() {
			s.logger.Info("MLflow takes " + s.what + " again")
		}
		s.failing, s.closed, s.logged = time.Time{}, time.Time{}, time.Time{}
		return verdictDone
	case ctx.Err() != nil:
		return verdictAgain // the collector stops
	case tracking.IsUnsupported(err):
		if !s.off {
			s.logger.Info("This MLflow takes no "+s.what+"; runs are written without them", zap.Error(err))
		}
		s.off = true
		return verdictOff
	case !ok || answer.Class == tracking.Permanent || answer.Gone:
		s.complain(err, now)
		return verdictDropped // by its own fault
	}
	if s.failing.IsZero() {
		s.failing = now
	}
	s.complain(err, now)
	if now.Sub(s.failing) < patience {
		return verdictAgain
	}
	s.closed = now.Add(pause)
	return verdictDropped
}

// complain logs a failure, once a minute.
func (s *sideline) complain(err error, now time.Time) {
	if now.Sub(s.logged) >= complaintInterval {
		s.logged = now
		s.logger.Warn("MLflow does not take "+s.what+" now; their runs are complete without them", zap.Error(err))
	}
}
