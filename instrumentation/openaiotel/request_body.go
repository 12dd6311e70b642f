// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

const (
	// maxRequestBody is how much of a request body is read before it is sent, in bytes. Of a larger one no content is recorded.
	maxRequestBody = 1 << 20
	// startOfLargeBody is how much of a body that is known to be larger is read before it is sent, in bytes.
	startOfLargeBody = 64 << 10
)

// requestBody is a body whose beginning was read ahead. It gives every byte and the error of the original, in order.
//
// The request's GetBody is no way around reading the body itself: openai-go's GetBody for a *bytes.Reader rewinds the very
// reader that Body reads, and a middleware may have replaced Body alone.
type requestBody struct {
	pool *bufferPool

	mu    sync.Mutex // a transport may close a body while it reads it
	ahead *bytes.Buffer
	err   error // what ended the reading ahead, if the body did
	rest  io.ReadCloser
	scan  *shrinker // of a body that is too large to be read before it is sent
}

// newRequestBody returns nil for a request without a body.
func newRequestBody(req *http.Request, pool *bufferPool) *requestBody {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	return &requestBody{pool: pool, ahead: pool.get(), rest: req.Body}
}

// readAhead returns the whole body, or nil when it is too large or cannot be read. length is the request's ContentLength:
// with it the body is not asked for more than it has, so that its end reaches the transport as it would have. The result
// is valid until the body is read.
//
// A body that is too large is read while it is sent, see [requestBody.shrunk]; content is the key that has its content.
func (b *requestBody) readAhead(length int64, content string) []byte {
	limit := int64(maxRequestBody + 1)
	switch {
	case length > maxRequestBody:
		limit = startOfLargeBody
	case length > 0:
		limit = length
		b.ahead.Grow(int(length) + bytes.MinRead)
	}
	n, err := b.ahead.ReadFrom(io.LimitReader(b.rest, limit))
	switch {
	case err != nil:
		b.err = err
		return nil
	case n > maxRequestBody || length > maxRequestBody:
		b.scan = &shrinker{out: b.pool.get(), content: content}
		b.scan.write(b.ahead.Bytes())
		return nil
	case n < limit:
		b.err = io.EOF
	}
	return b.ahead.Bytes()
}

// shrunk returns what is left of a body that was too large, without its content, once; nil before all of it was sent. The
// caller gives the buffer back.
func (b *requestBody) shrunk() *bytes.Buffer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.scan == nil || b.scan.overflow {
		return nil
	}
	out := b.scan.out
	b.scan = nil
	return out
}

// whole reports whether all of the body was read ahead.
func (b *requestBody) whole(length int64) bool {
	return b.err == io.EOF || length > 0 && int64(b.ahead.Len()) == length //nolint:errorlint // set to io.EOF itself, above
}

// replace puts another body in the place of one that was read ahead whole.
func (b *requestBody) replace(body []byte) {
	b.ahead.Reset()
	b.ahead.Write(body)
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.ahead != nil {
		if b.ahead.Len() > 0 {
			defer b.mu.Unlock()
			return b.ahead.Read(p)
		}
		if b.err != nil {
			defer b.mu.Unlock()
			return 0, b.err
		}
	}
	b.mu.Unlock()
	n, err := b.rest.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.scan != nil {
		b.scan.write(p[:n])
	}
	return n, err
}

func (b *requestBody) Close() error {
	b.mu.Lock()
	b.pool.put(b.ahead)
	b.ahead = nil
	b.mu.Unlock()
	return b.rest.Close()
}
