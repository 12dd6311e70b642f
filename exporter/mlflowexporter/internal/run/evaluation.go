// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// Assessment is what somebody found about the call: an event gen_ai.evaluation.result on its span.
type Assessment struct {
	Name      string
	Score     float64 // if HasScore
	HasScore  bool
	Label     string
	Rationale string
	At        time.Time
}

// Assessments returns the evaluations of the call that have a name and a score or a label, in their order. Of several
// with a name the last counts.
func (b *Builder) Assessments(s *Span) []Assessment {
	all := assessments(s)
	if b.Content != ContentFull {
		for i := range all {
			all[i].Rationale = "" // quotes what it judges
		}
	}
	return all
}

func assessments(s *Span) []Assessment {
	var all []Assessment
	for _, event := range s.Events().All() {
		if event.Name() != semconv.EventEvaluationResult {
			continue
		}
		text := func(key string) string {
			if v, ok := event.Attributes().Get(key); ok {
				return clean(v.AsString())
			}
			return ""
		}
		a := Assessment{
			Name:      metricKey(text(semconv.GenAIEvaluationName)),
			Label:     line(text(semconv.GenAIEvaluationScoreLabel), maxName),
			Rationale: text(semconv.GenAIEvaluationExplanation),
			At:        event.Timestamp().AsTime(),
		}
		if score, ok := event.Attributes().Get(semconv.GenAIEvaluationScoreValue); ok {
			a.Score, a.HasScore = number(score)
		}
		if a.Name == "" || !a.HasScore && a.Label == "" {
			continue
		}
		all = append(dropName(all, a.Name), a)
	}
	return all
}

func dropName(all []Assessment, name string) []Assessment {
	kept := all[:0]
	for _, a := range all {
		if a.Name != name {
			kept = append(kept, a)
		}
	}
	return kept
}

func number(v pcommon.Value) (float64, bool) {
	switch v.Type() {
	case pcommon.ValueTypeDouble:
		return v.Double(), finite(v.Double())
	case pcommon.ValueTypeInt:
		return float64(v.Int()), true
	default:
		return 0, false
	}
}

// scores are the metrics of the call's evaluations. MLflow shows those with the same word before the slash together.
func scores(s *Span) []Metric {
	var m []Metric
	for _, a := range assessments(s) {
		if a.HasScore {
			m = append(m, Metric{"evaluation/" + a.Name, a.Score})
		}
	}
	return m
}
