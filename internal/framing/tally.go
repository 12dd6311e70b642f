// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"cmp"
	"strings"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// tally adds up the tokens of one side of a call.
type tally struct {
	counter        Counter
	model          Model
	rules          *rules
	knowsAPI       bool
	lowerBounds    bool
	conversational bool

	tokens    int64 // but those of constants
	used      [numConstants]int64
	estimated bool   // that a rule was used which is only close
	reason    Reason // the first for which something could not be counted

	cutOff bool // that there was more than what was counted

	pending []genai.Part // tool calls that stand at the end of what was read
	called  toolCalls    // the others
}

func newTally(call Call, counter Counter) *tally {
	t := &tally{counter: counter, model: call.Model, lowerBounds: call.LowerBounds}
	t.rules, t.knowsAPI = rulesOf(call)
	t.conversational = operations[call.Span.Operation].conversation
	return t
}

// miss notes that something cannot be counted; no reason is none.
func (t *tally) miss(reason Reason) {
	if t.reason == "" || reason == ReasonNoContent {
		t.reason = reason
	}
}

// done reports whether there will be no number, so that counting on is a waste.
func (t *tally) done() bool {
	return t.reason == ReasonNoContent || t.reason != "" && !t.lowerBounds && !t.cutOff
}

func (t *tally) count() Count {
	tokens := t.tokens
	if t.cutOff {
		t.used[end] = 0
	}
	for c, n := range t.used {
		tokens += n * t.rules.constants[c]
	}
	tokens = t.model.scale(tokens)
	reason := t.reason
	if t.cutOff {
		reason = cmp.Or(reason, ReasonCutOff)
	}
	switch {
	case t.done(), reason != "" && tokens == 0: // no bound is better than one of zero
		return Count{Reason: reason}
	case reason != "":
		return Count{Tokens: tokens, Source: semconv.SourcePartial, Reason: reason}
	case t.estimated:
		return Count{Tokens: tokens, Source: semconv.SourceEstimated}
	default:
		return Count{Tokens: tokens, Source: t.model.source()}
	}
}

// add adds a constant.
func (t *tally) add(c constant) { t.used[c]++ }

func (t *tally) text(s string) {
	if !t.done() {
		t.tokens += int64(t.counter.Count(s))
	}
}

// lacking is why parts of some kinds cannot be counted.
var lacking = map[genai.PartKind]Reason{
	genai.PartReasoning:      ReasonReasoning,
	genai.PartServerToolCall: ReasonServerTool,
	genai.PartFile:           ReasonFile,
}

// parts adds the content of a message, whose last text has ending behind it. Texts side by side are one text.
func (t *tally) parts(parts []genai.Part, ending string) {
	if len(parts) == 0 && t.conversational {
		return
	}
	var texts []string
	flush := func(last string) {
		t.estimated = t.estimated || len(texts) > 1 // on record for two calls alone
		if len(texts) == 1 && last == "" {
			t.text(texts[0])
		} else if len(texts) > 0 {
			t.text(strings.Join(texts, "") + last)
		}
		texts = texts[:0]
	}
	for i := range parts {
		part := &parts[i]
		switch part.Kind {
		case genai.PartText, genai.PartRefusal, genai.PartTokens:
			switch {
			case t.conversational:
				texts = append(texts, part.Text)
			case part.Kind == genai.PartTokens:
				t.tokens += int64(strings.Count(part.Text, ",")) + 1
			default: // each is an input of its own
				t.text(part.Text)
			}
		case genai.PartBlob, genai.PartURI:
			flush("")
			t.media(part)
		default:
			flush("")
			reason, known := lacking[part.Kind]
			if !known {
				reason = ReasonUnsupported
			}
			t.miss(reason)
		}
	}
	flush(ending)
}

func (t *tally) media(part *genai.Part) {
	switch part.Modality {
	case "image", "":
		t.image(part)
	case "document", "application", "text":
		t.miss(ReasonFile)
	default:
		t.miss(ReasonMedia)
	}
}
