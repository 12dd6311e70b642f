// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxErrorBody is how much of the body of an error is read, in bytes. Of a larger one only the status code is recorded.
const maxErrorBody = 64 << 10

// answerReader reads the body of an answer while it passes to the application.
type answerReader interface {
	// write takes the next bytes and reports whether the answer is complete with them.
	write(p []byte) bool
	// close is called once, after the last write, and fills in the response. atEnd says that the body has no more bytes.
	// It reports whether the answer is complete.
	close(atEnd bool) bool
}

func (c *call) newAnswerReader(res *http.Response) answerReader {
	switch encoding := res.Header.Get("Content-Encoding"); {
	case res.StatusCode >= http.StatusBadRequest:
		return &errorAnswer{call: c, status: res.StatusCode, body: c.instrumentation.newBodyCopy(maxErrorBody)}
	case res.StatusCode < http.StatusOK || res.StatusCode >= http.StatusMultipleChoices:
		return ignoredAnswer{}
	case encoding != "" && encoding != "identity":
		return ignoredAnswer{}
	}
	mediaType, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	mediaType = strings.TrimSpace(mediaType)
	if strings.EqualFold(mediaType, "text/event-stream") || mediaType == "" && c.stream {
		return &streamedAnswer{call: c}
	}
	return &wholeAnswer{call: c, body: c.instrumentation.newBodyCopy(maxAnswer)}
}

// ignoredAnswer reads nothing: the answer is encoded, or none at all.
type ignoredAnswer struct{}

func (ignoredAnswer) write([]byte) bool     { return false }
func (ignoredAnswer) close(atEnd bool) bool { return atEnd }

// wholeAnswer reads an answer that is one JSON document, once all of it has arrived.
type wholeAnswer struct {
	call *call
	body bodyCopy
}

func (a *wholeAnswer) write(p []byte) bool {
	a.body.write(p)
	return false
}

func (a *wholeAnswer) close(atEnd bool) bool {
	defer a.body.release()
	if answer := parseObject(a.body.bytes()); answer.Exists() {
		a.call.endpoint.readAnswer(answer, &a.call.response)
		return true
	}
	if !atEnd && !a.body.tooLong {
		a.call.response.cutOff(a.call.choices)
	}
	return atEnd
}

// errorAnswer reads the body of an HTTP error. The status of the span says only what kind of error it is: the message may
// quote the prompt.
type errorAnswer struct {
	call   *call
	status int
	body   bodyCopy
}

func (a *errorAnswer) write(p []byte) bool {
	a.body.write(p)
	return false
}

func (a *errorAnswer) close(bool) bool {
	defer a.body.release()
	status := strconv.Itoa(a.status)
	body := parseObject(a.body.bytes())
	apiError := body.Get("error")
	if !apiError.IsObject() {
		apiError = body // vLLM and Mistral do not wrap it
	}
	kind := apiErrorType(apiError)
	a.call.response.errorType = cmp.Or(kind, status)
	a.call.response.errorText = strings.TrimSpace("HTTP " + status + " " + kind)
	return true
}

// streamedAnswer reads an answer that is a stream of chunks.
type streamedAnswer struct {
	call   *call
	events eventStream
	done   bool
}

func (a *streamedAnswer) write(p []byte) bool {
	a.events.write(p, a.readEvent)
	return a.done
}

func (a *streamedAnswer) readEvent(data []byte) {
	if a.done || bytes.HasPrefix(data, streamEnd) {
		a.done = true
		return
	}
	r := &a.call.response
	if r.timeToFirstChunk == 0 {
		r.timeToFirstChunk = time.Since(a.call.started)
	}
	if chunk := parseObject(data); chunk.Exists() {
		a.call.endpoint.readAnswer(chunk, r)
	}
}

func (a *streamedAnswer) close(atEnd bool) bool {
	a.events.close(a.readEvent)
	if !a.done {
		a.call.response.cutOff(a.call.choices)
	}
	return a.done || atEnd
}

// bodyCopy keeps a body that is not larger than its limit.
type bodyCopy struct {
	pool    *bufferPool
	buffer  *bytes.Buffer
	limit   int
	tooLong bool
}

func (in *instrumentation) newBodyCopy(limit int) bodyCopy {
	return bodyCopy{pool: &in.buffers, buffer: in.buffers.get(), limit: limit}
}

func (b *bodyCopy) write(p []byte) {
	if b.tooLong || b.buffer.Len()+len(p) > b.limit {
		b.tooLong = true
		b.release()
		return
	}
	b.buffer.Write(p)
}

// bytes returns nil for a body that is too large.
func (b *bodyCopy) bytes() []byte {
	if b.tooLong {
		return nil
	}
	return b.buffer.Bytes()
}

func (b *bodyCopy) release() {
	b.pool.put(b.buffer)
	b.buffer = nil
}
