// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxDays is for how many days the experiments are counted. Spans of more days at a time make the oldest start anew.
const maxDays = 62

// budget limits the experiments of a day: a persona can come from a user's input, and MLflow suffers from thousands of
// experiments. What it knows is lost with the process.
type budget struct {
	perDay int

	mu   sync.Mutex
	days *lru.Cache[string, map[string]struct{}] // day → names of experiments
}

func newBudget(perDay int) *budget {
	days, _ := lru.New[string, map[string]struct{}](maxDays) // fails for a size below one only
	return &budget{perDay: perDay, days: days}
}

// allows reports whether the experiment is one of the day's first.
func (b *budget) allows(day, experiment string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	names, ok := b.days.Get(day)
	if !ok {
		names = make(map[string]struct{})
		b.days.Add(day, names)
	}
	if _, known := names[experiment]; known {
		return true
	}
	if len(names) >= b.perDay {
		return false
	}
	names[experiment] = struct{}{}
	return true
}
