// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// maxRequestBody is how much of a request body is read before it is sent, in bytes. Of a larger one nothing is recorded.
const maxRequestBody = 1 << 20

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
func (b *requestBody) readAhead(length int64) []byte {
	if length > maxRequestBody {
		return nil
	}
	limit := int64(maxRequestBody + 1)
	if length > 0 {
		limit = length
		b.ahead.Grow(int(length) + bytes.MinRead)
	}
	n, err := b.ahead.ReadFrom(io.LimitReader(b.rest, limit))
	switch {
	case err != nil:
		b.err = err
		return nil
	case n > maxRequestBody:
		return nil
	case n < limit:
		b.err = io.EOF
	}
	return b.ahead.Bytes()
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
	return b.rest.Read(p)
}

func (b *requestBody) Close() error {
	b.mu.Lock()
	b.pool.put(b.ahead)
	b.ahead = nil
	b.mu.Unlock()
	return b.rest.Close()
}
