// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// health logs when MLflow begins to refuse runs, when the reason changes, and when it takes them again: an outage is a
// line a minute, not one for each attempt.
type health struct {
	logger *zap.Logger

	mu     sync.Mutex
	ailing bool
	reason reason
	logged time.Time
}

const complaintInterval = time.Minute

// reason is what an error is recognised by; texts differ by port numbers.
type reason struct {
	op, code, hint string
	status         int
}

func (h *health) failed(err error, at time.Time) {
	var now reason
	if answer, ok := errors.AsType[*tracking.Error](err); ok {
		now = reason{op: answer.Op, code: answer.Code, hint: answer.Hint, status: answer.Status}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reason == now && at.Sub(h.logged) < complaintInterval {
		return
	}
	h.ailing, h.reason, h.logged = true, now, at
	h.logger.Warn("Runs cannot be written now; their spans wait and are tried again", zap.Error(err))
}

func (h *health) succeeded() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ailing {
		h.ailing = false
		h.logger.Info("Runs can be written again")
	}
}
