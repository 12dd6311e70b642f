// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

const (
	// maxClockSkew is how far the clock of an application may run ahead of the collector's without being remembered.
	maxClockSkew = time.Minute
	// maxHorizon is how far ahead the horizon goes. Spans beyond it are always looked for, so that one wrong clock does not
	// make all spans of years be.
	maxHorizon = 24 * time.Hour
	// horizonStep is by how much the horizon moves, so that it is not stored for each span.
	horizonStep = time.Minute

	horizonKey = "horizon"
)

// horizon tells the spans that an earlier process may have written, because they come from its queue, from new ones, by
// when they ended. Most have ended before this process started. Where an application's clock runs ahead they have not; so
// each process stores the latest end of what it writes, as far as that lies in the future, before it writes it.
type horizon struct {
	storage storage.Client
	logger  *zap.Logger
	started time.Time // of this process
	before  time.Time // horizon of the earlier ones

	mu     sync.Mutex
	stored time.Time
}

func loadHorizon(ctx context.Context, store storage.Client, started time.Time, logger *zap.Logger) (*horizon, error) {
	h := &horizon{storage: store, logger: logger, started: started}
	value, err := store.Get(ctx, horizonKey)
	if err != nil {
		return nil, err
	}
	if len(value) > 0 && h.before.UnmarshalText(value) != nil {
		h.before = started.Add(maxHorizon) // broken: as bad as it can be
	}
	h.stored = h.before
	return h, nil
}

// mayBeOld reports whether a span that ended then may have been written by an earlier process.
func (h *horizon) mayBeOld(end time.Time) bool {
	return end.Before(h.started.Add(maxClockSkew)) || !end.After(h.before) || end.After(time.Now().Add(maxHorizon-horizonStep))
}

// extend is called before a span that ended then is written.
func (h *horizon) extend(ctx context.Context, end time.Time) {
	now := time.Now()
	if end.Before(now.Add(maxClockSkew)) || end.After(now.Add(maxHorizon)) {
		return // what starts later knows these by itself
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !end.After(h.stored) {
		return
	}
	h.stored = end.Add(horizonStep)
	value, err := h.stored.MarshalText()
	if err == nil {
		err = h.storage.Set(ctx, horizonKey, value)
	}
	if err != nil {
		h.logger.Warn("How far an application's clock runs ahead is not remembered through a restart", zap.Error(err))
	}
}
