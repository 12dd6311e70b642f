// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// created is the fixed time of every answer: 2026-01-01T00:00:00Z.
const created = 1767225600

// answer is what an endpoint gives, in its shape: a body, or the events of a stream.
type answer struct {
	id        string
	usage     Usage
	usageSent bool
	body      any
	events    []event
	pieces    int // tokens that a model would need time for
}

// event is one event of a stream.
type event struct {
	name string // "" for none
	data any
}

// doneEvent ends the streams of all but the Responses API.
var doneEvent = event{data: json.RawMessage("[DONE]")}

// responseWriter sends one answer. Clients may go away at any time, which is no failure of the server: write errors are
// dropped.
type responseWriter struct {
	w    http.ResponseWriter
	ctx  context.Context
	pace pace
	cut  bool // break the connection half-way
}

// plain sends the answer as one body.
func (o responseWriter) plain(a answer) {
	data := mustMarshal(a.body)
	if !o.pace.whole(o.ctx, a.pieces) {
		return
	}
	o.w.Header().Set("Content-Type", "application/json")
	o.w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	o.w.WriteHeader(http.StatusOK)
	if o.cut {
		_, _ = o.w.Write(data[:len(data)/2])
		o.breakOff()
	}
	_, _ = o.w.Write(data)
}

// stream sends the answer as server-sent events.
func (o responseWriter) stream(a answer) {
	o.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	if !wait(o.ctx, o.pace.first) {
		return
	}
	for i, event := range a.events {
		if o.cut && i == len(a.events)/2 {
			o.breakOff()
		}
		if i > 0 && !wait(o.ctx, o.pace.next) {
			return
		}
		o.send(event)
	}
}

func (o responseWriter) send(e event) {
	if e.name != "" {
		_, _ = fmt.Fprintf(o.w, "event: %s\n", e.name)
	}
	data, isRaw := e.data.(json.RawMessage) // [DONE] is no JSON
	if !isRaw {
		data = mustMarshal(e.data)
	}
	_, _ = fmt.Fprintf(o.w, "data: %s\n\n", data)
	_ = http.NewResponseController(o.w).Flush()
}

// breakOff closes the connection without ending the response.
func (o responseWriter) breakOff() {
	_ = http.NewResponseController(o.w).Flush()
	panic(http.ErrAbortHandler)
}

// mustMarshal is for the types of this package, all of which JSON can say.
func mustMarshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
