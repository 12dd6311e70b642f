// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"bytes"
	"sync"
)

// maxPooledBuffer is the largest buffer worth keeping for the next call, in bytes.
const maxPooledBuffer = 256 << 10

// bufferPool lends the buffers that hold a body while it is read, so that a call costs no memory of the size of its body.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *bytes.Buffer {
	if b, ok := p.pool.Get().(*bytes.Buffer); ok {
		return b
	}
	return new(bytes.Buffer)
}

// put takes back a buffer that nothing refers to any more; nil is fine.
func (p *bufferPool) put(b *bytes.Buffer) {
	if b == nil || b.Cap() > maxPooledBuffer {
		return
	}
	b.Reset()
	p.pool.Put(b)
}
