// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import "slices"

// modelKind is what a model can do, in the words of an error message.
type modelKind string

const (
	chatModel       modelKind = "a chat"
	completionModel modelKind = "a completion"
	embeddingModel  modelKind = "an embedding"
)

// model is what the stand-in knows of a model.
type model struct {
	name     string // what requests ask for
	version  string // the dated name that responses carry; requests may use it too
	kind     modelKind
	encoding *encoding
	toolCost int // func_init of the cookbook: tokens that each tool definition costs beside its text
	length   int // of the vector of an embedding
}

var models = []model{
	{name: "gpt-4o", version: "gpt-4o-2024-08-06", kind: chatModel, encoding: o200k, toolCost: 7},
	{name: "gpt-4o-mini", version: "gpt-4o-mini-2024-07-18", kind: chatModel, encoding: o200k, toolCost: 7},
	{name: "gpt-4.1", version: "gpt-4.1-2025-04-14", kind: chatModel, encoding: o200k, toolCost: 7},
	{name: "gpt-4.1-mini", version: "gpt-4.1-mini-2025-04-14", kind: chatModel, encoding: o200k, toolCost: 7},
	{name: "gpt-4.1-nano", version: "gpt-4.1-nano-2025-04-14", kind: chatModel, encoding: o200k, toolCost: 7},
	{name: "gpt-4", version: "gpt-4-0613", kind: chatModel, encoding: cl100k, toolCost: 10},
	{name: "gpt-3.5-turbo", version: "gpt-3.5-turbo-0125", kind: chatModel, encoding: cl100k, toolCost: 10},
	{name: "gpt-3.5-turbo-instruct", version: "gpt-3.5-turbo-instruct:20230824-v2", kind: completionModel, encoding: cl100k},
	{name: "text-embedding-3-small", version: "text-embedding-3-small", kind: embeddingModel, encoding: cl100k, length: 1536},
	{name: "text-embedding-3-large", version: "text-embedding-3-large", kind: embeddingModel, encoding: cl100k, length: 3072},
	{name: "text-embedding-ada-002", version: "text-embedding-ada-002-v2", kind: embeddingModel, encoding: cl100k, length: 1536},
}

var faultModels = []string{ModelBadRequest, ModelRateLimited, ModelServerError, ModelCutStream}

// modelOf returns the model with a name; the fault models answer as the first of the kind.
func modelOf(name string, kind modelKind) model {
	if m, found := find(name); found {
		return m
	}
	return models[slices.IndexFunc(models, func(m model) bool { return m.kind == kind })]
}

func find(name string) (model, bool) {
	i := slices.IndexFunc(models, func(m model) bool { return m.name == name || m.version == name })
	if i < 0 {
		return model{}, false
	}
	return models[i], true
}

// checkModel returns the error of a model that does not exist or cannot do what is asked, or nil.
func checkModel(name string, kind modelKind) *apiError {
	m, found := find(name)
	switch {
	case name == "":
		return invalid("model", "", "you must provide a model parameter")
	case slices.Contains(faultModels, name):
		return nil
	case !found:
		return errUnknownModel(name)
	case m.kind != kind:
		return errWrongModel(name, kind)
	default:
		return nil
	}
}
