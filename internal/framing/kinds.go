// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import "github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"

// A kind is the models that are framed alike.
type kind uint8

const (
	unknown   kind = iota // its rule was never measured, or it adds to the prompt what a span does not show
	plain                 // answers at once
	reasoning             // thinks first, and is paid for that
)

// kinds of the models that take chat messages.
var kinds = tiktoken.ByFamily[kind]{
	"gpt-3.5":    plain,
	"gpt-35":     plain,
	"gpt-4":      plain,
	"gpt-4.1":    plain,
	"gpt-4.5":    plain,
	"gpt-4o":     plain,
	"chatgpt-4o": plain,
	"o1":         reasoning,
	"o3":         reasoning,
	"o4":         reasoning,
	"gpt-5":      reasoning,
	"gpt-5.":     reasoning,
	"gpt-6":      reasoning,
	"gpt-6.":     reasoning,

	"gpt-3.5-turbo-0301":    unknown, // the cookbook has four tokens per message for it
	"gpt-35-turbo-0301":     unknown,
	"gpt-4o-audio":          unknown,
	"gpt-4o-mini-audio":     unknown,
	"gpt-4o-realtime":       unknown,
	"gpt-4o-mini-realtime":  unknown,
	"gpt-4o-search":         unknown, // reads search results that no span shows
	"gpt-4o-mini-search":    unknown,
	"gpt-5-search":          unknown,
	"gpt-5-chat":            unknown, // a GPT-5 that does not reason
	"o3-deep-research":      unknown,
	"o4-mini-deep-research": unknown,
}
