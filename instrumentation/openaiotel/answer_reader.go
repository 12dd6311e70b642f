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

	"github.com/tidwall/gjson"
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
	return c.newWholeAnswer()
}

// ignoredAnswer reads nothing: the answer is encoded, or none at all.
type ignoredAnswer struct{}

func (ignoredAnswer) write([]byte) bool     { return false }
func (ignoredAnswer) close(atEnd bool) bool { return atEnd }

// wholeAnswer reads an answer that is one JSON document, once all of it has arrived. It keeps the document when content is
// on and the document is not too large, and otherwise what a [shrinker] leaves of it.
type wholeAnswer struct {
	call   *call
	body   bodyCopy
	shrunk shrinker // without an out while the document is kept
}

func (c *call) newWholeAnswer() *wholeAnswer {
	a := &wholeAnswer{call: c}
	if c.response.content.on {
		a.body = c.instrumentation.newBodyCopy(maxAnswer)
	} else {
		a.shrunk = shrinker{out: c.instrumentation.buffers.get()}
	}
	return a
}

func (a *wholeAnswer) write(p []byte) bool {
	if a.shrunk.out == nil {
		if a.body.fits(p) {
			a.body.write(p)
			return false
		}
		a.call.response.content.on = false
		a.shrunk = shrinker{out: a.call.instrumentation.buffers.get()}
		a.shrunk.write(a.body.bytes())
		a.body.release()
	}
	a.shrunk.write(p)
	return false
}

func (a *wholeAnswer) close(atEnd bool) bool {
	defer a.release()
	document := a.body.bytes()
	if a.shrunk.out != nil {
		document = a.shrunk.document()
	}
	if answer := parseObject(document); answer.Exists() {
		a.call.endpoint.readAnswer(answer, &a.call.response)
		return true
	}
	if !atEnd {
		a.call.cutOff()
	}
	return atEnd
}

func (a *wholeAnswer) release() {
	a.body.release()
	if a.shrunk.out != nil {
		a.call.instrumentation.buffers.put(a.shrunk.out)
		a.shrunk.out = nil
	}
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
	a.call.response.errorType, a.call.response.errorText = httpError(a.status, parseObject(a.body.bytes()))
	return true
}

// httpError is the type of an HTTP error, and what a status says about it.
func httpError(status int, body gjson.Result) (kind, description string) {
	apiError := body.Get("error")
	if !apiError.IsObject() {
		apiError = body // vLLM and Mistral do not wrap it
	}
	kind = apiErrorType(apiError)
	code := strconv.Itoa(status)
	return cmp.Or(kind, code), strings.TrimSpace("HTTP " + code + " " + kind)
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
	first := r.timeToFirstChunk == 0
	if first {
		r.timeToFirstChunk = time.Since(a.call.started)
	}
	if chunk := parseObject(data); chunk.Exists() {
		a.done = a.call.endpoint.readAnswer(chunk, r)
	}
	a.call.instrumentation.metrics.chunk(a.call, first)
}

func (a *streamedAnswer) close(atEnd bool) bool {
	a.events.close(a.readEvent)
	if !a.done {
		a.call.cutOff()
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

func (b *bodyCopy) fits(p []byte) bool {
	return !b.tooLong && b.buffer.Len()+len(p) <= b.limit
}

func (b *bodyCopy) write(p []byte) {
	if !b.fits(p) {
		b.tooLong = true
		b.release()
		return
	}
	b.buffer.Write(p)
}

// bytes returns nil for a body that is too large, or was released.
func (b *bodyCopy) bytes() []byte {
	if b.buffer == nil {
		return nil
	}
	return b.buffer.Bytes()
}

func (b *bodyCopy) release() {
	if b.buffer != nil {
		b.pool.put(b.buffer)
		b.buffer = nil
	}
}
