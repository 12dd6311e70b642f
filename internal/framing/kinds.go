// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import "github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"

// A kind is the models that are framed alike.
type kind uint8

const (
	unknown  kind = iota // takes no chat messages, or its rule was never measured
	plain                // answers at once
	oSeries              // thinks first, and is paid for that
	gpt5                 // thinks, too
	laterGPT             // thinks, too
)

// reasons reports whether the models think before they answer.
func (k kind) reasons() bool { return k >= oSeries }

// family is what is known of the models of a family.
type family struct {
	kind    kind
	assumed bool   // that they are framed like their kind was never measured
	lacks   Reason // what the span never shows of their calls
}

// families of the models that take chat messages.
var families = tiktoken.ByFamily[family]{
	"gpt-3.5":    {kind: plain},
	"gpt-35":     {kind: plain},
	"gpt-4":      {kind: plain},
	"gpt-4.1":    {kind: plain},
	"gpt-4.5":    {kind: plain},
	"gpt-4o":     {kind: plain},
	"chatgpt-4o": {kind: plain},
	"o1":         {kind: oSeries},
	"o3":         {kind: oSeries},
	"o4":         {kind: oSeries},
	"gpt-5":      {kind: gpt5},
	"gpt-5.":     {kind: laterGPT},
	"gpt-6":      {kind: laterGPT, assumed: true},
	"gpt-6.":     {kind: laterGPT, assumed: true},

	"gpt-5-chat":           {kind: plain, assumed: true}, // a GPT-5 that does not reason
	"computer-use-preview": {kind: plain, lacks: ReasonServerTool},
	"codex-mini":           {kind: oSeries, assumed: true},

	"gpt-oss": {kind: laterGPT, lacks: ReasonUnsupported}, // hosts put some 60 tokens of their own before the prompt

	"gpt-3.5-turbo-0301":    {kind: plain, lacks: ReasonUnsupported}, // the cookbook has four tokens per message for it
	"gpt-35-turbo-0301":     {kind: plain, lacks: ReasonUnsupported},
	"gpt-4o-audio":          {kind: plain, lacks: ReasonMedia},
	"gpt-4o-mini-audio":     {kind: plain, lacks: ReasonMedia},
	"gpt-4o-realtime":       {kind: plain, lacks: ReasonMedia},
	"gpt-4o-mini-realtime":  {kind: plain, lacks: ReasonMedia},
	"gpt-audio":             {kind: plain, lacks: ReasonMedia},
	"gpt-realtime":          {kind: plain, lacks: ReasonMedia},
	"gpt-4o-search":         {kind: plain, lacks: ReasonServerTool},
	"gpt-4o-mini-search":    {kind: plain, lacks: ReasonServerTool},
	"gpt-5-search":          {kind: gpt5, lacks: ReasonServerTool},
	"o3-deep-research":      {kind: oSeries, lacks: ReasonServerTool},
	"o4-mini-deep-research": {kind: oSeries, lacks: ReasonServerTool},
}
