// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

// Units, by Grafana's names.
const (
	count    = "short"
	dollars  = "currencyUSD"
	seconds  = "s"
	share    = "percentunit"
	perMin   = "cpm"
	perSec   = "cps"
	byteSize = "bytes"
)

var prometheus = &datasourceRef{Type: "prometheus", UID: "${datasource}"}

// query is an expression and what its series are called: a template of labels, such as {{persona_id}}.
type query struct {
	expr   string
	legend string
}

// graph is a panel of lines over time, a third of a row wide unless it is widened.
func graph(title, unit string, queries ...query) panel {
	p := panel{
		Type: "timeseries", Title: title, GridPos: gridPos{W: 8, H: 8}, Datasource: prometheus,
		FieldConfig: &fieldConfig{
			Defaults: fieldDefaults{
				Unit: unit, Min: new(0.0),
				Custom: map[string]any{"fillOpacity": 10, "lineWidth": 1, "showPoints": "never", "spanNulls": false},
			},
			Overrides: []override{},
		},
		Options: map[string]any{
			"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
			"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
		},
	}
	for i, q := range queries {
		p.Targets = append(p.Targets, target{
			RefID: refID(i), Datasource: prometheus, Expr: q.expr, LegendFormat: q.legend, Range: true, Format: "time_series",
		})
	}
	return p
}

// stacked stacks the lines of a graph.
func stacked(p panel) panel {
	p.FieldConfig.Defaults.Custom["stacking"] = map[string]any{"group": "A", "mode": "normal"}
	p.FieldConfig.Defaults.Custom["fillOpacity"] = 60
	return p
}

// withExemplars shows the traces behind the points of a graph.
func withExemplars(p panel) panel {
	for i := range p.Targets {
		p.Targets[i].Exemplar = true
	}
	return p
}

// band fills between the lines of a graph that are called upper and lower.
func band(p panel, upper, lower string) panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides,
		override{Matcher: matcher{ID: "byName", Options: upper}, Properties: []property{
			{ID: "custom.fillBelowTo", Value: lower}, {ID: "custom.lineWidth", Value: 0}, {ID: "custom.fillOpacity", Value: 20},
		}},
		override{Matcher: matcher{ID: "byName", Options: lower}, Properties: []property{
			{ID: "custom.lineWidth", Value: 0}, {ID: "custom.fillOpacity", Value: 0},
		}})
	return p
}

// forEach makes a panel for every value of a variable.
func forEach(variable string, p panel) panel {
	p.Repeat, p.RepeatDirection, p.MaxPerRow = variable, "h", 2
	return p
}

// stat is one number, an eighth of a row wide.
func stat(title, unit, expr string) panel {
	return panel{
		Type: "stat", Title: title, GridPos: gridPos{W: 4, H: 4}, Datasource: prometheus,
		Targets:     []target{{RefID: "A", Datasource: prometheus, Expr: expr, Instant: true, Format: "time_series"}},
		FieldConfig: &fieldConfig{Defaults: fieldDefaults{Unit: unit}, Overrides: []override{}},
		Options: map[string]any{
			"colorMode": "value", "graphMode": "none", "textMode": "auto",
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		},
	}
}

// alarming colours a stat or a gauge from two values on.
func alarming(p panel, warn, alarm float64) panel {
	p.FieldConfig.Defaults.Thresholds = &thresholds{Mode: "absolute", Steps: []threshold{
		{Color: "green"}, {Color: "orange", Value: &warn}, {Color: "red", Value: &alarm},
	}}
	return p
}

