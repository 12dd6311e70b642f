// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import "bytes"

// maxLine is the longest line, and the longest event, of a stream that is read, in bytes. Of a longer one the rest of the
// event is skipped; the application gets it all the same.
const maxLine = 1 << 20

// maxIdleBuffer is the largest buffer that a stream holds between two events, in bytes.
const maxIdleBuffer = 4 << 10

// streamEnd is the data of the event that ends an OpenAI stream.
var streamEnd = []byte("[DONE]")

// eventStream reads server-sent events from pieces of a stream, cut anywhere. Lines end in LF or CRLF.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
type eventStream struct {
	line     []byte // beginning of a line whose end has not arrived
	data     []byte // data lines of an event whose end has not arrived, joined by line feeds
	hasData  bool
	skipLine bool // the line is too long
	skipped  bool // a line of the event was
}

// write reads the next piece and calls event with the data of every event that it completes. The data is valid during the
// call. The [DONE] event is complete with its line: a client may stop reading there.
func (s *eventStream) write(p []byte, event func(data []byte)) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			s.keep(p)
			return
		}
		line := p[:end]
		p = p[end+1:]
		if len(s.line) > 0 || s.skipLine {
			s.keep(line)
			line = s.line
		}
		switch {
		case s.skipLine || len(line) > maxLine:
			s.skipped = true
		case !s.hasData && !s.skipped && startsBlank(p) && bytes.HasPrefix(line, dataField):
			// A whole event, as nearly all are: there is nothing to keep.
			event(fieldValue(bytes.TrimSuffix(line, []byte{'\r'})[len(dataField):]))
		default:
			s.readLine(line, event)
		}
		s.line, s.skipLine = idle(s.line), false
	}
}

var dataField = []byte("data:")

// startsBlank reports whether the next line is blank.
func startsBlank(p []byte) bool {
	return len(p) > 0 && p[0] == '\n' || len(p) > 1 && p[0] == '\r' && p[1] == '\n'
}

// fieldValue is a value without the one space that may be before it.
func fieldValue(value []byte) []byte { return bytes.TrimPrefix(value, []byte{' '}) }

// close reads what has no end: the last line and the last event of a stream that stopped.
func (s *eventStream) close(event func(data []byte)) {
	s.write([]byte("\n\n"), event)
}

func (s *eventStream) keep(p []byte) {
	if s.skipLine || len(s.line)+len(p) > maxLine {
		s.line, s.skipLine = nil, true
		return
	}
	s.line = append(s.line, p...)
}

func (s *eventStream) readLine(line []byte, event func(data []byte)) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) == 0 {
		if s.hasData && !s.skipped {
			event(s.data)
		}
		s.data, s.hasData, s.skipped = idle(s.data), false, false
		return
	}
	field, value, _ := bytes.Cut(line, []byte{':'})
	if string(field) != "data" {
		return
	}
	value = fieldValue(value)
	switch {
	case !s.hasData && bytes.HasPrefix(value, streamEnd):
		event(value)
	case s.skipped:
	case len(s.data)+len(value) >= maxLine:
		s.data, s.skipped = nil, true
	case s.hasData:
		s.data = append(append(s.data, '\n'), value...)
	default:
		s.data, s.hasData = append(s.data, value...), true
	}
}

// idle empties a buffer, and gives up a large one.
func idle(b []byte) []byte {
	if cap(b) > maxIdleBuffer {
		return nil
	}
	return b[:0]
}
