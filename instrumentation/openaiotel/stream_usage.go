// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"bytes"
	"io"
	"net/http"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

const (
	streamOptions = `"stream_options":{"include_usage":true}`
	includeUsage  = `"include_usage":true`
)

// streamOptionsOf says where a request chooses whether its stream ends with the usage.
type streamOptionsOf struct {
	present bool
	chosen  bool // or of a type that says nothing about it
	empty   bool
	index   int // of the object in the body
}

func readStreamOptions(value gjson.Result) streamOptionsOf {
	o := streamOptionsOf{present: true, index: value.Index, empty: true}
	if !value.IsObject() || value.Index == 0 {
		o.chosen = true
		return o
	}
	value.ForEach(func(key, _ gjson.Result) bool {
		o.empty = false
		o.chosen = o.chosen || key.Str == "include_usage"
		return true
	})
	return o
}

// lacksUsage reports whether the request is a stream that would end without its usage, for want of asking.
func (r *request) lacksUsage(e *endpoint) bool {
	if e.operation != semconv.OperationTextCompletion && e.apiType != semconv.APITypeChatCompletions {
		return false // the stream of a response always has its usage
	}
	return r.stream && !r.streamOptions.chosen
}

// withUsage returns the body of a request so that its stream ends with its usage.
func (r *request) withUsage(body []byte) []byte {
	o := r.streamOptions
	at, addition := bytes.LastIndexByte(body, '}'), ","+streamOptions
	if o.present {
		at, addition = o.index+1, includeUsage+","
		if o.empty {
			addition = includeUsage
		}
	}
	return slices.Concat(body[:at], []byte(addition), body[at:])
}

// usageFilter takes the chunk that has the usage and no choices out of a stream, for an application that did not ask for it.
// A line passes when its end has arrived, which is when an application can read it.
type usageFilter struct {
	io.ReadCloser

	chunk   []byte // space for one read
	pending []byte // read, and not yet looked at: the beginning of a line
	ready   []byte // to be given to the application
	hidden  bool   // the line before was taken out
	err     error
}

// hideUsage takes the usage out of an answer that is a stream.
func hideUsage(res *http.Response) {
	if res == nil || res.Body == nil || res.Body == http.NoBody || res.StatusCode != http.StatusOK ||
		res.Header.Get("Content-Encoding") != "" {
		return
	}
	res.Body = &usageFilter{ReadCloser: res.Body}
	res.ContentLength = -1
	res.Header.Del("Content-Length")
}

func (f *usageFilter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if f.chunk == nil {
		f.chunk = make([]byte, 4<<10)
	}
	for len(f.ready) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		n, err := f.ReadCloser.Read(f.chunk)
		f.pending = append(f.pending, f.chunk[:n]...)
		f.err = err
		f.filter()
	}
	n := copy(p, f.ready)
	f.ready = f.ready[n:]
	return n, nil
}

// filter moves what is known to pass from pending to ready, which is empty.
func (f *usageFilter) filter() {
	f.ready = f.ready[:0]
	for {
		end := bytes.IndexByte(f.pending, '\n')
		if end < 0 {
			break
		}
		line := f.pending[:end+1]
		blank := len(bytes.TrimSpace(line)) == 0
		switch {
		case f.hidden && blank:
		case isUsageChunk(line):
			f.hidden = true
			f.pending = f.pending[end+1:]
			continue
		default:
			f.ready = append(f.ready, line...)
		}
		f.hidden = false
		f.pending = f.pending[end+1:]
	}
	if f.err != nil || len(f.pending) > maxLine {
		f.ready = append(f.ready, f.pending...)
		f.pending = nil
	}
}

// isUsageChunk reports whether a line is data that has a usage and an empty list of choices.
func isUsageChunk(line []byte) bool {
	data, found := bytes.CutPrefix(line, []byte("data:"))
	if !found || !bytes.Contains(data, []byte(`"usage"`)) {
		return false
	}
	chunk := parseObject(bytes.TrimSpace(data))
	choices := chunk.Get("choices")
	return choices.IsArray() && !choices.Get("0").Exists() && chunk.Get("usage").IsObject()
}
