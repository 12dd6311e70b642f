// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"errors"
	"os"
	"sync"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// deadLetter is a file of spans that MLflow can never take. A line is an OTLP/JSON export request with one span, content
// included, so that it can be sent to an OTLP/HTTP receiver again. A nil deadLetter keeps nothing.
type deadLetter struct {
	mu   sync.Mutex
	file *os.File
}

// openDeadLetter opens the file for appending; without a path there is none. Only its owner may read it.
func openDeadLetter(path string) (*deadLetter, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &deadLetter{file: file}, nil
}

// keep appends a span.
func (d *deadLetter) keep(c *call) error {
	if d == nil {
		return nil
	}
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	c.Resource.CopyTo(resource.Resource())
	scope := resource.ScopeSpans().AppendEmpty()
	c.Scope.CopyTo(scope.Scope())
	c.Span.CopyTo(scope.Spans().AppendEmpty())
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	line = append(line, '\n')
	if d.torn() {
		line = append([]byte{'\n'}, line...)
	}
	_, err = d.file.Write(line)
	return err
}

// torn reports whether the last line has no end, because the disk was full or the process was killed.
func (d *deadLetter) torn() bool {
	info, err := d.file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = d.file.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// close makes sure that the file is on disk.
func (d *deadLetter) close() error {
	if d == nil {
		return nil
	}
	return errors.Join(d.file.Sync(), d.file.Close())
}
