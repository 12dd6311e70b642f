// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"maps"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// span is a span of a service, with attributes as FromRaw takes them.
type span struct {
	service    string // empty: the resource names none
	duration   time.Duration
	failed     bool
	attributes map[string]any
}

// with is s with more attributes, without those that are nil.
func (s span) with(attributes map[string]any) span {
	all := maps.Clone(s.attributes)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, attributes)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	s.attributes = all
	return s
}

// request is one request of spans.
func request(spans ...span) ptrace.Traces {
	traces := ptrace.NewTraces()
	for _, s := range spans {
		resource := traces.ResourceSpans().AppendEmpty()
		if s.service != "" {
			resource.Resource().Attributes().PutStr(semconv.ServiceName, s.service)
		}
		resource.Resource().Attributes().PutStr("service.instance.id", "one-of-many")
		out := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		out.SetName("span")
		now := time.Now()
		testbed.Stamp(out, now.Add(-s.duration), now)
		// To the nanosecond, so that sums are exact.
		out.SetEndTimestamp(out.StartTimestamp() + pcommon.Timestamp(s.duration))
		if s.failed {
			out.Status().SetCode(ptrace.StatusCodeError)
		}
		out.TraceState().FromRaw("ot=th:c") // one of four, says who sampled
		if err := out.Attributes().FromRaw(s.attributes); err != nil {
			panic(err)
		}
	}
	return traces
}
