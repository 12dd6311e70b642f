// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

const (
	// maxDays is for how many days the experiments are counted. Spans of more days at a time make the oldest start anew,
	// unless it is stored.
	maxDays = 62
	// budgetPrefix begins the names under which days are stored.
	budgetPrefix = "experiments/"
)

// budget limits the experiments of a day: a persona can come from a user's input, and MLflow suffers from thousands of
// experiments.
//
// With a storage client, which experiments a day has survives the process: a span that comes again belongs to the experiment
// that it belonged to before, where its run is looked for.
type budget struct {
	perDay  int
	storage storage.Client
	logger  *zap.Logger

	mu   sync.Mutex
	days *lru.Cache[string, map[string]struct{}] // day → names of experiments
}

func newBudget(perDay int, store storage.Client, logger *zap.Logger) *budget {
	days, _ := lru.New[string, map[string]struct{}](maxDays) // fails for a size below one only
	return &budget{perDay: perDay, storage: store, logger: logger, days: days}
}

// allows reports whether the experiment is one of the day's first.
func (b *budget) allows(ctx context.Context, day, experiment string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	names, ok := b.days.Get(day)
	if !ok {
		names = b.load(ctx, day)
		b.days.Add(day, names)
	}
	if _, known := names[experiment]; known {
		return true
	}
	if len(names) >= b.perDay {
		return false
	}
	names[experiment] = struct{}{}
	b.store(ctx, day, names)
	return true
}

// load returns what an earlier process has stored of a day.
func (b *budget) load(ctx context.Context, day string) map[string]struct{} {
	names := make(map[string]struct{})
	value, err := b.storage.Get(ctx, budgetPrefix+day)
	var stored []string
	if err == nil && len(value) > 0 {
		err = json.Unmarshal(value, &stored)
	}
	if err != nil {
		b.logger.Warn("The experiments of a day are counted anew", zap.String("day", day), zap.Error(err))
	}
	for _, name := range stored {
		names[name] = struct{}{}
	}
	return names
}

func (b *budget) store(ctx context.Context, day string, names map[string]struct{}) {
	value, err := json.Marshal(slices.Collect(maps.Keys(names)))
	if err == nil {
		err = b.storage.Set(ctx, budgetPrefix+day, value)
	}
	if err != nil {
		b.logger.Warn("The experiments of a day will be counted anew after a restart", zap.String("day", day), zap.Error(err))
	}
}

// dayIsOver reports whether a stored day is so old that it is forgotten.
func dayIsOver(day string, now time.Time) bool {
	return day < now.AddDate(0, 0, -maxDays).Format(time.DateOnly)
}
