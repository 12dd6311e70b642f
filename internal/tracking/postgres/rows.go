// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"cmp"
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
)

// runRows are rows of the table runs, column by column, because a statement with a few arrays is planned once for any
// number of rows.
type runRows struct {
	ids, names, users, statuses, locations []string
	starts, ends, experiments              []int64
}

func newRunRows(n int) *runRows {
	text := func() []string { return make([]string, 0, n) }
	number := func() []int64 { return make([]int64, 0, n) }
	return &runRows{
		ids: text(), names: text(), users: text(), statuses: text(), locations: text(),
		starts: number(), ends: number(), experiments: number(),
	}
}

func (r *runRows) add(run *Run, experiment int64, location string) {
	r.ids = append(r.ids, run.ID)
	r.names = append(r.names, run.name())
	r.users = append(r.users, run.User)
	r.statuses = append(r.statuses, string(run.Status))
	r.locations = append(r.locations, location)
	r.starts = append(r.starts, run.Start)
	r.ends = append(r.ends, run.End)
	r.experiments = append(r.experiments, experiment)
}

// insert returns the ids of the runs that were not there.
func (r *runRows) insert(ctx context.Context, tx pgx.Tx) (map[string]struct{}, error) {
	created := make(map[string]struct{}, len(r.ids))
	if len(r.ids) == 0 {
		return created, nil
	}
	const insert = `
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, source_version, lifecycle_stage,
                  user_id, status, artifact_uri, start_time, end_time, experiment_id)
SELECT id, name, 'UNKNOWN', '', '', '', 'active', "user", status, location, start, "end", experiment
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[])
     AS run (id, name, "user", status, location, start, "end", experiment)
ON CONFLICT (run_uuid) DO NOTHING
RETURNING run_uuid`
	rows, err := tx.Query(ctx, insert, r.ids, r.names, r.users, r.statuses, r.locations, r.starts, r.ends, r.experiments)
	if err != nil {
		return nil, err
	}
	var id string
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		created[id] = struct{}{}
		return nil
	})
	return created, err
}

// childRows are the rows of the other tables.
type childRows struct {
	params, tags    pairRows
	metrics, latest metricRows
}

// runNameTag is the tag in which MLflow has a run's name a second time.
const runNameTag = "mlflow.runName"

func (c *childRows) add(r *Run) {
	for _, p := range r.Params {
		c.params.add(r.ID, p)
	}
	for _, t := range r.Tags {
		c.tags.add(r.ID, t)
	}
	c.tags.add(r.ID, tracking.KeyValue{Key: runNameTag, Value: r.name()})
	all, latest := storedMetrics(r.Metrics)
	for _, m := range all {
		c.metrics.add(r.ID, m)
	}
	for _, m := range latest {
		c.latest.add(r.ID, m)
	}
}

// mayBeUnchecked asks whether the user may have childRows inserted without a look-up of the run of each, and that would leave
// out nothing else: no trigger, rule or foreign key that an operator has made.
const mayBeUnchecked = `
WITH children (oid) AS (SELECT to_regclass(name) FROM unnest('{params, tags, metrics, latest_metrics}'::text[]) AS name)
SELECT has_parameter_privilege('session_replication_role', 'SET')
   AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM children) AND NOT (tgisinternal AND tgconstrrelid = to_regclass('runs')))
   AND NOT EXISTS (SELECT FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM children))`

// insert is the last thing in a transaction, which has inserted the runs of all rows itself, so that they are there. Unchecked
// spares the database to look them up again for each row, which is a third to a half of its work.
func (c *childRows) insert(ctx context.Context, tx pgx.Tx, unchecked bool) error {
	if len(c.tags.runs) == 0 { // each run has one
		return nil
	}
	var b pgx.Batch
	if unchecked {
		b.Queue("SET LOCAL session_replication_role = replica")
	}
	c.params.queue(&b, "params")
	c.tags.queue(&b, "tags")
	c.metrics.queue(&b, "metrics")
	c.latest.queue(&b, "latest_metrics")
	return tx.SendBatch(ctx, &b).Close()
}

// pairRows are rows of params or tags.
type pairRows struct{ runs, keys, values []string }

func (p *pairRows) add(run string, pair tracking.KeyValue) {
	p.runs = append(p.runs, run)
	p.keys = append(p.keys, pair.Key)
	p.values = append(p.values, pair.Value)
}

func (p *pairRows) queue(b *pgx.Batch, table string) {
	if len(p.runs) > 0 {
		b.Queue("INSERT INTO "+table+" (run_uuid, key, value) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])", p.runs, p.keys, p.values)
	}
}

// metricRows are rows of metrics or latest_metrics.
type metricRows struct {
	runs, keys        []string
	values            []float64
	timestamps, steps []int64
	areNaN            []bool
}

func (m *metricRows) add(run string, metric storedMetric) {
	m.runs = append(m.runs, run)
	m.keys = append(m.keys, metric.Key)
	m.values = append(m.values, metric.Value)
	m.timestamps = append(m.timestamps, metric.Timestamp)
	m.steps = append(m.steps, metric.Step)
	m.areNaN = append(m.areNaN, metric.isNaN)
}

func (m *metricRows) queue(b *pgx.Batch, table string) {
	if len(m.runs) > 0 {
		b.Queue("INSERT INTO "+table+" (run_uuid, key, value, timestamp, step, is_nan) "+
			"SELECT * FROM unnest($1::text[], $2::text[], $3::double precision[], $4::bigint[], $5::bigint[], $6::boolean[])",
			m.runs, m.keys, m.values, m.timestamps, m.steps, m.areNaN)
	}
}

// storedMetric is a metric as MLflow stores it: SQL has neither NaN nor infinities for it.
type storedMetric struct {
	tracking.Metric
	isNaN bool
}

func stored(m tracking.Metric) storedMetric {
	switch {
	case math.IsNaN(m.Value):
		m.Value = 0
		return storedMetric{m, true}
	case math.IsInf(m.Value, 0):
		m.Value = math.Copysign(math.MaxFloat64, m.Value)
	}
	return storedMetric{Metric: m}
}

// storedMetrics are the different ones of a run's metrics, and of each key the one with the greatest step, time and value.
func storedMetrics(metrics []tracking.Metric) (all, latest []storedMetric) {
	seen := make(map[storedMetric]struct{}, len(metrics))
	last := make(map[string]int, len(metrics)) // key → index in latest
	for _, m := range metrics {
		s := stored(m)
		if _, ok := seen[s]; ok {
			continue
		}
		seen[s] = struct{}{}
		all = append(all, s)
		i, ok := last[s.Key]
		switch {
		case !ok:
			last[s.Key] = len(latest)
			latest = append(latest, s)
		case newer(s, latest[i]):
			latest[i] = s
		}
	}
	return all, latest
}

func newer(a, b storedMetric) bool {
	return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(a.Value, b.Value)) > 0
}
