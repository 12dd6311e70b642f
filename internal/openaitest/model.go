// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import "slices"

// model is what the stand-in knows of a model.
type model struct {
	name     string // what requests ask for
	version  string // the dated name that responses carry; requests may use it too
	encoding *encoding
	toolCost int // func_init of the cookbook: tokens that each tool definition costs beside its text
}

var models = []model{
	{"gpt-4o", "gpt-4o-2024-08-06", o200k, 7},
	{"gpt-4o-mini", "gpt-4o-mini-2024-07-18", o200k, 7},
	{"gpt-4.1", "gpt-4.1-2025-04-14", o200k, 7},
	{"gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", o200k, 7},
	{"gpt-4.1-nano", "gpt-4.1-nano-2025-04-14", o200k, 7},
	{"gpt-4", "gpt-4-0613", cl100k, 10},
	{"gpt-3.5-turbo", "gpt-3.5-turbo-0125", cl100k, 10},
}

var faultModels = []string{ModelBadRequest, ModelRateLimited, ModelServerError, ModelCutStream}

// modelOf returns the model that answers a request; the fault models answer as the first of the table.
func modelOf(name string) model {
	if i := slices.IndexFunc(models, func(m model) bool { return m.name == name || m.version == name }); i >= 0 {
		return models[i]
	}
	return models[0]
}

func isKnown(name string) bool {
	m := modelOf(name)
	return m.name == name || m.version == name || slices.Contains(faultModels, name)
}
