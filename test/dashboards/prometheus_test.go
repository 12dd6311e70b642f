// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/teststorage"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

var promQL = parser.NewParser(parser.Options{})

// ruleFiles are the files of deploy/prometheus with rules.
func ruleFiles(t *testing.T) []string {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(root, "deploy", "prometheus", "*.rules.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// database is what Prometheus keeps samples in.
type database interface {
	storage.AppendableV2
	storage.Queryable
}

// ruleGroups are the shipped rules, on a storage, in the order in which they need each other.
func ruleGroups(t *testing.T, store database) []*rules.Group {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, Parser: promQL,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
	})
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:    rules.EngineQueryFunc(engine, store),
		AppendableV2: store,
		Queryable:    store,
		Context:      t.Context(),
		NotifyFunc:   func(context.Context, string, ...*rules.Alert) {},
		Logger:       promslog.NewNopLogger(),
		Parser:       promQL,
	})
	groups, errs := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, ruleFiles(t)...)
	require.Empty(t, errs)
	return slices.SortedFunc(maps.Values(groups), func(a, b *rules.Group) int {
		return cmp.Compare(order(a), order(b))
	})
}

// order puts budgets and what is recorded before the alerts.
func order(group *rules.Group) string {
	if filepath.Base(group.File()) == "alerts.rules.yaml" {
		return "z" + group.Name()
	}
	return group.Name()
}

// input is a series that Prometheus scrapes: the value of a gauge, or what is added to a counter per minute, as time goes by.
type input struct {
	series    string
	gauge     func(at time.Duration) float64
	perMinute func(at time.Duration) float64
	from      time.Duration // when the series begins
}

// always is a value that does not change.
func always(value float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return value }
}

// change is a value that changes once.
func change(before float64, at time.Duration, after float64) func(time.Duration) float64 {
	return func(now time.Duration) float64 {
		if now < at {
			return before
		}
		return after
	}
}

// simulate lets Prometheus scrape and evaluate every step, and returns when which alerts fired: `Name{labels} from–to`.
func simulate(t *testing.T, start time.Time, step, end time.Duration, inputs []input) []string {
	t.Helper()
	store := teststorage.New(t)
	groups := ruleGroups(t, store)
	values := make([]float64, len(inputs))
	parsed := make([]labels.Labels, len(inputs))
	for i, in := range inputs {
		var err error
		parsed[i], err = promQL.ParseMetric(in.series)
		require.NoError(t, err, in.series)
	}
	since := map[string]time.Duration{}
	var fired []string
	stopped := func(alert string, at time.Duration) {
		fired = append(fired, fmt.Sprintf("%s %s–%s", alert, short(since[alert]), short(at)))
		delete(since, alert)
	}
	for at := time.Duration(0); at <= end; at += step {
		now := start.Add(at)
		appender := store.AppenderV2(t.Context())
		for i, in := range inputs {
			if at < in.from {
				continue
			}
			if in.gauge != nil {
				values[i] = in.gauge(at)
			} else {
				values[i] += in.perMinute(at) * step.Minutes()
			}
			_, err := appender.Append(0, parsed[i], 0, now.UnixMilli(), values[i], nil, nil, storage.AOptions{})
			require.NoError(t, err)
		}
		require.NoError(t, appender.Commit())

		firing := map[string]bool{}
		for _, group := range groups {
			group.Eval(t.Context(), now)
			for _, rule := range group.Rules() {
				require.NoError(t, rule.LastError(), rule.Name())
				alerting, ok := rule.(*rules.AlertingRule)
				if !ok {
					continue
				}
				for _, alert := range alerting.ActiveAlerts() {
					if alert.State == rules.StateFiring {
						require.NotContains(t, alert.Annotations.Get("summary"), "error expanding template")
						name := rule.Name() + labels.NewBuilder(alert.Labels).Del("alertname", "severity").Labels().String()
						firing[name] = true
					}
				}
			}
		}
		for name := range firing {
			if _, ok := since[name]; !ok {
				since[name] = at
			}
		}
		for _, name := range slices.Sorted(maps.Keys(since)) {
			if !firing[name] {
				stopped(name, at)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(since)) {
		stopped(name, end)
	}
	slices.Sort(fired)
	return fired
}

// short is a duration without what is zero in it.
func short(d time.Duration) string {
	return fmt.Sprintf("%dh%02d", int(d.Hours()), int(d.Minutes())%60)
}
