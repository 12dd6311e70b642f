// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

// What Grafana's dashboard JSON has, as far as it is used here (schema version 39, Grafana 11). The names are Grafana's.
type (
	dashboard struct {
		UID           string     `json:"uid"`
		Title         string     `json:"title"`
		Description   string     `json:"description"`
		Tags          []string   `json:"tags"`
		SchemaVersion int        `json:"schemaVersion"`
		Editable      bool       `json:"editable"`
		GraphTooltip  int        `json:"graphTooltip"` // 1: a cross hair in all panels
		Refresh       string     `json:"refresh"`
		Timezone      string     `json:"timezone"`
		Time          timeRange  `json:"time"`
		Links         []link     `json:"links"`
		Templating    templating `json:"templating"`
		Panels        []panel    `json:"panels"`
	}

	timeRange struct {
		From string `json:"from"`
		To   string `json:"to"`
	}

	link struct {
		Title       string   `json:"title"`
		Type        string   `json:"type"`
		Tags        []string `json:"tags"`
		AsDropdown  bool     `json:"asDropdown"`
		IncludeVars bool     `json:"includeVars"`
		KeepTime    bool     `json:"keepTime"`
	}

	templating struct {
		List []variable `json:"list"`
	}

	variable struct {
		Name       string         `json:"name"`
		Label      string         `json:"label"`
		Type       string         `json:"type"`
		Query      any            `json:"query"`
		Datasource *datasourceRef `json:"datasource,omitempty"`
		Refresh    int            `json:"refresh"` // 2: when the time range changes
		Multi      bool           `json:"multi"`
		IncludeAll bool           `json:"includeAll"`
		AllValue   string         `json:"allValue,omitempty"`
		Sort       int            `json:"sort"`
		Current    map[string]any `json:"current"`
	}

	variableQuery struct {
		Query string `json:"query"`
		RefID string `json:"refId"`
	}

	datasourceRef struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	}

	panel struct {
		ID              int              `json:"id"`
		Type            string           `json:"type"`
		Title           string           `json:"title"`
		Description     string           `json:"description,omitempty"`
		GridPos         gridPos          `json:"gridPos"`
		Datasource      *datasourceRef   `json:"datasource,omitempty"`
		Targets         []target         `json:"targets,omitempty"`
		FieldConfig     *fieldConfig     `json:"fieldConfig,omitempty"`
		Options         map[string]any   `json:"options,omitempty"`
		Transformations []transformation `json:"transformations,omitempty"`
		Repeat          string           `json:"repeat,omitempty"`
		RepeatDirection string           `json:"repeatDirection,omitempty"`
		MaxPerRow       int              `json:"maxPerRow,omitempty"`
	}

	// gridPos is in units of which a row has 24.
	gridPos struct {
		H int `json:"h"`
		W int `json:"w"`
		X int `json:"x"`
		Y int `json:"y"`
	}

	target struct {
		RefID        string         `json:"refId"`
		Datasource   *datasourceRef `json:"datasource"`
		Expr         string         `json:"expr"`
		LegendFormat string         `json:"legendFormat,omitempty"`
		Instant      bool           `json:"instant"`
		Range        bool           `json:"range"`
		Format       string         `json:"format"`
		Exemplar     bool           `json:"exemplar,omitempty"`
	}

	fieldConfig struct {
		Defaults  fieldDefaults `json:"defaults"`
		Overrides []override    `json:"overrides"`
	}

	fieldDefaults struct {
		Unit       string         `json:"unit,omitempty"`
		Min        *float64       `json:"min,omitempty"`
		Max        *float64       `json:"max,omitempty"`
		Thresholds *thresholds    `json:"thresholds,omitempty"`
		Custom     map[string]any `json:"custom,omitempty"`
	}

	thresholds struct {
		Mode  string      `json:"mode"`
		Steps []threshold `json:"steps"`
	}

	threshold struct {
		Color string   `json:"color"`
		Value *float64 `json:"value"` // nil: from minus infinity
	}

	override struct {
		Matcher    matcher    `json:"matcher"`
		Properties []property `json:"properties"`
	}

	matcher struct {
		ID      string `json:"id"`
		Options string `json:"options"`
	}

	property struct {
		ID    string `json:"id"`
		Value any    `json:"value"`
	}

	transformation struct {
		ID      string         `json:"id"`
		Options map[string]any `json:"options"`
	}
)