// gauges is a bar for every series.
func gauges(title, unit string, most float64, q query) panel {
	p := stat(title, unit, q.expr)
	p.Type = "bargauge"
	p.Targets[0].LegendFormat = q.legend
	p.GridPos = gridPos{W: 8, H: 8}
	p.FieldConfig.Defaults.Min, p.FieldConfig.Defaults.Max = new(0.0), &most
	p.Options = map[string]any{
		"displayMode": "gradient", "orientation": "horizontal",
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	return p
}

// column is a column of a table.
type column struct {
	title string
	unit  string
	expr  string
}

// label is a label that tells the rows of a table apart, and the title of its column.
type label struct{ name, title string }

// table joins columns that have the same labels. It is as wide as a row.
func table(title string, labels []label, columns ...column) panel {
	p := panel{
		Type: "table", Title: title, GridPos: gridPos{W: 24, H: 9}, Datasource: prometheus,
		FieldConfig: &fieldConfig{Overrides: []override{}},
		Options: map[string]any{
			"showHeader": true, "sortBy": []map[string]any{{"displayName": columns[0].title, "desc": true}},
		},
	}
	names, order := map[string]string{}, map[string]int{}
	for i, l := range labels {
		names[l.name], order[l.name] = l.title, i
	}
	for i, c := range columns {
		field := "Value #" + refID(i)
		if len(columns) == 1 {
			field = "Value"
		}
		names[field], order[field] = c.title, len(labels)+i
		p.Targets = append(p.Targets, target{RefID: refID(i), Datasource: prometheus, Expr: c.expr, Instant: true, Format: "table"})
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
			Matcher: matcher{ID: "byName", Options: c.title}, Properties: []property{{ID: "unit", Value: c.unit}},
		})
	}
	p.Transformations = []transformation{
		{ID: "merge", Options: map[string]any{}},
		{ID: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true}, "indexByName": order, "renameByName": names,
		}},
	}
	return p
}

// heatmap is the distribution of a histogram over time.
func heatmap(title, unit, expr string) panel {
	return panel{
		Type: "heatmap", Title: title, GridPos: gridPos{W: 8, H: 8}, Datasource: prometheus,
		Targets: []target{{
			RefID: "A", Datasource: prometheus, Expr: expr, LegendFormat: "{{le}}", Range: true, Format: "heatmap", Exemplar: true,
		}},
		FieldConfig: &fieldConfig{Overrides: []override{}},
		Options: map[string]any{
			"calculate": false, "yAxis": map[string]any{"unit": unit}, "color": map[string]any{"mode": "scheme", "scheme": "Oranges"},
			"exemplars": map[string]any{"color": "rgba(31,120,193,0.9)"},
		},
	}
}

// described says below the title what a panel shows.
func described(description string, p panel) panel {
	p.Description = description
	return p
}

func wide(w int, p panel) panel {
	p.GridPos.W = w
	return p
}

// heading begins a new row.
func heading(title string) panel {
	return panel{Type: "row", Title: title, GridPos: gridPos{W: 24, H: 1}}
}

func refID(i int) string { return string(rune('A' + i)) }

// arrange numbers panels and puts them side by side, in rows of 24.
func arrange(panels []panel) []panel {
	x, y, height := 0, 0, 0
	for i := range panels {
		p := &panels[i]
		p.ID = i + 1
		if x+p.GridPos.W > 24 || p.Type == "row" {
			x, y, height = 0, y+height, 0
		}
		p.GridPos.X, p.GridPos.Y = x, y
		x += p.GridPos.W
		height = max(height, p.GridPos.H)
	}
	return panels
}

// labelValues is a variable with the values of a label of a metric.
func labelValues(name, title, metric, labelName string) variable {
	return variable{
		Name: name, Label: title, Type: "query",
		Query:      variableQuery{Query: "label_values(" + metric + ", " + labelName + ")", RefID: name},
		Datasource: prometheus, Refresh: 2, Multi: true, IncludeAll: true, AllValue: ".*", Sort: 1,
		Current: map[string]any{"text": []string{"All"}, "value": []string{"$__all"}},
	}
}

// newDashboard is a dashboard of a day, with a link to the others.
func newDashboard(uid, title, description string, variables []variable, panels ...panel) dashboard {
	return dashboard{
		UID: "otelcol-mlflow-" + uid, Title: "LLM " + title, Description: description, Tags: []string{"otelcol-mlflow"},
		SchemaVersion: 39, Editable: true, GraphTooltip: 1, Refresh: "1m", Timezone: "browser", Time: timeRange{From: "now-6h", To: "now"},
		Links: []link{{Title: "LLM dashboards", Type: "dashboards", Tags: []string{"otelcol-mlflow"}, AsDropdown: true, IncludeVars: true, KeepTime: true}},
		Templating: templating{List: append([]variable{{
			Name: "datasource", Label: "Prometheus", Type: "datasource", Query: "prometheus", Current: map[string]any{},
		}}, variables...)},
		Panels: arrange(panels),
	}
}
