// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
)

// toolCall is a call of the history.
type toolCall struct {
	name  string
	group *group // that it is made in; nil if it is alone
}

// group is several calls of one message.
type group struct{ results []string }

// toolCalls are the calls of the history in their order.
type toolCalls struct {
	all  []toolCall
	byID map[string]int
	next int // of those whose results have no id

	groups []*group
}

func (c *toolCalls) add(id string, call toolCall) {
	if c.byID == nil {
		c.byID = make(map[string]int)
	}
	c.byID[id] = len(c.all)
	c.all = append(c.all, call)
}

// find returns the call that a result is of: the one with its id or, where it has none, the next one.
func (c *toolCalls) find(id string) (toolCall, bool) {
	i, known := c.byID[id]
	if id == "" {
		i, known = c.next, c.next < len(c.all)
		c.next++
	}
	if !known {
		return toolCall{}, false
	}
	return c.all[i], true
}

// recipient is what a tool is called by in the prompt.
func recipient(name string) string { return "functions." + name }

// calls adds the tool calls that are pending.
func (t *tally) calls() {
	if len(t.pending) == 0 {
		return
	}
	t.estimated = true
	var made *group
	if len(t.pending) > 1 && t.rules.several != apart {
		made = new(group)
		t.called.groups = append(t.called.groups, made)
		t.add(parallel)
		t.text(parallelCalls(t.pending, true))
	}
	for i := range t.pending {
		part := &t.pending[i]
		if made == nil {
			t.add(call)
			t.toolCall(part, compact(part.Arguments))
		}
		t.called.add(part.ID, toolCall{part.Name, made})
	}
	t.pending = t.pending[:0]
}

func (t *tally) toolCall(part *genai.Part, arguments string) {
	t.text(recipient(part.Name))
	t.text(arguments)
}

// results adds what tools returned, and what stands beside it in the same message; all of its text is a result if that is
// what the message is for.
func (t *tally) results(parts []genai.Part, allText bool) {
	for i := range parts {
		switch kind := parts[i].Kind; {
		case kind == genai.PartToolCallResponse, kind == genai.PartText && allText:
			t.toolResult(&parts[i])
		default:
			t.parts(parts[i:i+1], "")
		}
	}
}

// toolResult adds what a tool returned.
func (t *tally) toolResult(part *genai.Part) {
	t.estimated = true
	switch made, ok := t.called.find(part.ID); {
	case !ok:
		t.miss(ReasonTools)
	case made.group == nil:
		t.text(recipient(made.name))
		t.text(part.Text)
	case t.rules.several == asOneCall:
		t.add(result)
		t.text(part.Text)
	default:
		made.group.results = append(made.group.results, part.Text)
	}
}

// forced adds that the model was told which tool to call.
func (t *tally) forced(answer answer) {
	if answer.forced != "" && t.rules.constants[forced] != 0 {
		t.add(forced)
		t.text(answer.forced)
	}
}

// parallelCalls is what several tool calls in one message are in the prompt: one call, of multi_tool_use.parallel.
func parallelCalls(calls []genai.Part, asHistory bool) string {
	var b strings.Builder
	b.WriteString(`{"tool_uses":[`)
	for i := range calls {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"recipient_name":"` + recipient(calls[i].Name) + `","parameters":`)
		if asHistory {
			b.WriteString(compact(calls[i].Arguments))
		} else {
			b.WriteString(calls[i].Arguments)
		}
		b.WriteByte('}')
	}
	b.WriteString("]}")
	return b.String()
}

// compact takes the white space out of JSON, as the arguments of earlier calls are in the prompt; other text stays as it is.
func compact(text string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	return b.String()
}
