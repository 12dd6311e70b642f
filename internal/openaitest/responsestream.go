// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

// responseEvent is every event of the stream of a response.
type responseEvent struct {
	Type           string        `json:"type"`
	SequenceNumber int           `json:"sequence_number"`
	Response       *responseBody `json:"response,omitempty"`
	ItemID         string        `json:"item_id,omitempty"`
	OutputIndex    *int          `json:"output_index,omitempty"`
	ContentIndex   *int          `json:"content_index,omitempty"`
	Item           *outputItem   `json:"item,omitempty"`
	Part           *outputText   `json:"part,omitempty"`
	Delta          *string       `json:"delta,omitempty"`
	Text           *string       `json:"text,omitempty"`
	Arguments      *string       `json:"arguments,omitempty"`
	Logprobs       *[]struct{}   `json:"logprobs,omitempty"`
}

// events cuts the response into the events that build it up: those of the response, of its items, of their parts, of the
// tokens of those.
func (b responseBody) events(c completion) []event {
	var events []event
	add := func(name string, e responseEvent) {
		e.Type, e.SequenceNumber = "response."+name, len(events)
		events = append(events, event{e.Type, e})
	}
	begun := b.begun(statusInProgress)
	add("created", responseEvent{Response: &begun})
	add("in_progress", responseEvent{Response: &begun})
	for i, item := range b.Output {
		started := item
		started.Status = statusInProgress
		if item.Type == "message" {
			started.Content = []outputText{}
			add("output_item.added", responseEvent{OutputIndex: &i, Item: &started})
			addText(add, item, i, c.choices[0].pieces)
		} else {
			started.Arguments = new("")
			add("output_item.added", responseEvent{OutputIndex: &i, Item: &started})
			for _, piece := range c.model.encoding.split(*item.Arguments) {
				add("function_call_arguments.delta", responseEvent{ItemID: item.ID, OutputIndex: &i, Delta: &piece})
			}
			add("function_call_arguments.done", responseEvent{ItemID: item.ID, OutputIndex: &i, Arguments: item.Arguments})
		}
		add("output_item.done", responseEvent{OutputIndex: &i, Item: &item})
	}
	add(b.Status, responseEvent{Response: &b})
	return events
}

func addText(add func(string, responseEvent), item outputItem, index int, pieces []string) {
	first, none, empty := 0, []struct{}{}, newOutputText("")
	part := responseEvent{ItemID: item.ID, OutputIndex: &index, ContentIndex: &first}
	with := func(change func(*responseEvent)) responseEvent {
		e := part
		change(&e)
		return e
	}
	add("content_part.added", with(func(e *responseEvent) { e.Part = &empty }))
	for _, piece := range pieces {
		add("output_text.delta", with(func(e *responseEvent) { e.Delta, e.Logprobs = &piece, &none }))
	}
	whole := item.Content[0]
	add("output_text.done", with(func(e *responseEvent) { e.Text, e.Logprobs = &whole.Text, &none }))
	add("content_part.done", with(func(e *responseEvent) { e.Part = &whole }))
}
