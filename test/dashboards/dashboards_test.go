// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/teststorage"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// expression is PromQL, and where it is from.
type expression struct{ from, expr string }

// dashboardFiles are the checked-in dashboards.
func dashboardFiles(t *testing.T) []string {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(root, "deploy", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 7)
	return files
}

// dashboardExpressions are those of the panels and variables of the dashboards, with Grafana's variables replaced by what
// chooses everything.
func dashboardExpressions(t *testing.T) []expression {
	t.Helper()
	var all []expression
	for _, file := range dashboardFiles(t) {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var d struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
			Templating struct {
				List []struct {
					Name  string
					Query json.RawMessage // text, or an object
				}
			}
		}
		require.NoError(t, json.Unmarshal(content, &d))
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				all = append(all, expression{name + ": " + p.Title, chooseAll(target.Expr)})
			}
		}
		for _, v := range d.Templating.List {
			var query struct{ Query string }
			if json.Unmarshal(v.Query, &query) == nil {
				metric, label, ok := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(query.Query, ")"), "label_values("), ", ")
				require.True(t, ok, query.Query)
				all = append(all, expression{name + ": $" + v.Name, "count by (" + label + ") (" + metric + ")"})
			}
		}
	}
	return all
}

var variables = regexp.MustCompile(`"\$[a-z]+"`)

// chooseAll replaces Grafana's variables.
func chooseAll(expr string) string {
	expr = strings.NewReplacer("$__range", "1h", "$__rate_interval", "5m").Replace(expr)
	return variables.ReplaceAllString(expr, `".*"`)
}

// ruleExpressions are those of the shipped rules.
func ruleExpressions(t *testing.T) []expression {
	t.Helper()
	var all []expression
	for _, group := range ruleGroups(t, teststorage.New(t)) {
		for _, rule := range group.Rules() {
			all = append(all, expression{rule.Name(), rule.Query().String()})
		}
	}
	return all
}

// Every metric that an expression asks for is one that something has, with the labels that it has.
func TestExpressionsAskForWhatThereIs(t *testing.T) {
	names := map[string]map[string]bool{} // labels by metric; nil: any
	for _, name := range []string{
		"up", "ALERTS",
		// MLflow's, as the test against a real one finds them.
		"mlflow_http_request_total", "mlflow_http_request_duration_seconds_bucket",
		"mlflow_http_request_duration_seconds_sum", "mlflow_http_request_duration_seconds_count",
	} {
		names[name] = nil
	}
	for _, group := range ruleGroups(t, teststorage.New(t)) {
		for _, rule := range group.Rules() {
			if _, ok := rule.(*rules.RecordingRule); ok {
				names[rule.Name()] = nil
			}
		}
	}
	for _, name := range ownMetrics(t) {
		names[name] = nil
	}
	cases, err := os.ReadFile(filepath.Join("testdata", "cases.prom"))
	require.NoError(t, err)
	for line := range strings.Lines(string(cases)) {
		if name, rest, ok := strings.Cut(line, "{"); ok && !strings.HasPrefix(line, "#") {
			if names[name] == nil {
				names[name] = map[string]bool{"instance": true, "otel_metric_overflow": true}
			}
			for _, pair := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(rest, -1) {
				names[name][pair[1]] = true
			}
		}
	}

	for _, e := range append(dashboardExpressions(t), ruleExpressions(t)...) {
		parsed, err := promQL.ParseExpr(e.expr)
		require.NoError(t, err, e.from)
		parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
			selector, ok := node.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			known, ok := names[selector.Name]
			require.True(t, ok, "%s: there is no metric %q", e.from, selector.Name)
			for _, m := range selector.LabelMatchers {
				if known != nil && m.Name != model.MetricNameLabel {
					require.True(t, known[m.Name], "%s: %s has no label %q", e.from, selector.Name, m.Name)
				}
			}
			return nil
		})
	}
}

// ownMetrics are the names of the metrics that the collector has of itself: those that metadata.yaml promises for our
// components, and those that the built collector shows after a call.
func ownMetrics(t *testing.T) []string {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	var names []string
	for _, component := range []string{"exporter/mlflowexporter", "processor/tokenprocessor"} {
		content, err := os.ReadFile(filepath.Join(root, component, "metadata.yaml"))
		require.NoError(t, err)
		var metadata struct {
			Telemetry struct {
				Metrics map[string]struct {
					Histogram *struct{}
				}
			}
		}
		require.NoError(t, yaml.Unmarshal(content, &metadata))
		for name, metric := range metadata.Telemetry.Metrics {
			names = append(names, "otelcol_"+name)
			if metric.Histogram != nil {
				names = append(names, "otelcol_"+name+"_bucket", "otelcol_"+name+"_sum", "otelcol_"+name+"_count")
			}
		}
	}
	collector := startCollector(t)
	require.NoError(t, collector.SendGRPC(t.Context(), request(chat)))
	for !strings.Contains(scrape(t, collector.Metrics, "text/plain"), "otelcol_deltatocumulative_datapoints") {
		<-time.After(50 * time.Millisecond)
	}
	for line := range strings.Lines(scrape(t, collector.Metrics, "text/plain")) {
		if fields := strings.Fields(line); strings.HasPrefix(line, "# TYPE otelcol_") && len(fields) == 4 {
			names = append(names, fields[2])
		}
	}
	return names
}
