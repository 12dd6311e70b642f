// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter/internal/metadata"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

// disk is a storage extension whose content can be copied, as a crash would leave it, and that can be full.
type disk struct {
	component.StartFunc
	component.ShutdownFunc

	mu      sync.Mutex
	full    bool
	values  map[string]map[string][]byte // client name → key → value
	changed func()                       // after each transaction that writes
}

var diskID = component.MustNewID("disk")

func newDisk() *disk { return &disk{values: make(map[string]map[string][]byte)} }

func (d *disk) GetClient(_ context.Context, _ component.Kind, _ component.ID, name string) (storage.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.values[name] == nil {
		d.values[name] = make(map[string][]byte)
	}
	return &diskClient{disk: d, name: name}, nil
}

func (d *disk) setFull(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

// requests is how many requests the queue has on the disk: all that it has but its own state.
func (d *disk) requests() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.values[queueStorage]) - 1
}

// copy is the disk as a process finds it that starts after a crash now.
func (d *disk) copy() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	other := newDisk()
	for name, values := range d.values {
		other.values[name] = maps.Clone(values)
	}
	return other
}

type diskClient struct {
	disk *disk
	name string
}

var errDiskFull = errors.New("no space left on device")

func (c *diskClient) Batch(_ context.Context, ops ...*storage.Operation) error {
	c.disk.mu.Lock()
	written := false
	for _, op := range ops {
		written = written || op.Type != storage.Get
	}
	if written && c.disk.full {
		c.disk.mu.Unlock()
		return errDiskFull
	}
	values := c.disk.values[c.name]
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = values[op.Key]
		case storage.Set:
			values[op.Key] = op.Value
		case storage.Delete:
			delete(values, op.Key)
		}
	}
	changed := c.disk.changed
	c.disk.mu.Unlock()
	if written && changed != nil {
		changed()
	}
	return nil
}

func (c *diskClient) Get(ctx context.Context, key string) ([]byte, error) {
	op := storage.GetOperation(key)
	err := c.Batch(ctx, op)
	return op.Value, err
}

func (c *diskClient) Set(ctx context.Context, key string, value []byte) error {
	return c.Batch(ctx, storage.SetOperation(key, value))
}

func (c *diskClient) Delete(ctx context.Context, key string) error {
	return c.Batch(ctx, storage.DeleteOperation(key))
}

func (c *diskClient) Close(context.Context) error { return nil }

// startWithQueue starts an exporter with its queue on the disk, and retries that come soon.
func startWithQueue(t *testing.T, fake *trackingtest.Fake, d *disk) exporter.Traces {
	config := createDefaultConfig().(*Config)
	config.ClientConfig.Endpoint = fake.URL
	config.RetryConfig.InitialInterval, config.RetryConfig.MaxInterval = time.Millisecond, 10*time.Millisecond
	config.QueueConfig.GetOrInsertDefault().StorageID = &diskID
	require.NoError(t, config.Validate())
	e, err := NewFactory().CreateTraces(t.Context(), exportertest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), keptHost{diskID: d}))
	return e
}

func unavailable(string) trackingtest.Fault {
	return trackingtest.Fault{Status: http.StatusServiceUnavailable}
}

// send sends n calls, a request each, and returns when MLflow was asked about them.
func send(t *testing.T, e exporter.Traces, fake *trackingtest.Fake, n int) {
	for i := range n {
		one := llmCalls(n, "tech_educator")
		spans := one.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
		keep := spans.At(i).SpanID()
		spans.RemoveIf(func(span ptrace.Span) bool { return span.SpanID() != keep })
		require.NoError(t, e.ConsumeTraces(t.Context(), one))
	}
	require.Eventually(t, func() bool { return fake.Calls("experiments/get-by-name") >= n }, 10*time.Second, time.Millisecond)
}

func TestFullDiskLosesNothingThatWasAccepted(t *testing.T) {
	fake := trackingtest.NewFake()
	defer fake.Close()
	fake.SetFault(unavailable)
	d := newDisk()
	e := startWithQueue(t, fake, d)
	const calls = 30 // more than the queue has consumers
	send(t, e, fake, calls)
	d.setFull(true)
	require.ErrorIs(t, e.ConsumeTraces(t.Context(), llmCalls(1, "a")), errDiskFull, "what cannot be stored is refused")

	fake.SetFault(nil)
	require.Eventually(t, func() bool { return len(fake.Runs()) == calls }, 10*time.Second, time.Millisecond)
	d.setFull(false)
	require.NoError(t, e.Shutdown(t.Context()))
	requireWritten(t, fake, calls)
	assert.Zero(t, d.requests(), "what was done while the disk was full is gone from it")
}

// interrupted is the disk of a process that was killed while it worked on all of the calls.
func interrupted(t *testing.T, calls int) *disk {
	fake := trackingtest.NewFake()
	defer fake.Close()
	fake.SetFault(unavailable)
	d := newDisk()
	e := startWithQueue(t, fake, d)
	send(t, e, fake, calls)
	crashed := d.copy()
	require.NoError(t, e.Shutdown(t.Context()))
	return crashed
}

func TestKilledWhileStartingLosesNothing(t *testing.T) {
	const calls = 3
	crashed := interrupted(t, calls)
	fake := trackingtest.NewFake()
	defer fake.Close()
	fake.SetFault(unavailable)
	restarting := crashed.copy()
	after := []*disk{crashed} // how the disk looks at first, and after each transaction of the start
	var mu sync.Mutex
	restarting.changed = func() {
		mu.Lock()
		defer mu.Unlock()
		after = append(after, restarting.copy())
	}
	e := startWithQueue(t, fake, restarting)
	require.Eventually(t, func() bool { return fake.Calls("experiments/get-by-name") >= calls }, 10*time.Second, time.Millisecond)
	require.NoError(t, e.Shutdown(t.Context()))
	require.Greater(t, len(after), calls)
	for _, found := range after {
		requireAllWritten(t, found, calls)
	}
}

func TestStartOnAFullDiskLosesNothing(t *testing.T) {
	const calls = 3
	found := interrupted(t, calls)
	found.setFull(true)
	requireAllWritten(t, found, calls)
}

// requireAllWritten requires of a process that finds such a disk that it writes the calls, each once.
func requireAllWritten(t *testing.T, found *disk, calls int) {
	fake := trackingtest.NewFake()
	defer fake.Close()
	e := startWithQueue(t, fake, found)
	assert.Eventually(t, func() bool { return len(fake.Runs()) == calls }, 10*time.Second, time.Millisecond)
	require.NoError(t, e.Shutdown(t.Context()))
	requireWritten(t, fake, calls)
}
