// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
)

// explainSkipped logs at debug level why a span became no run, by names that somebody who looks for it knows, and none of
// its values.
func (e *mlflowExporter) explainSkipped(scope pcommon.InstrumentationScope, span ptrace.Span, read *genai.Call, reason string) {
	if entry := e.settings.Logger.Check(zap.DebugLevel, "A span became no run"); entry != nil {
		entry.Write(
			zap.Stringer("trace_id", span.TraceID()), zap.Stringer("span_id", span.SpanID()), zap.String("instrumentation", scope.Name()),
			zap.String("reason", reason), zap.String("operation", read.Operation), zap.Bool("aggregate", read.Aggregate),
			zap.Strings("operations_with_runs", e.config.Runs.Operations),
		)
	}
}

// explain logs at debug level which run a span became, and why that one.
func (e *mlflowExporter) explain(c *call, found bool) {
	if entry := e.settings.Logger.Check(zap.DebugLevel, "A span became a run"); entry != nil {
		entry.Write(
			zap.Stringer("trace_id", c.TraceID()), zap.Stringer("span_id", c.SpanID()), zap.String("instrumentation", c.Scope.Name()),
			zap.String("run_id", c.runID), zap.Bool("found", found),
			zap.String("experiment", c.experiment.Name), zap.String("experiment_id", c.found.ID),
			zap.Bool("too_many_experiments", c.overflowed), zap.Bool("default_persona", c.Call.Persona == ""),
			zap.String("operation", c.Call.Operation), zap.String("model", c.Call.Model()), zap.Bool("failed", c.Call.Failed),
			zap.Bool("prompt_tokens", c.Call.Usage.Input.Set), zap.Bool("completion_tokens", c.Call.Usage.Output.Set),
			zap.String("content", e.config.Content.Mode), zap.Int("values_cut", max(0, len(c.artifacts)-1)),
		)
	}
}
