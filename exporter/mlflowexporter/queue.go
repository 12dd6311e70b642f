// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"context"
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

// The persistent queue of exporterhelper (v0.161) loses requests that it has accepted in two moments:
//
//   - When it takes a request while the disk is full, it cannot note that it took it, and deletes the request instead.
//   - When it starts, it deletes the requests that an earlier process was working on, and then adds them again: a process
//     killed between the two, or a disk that is full, loses them.
//
// keptQueue gives it a storage that does not fail at the first and puts off the deleting at the second. What this leads to
// after a crash is that a request is read twice, which this exporter takes for what it is.
type keptQueue struct {
	exporter.Traces
	storage component.ID
	logger  *zap.Logger
}

// Start starts the exporter with a host whose storage extension keeps what the queue has.
func (q *keptQueue) Start(ctx context.Context, host component.Host) error {
	extensions := maps.Clone(host.GetExtensions())
	original, ok := extensions[q.storage].(storage.Extension)
	if !ok {
		return q.Traces.Start(ctx, host) // which says so
	}
	kept := &keptExtension{Extension: original, logger: q.logger}
	extensions[q.storage] = kept
	err := q.Traces.Start(ctx, keptHost(extensions))
	kept.started()
	return err
}

type keptHost map[component.ID]component.Component

func (h keptHost) GetExtensions() map[component.ID]component.Component { return h }

type keptExtension struct {
	storage.Extension
	logger *zap.Logger
	queue  *keptStorage
}

// queueStorage is the name by which exporterhelper asks for the storage of a queue of traces.
const queueStorage = "traces"

func (e *keptExtension) GetClient(ctx context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	client, err := e.Extension.GetClient(ctx, kind, id, name)
	if err != nil || name != queueStorage {
		return client, err
	}
	e.queue = &keptStorage{Client: client, logger: e.logger, starting: true, late: make(map[string]*storage.Operation)}
	return e.queue, nil
}

func (e *keptExtension) started() {
	if e.queue == nil {
		return
	}
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	e.queue.starting = false
}

// keptStorage is the storage of a queue. Only to add a new request can fail, which the request's sender is told. What else
// the queue writes is kept in memory while the storage cannot take it.
type keptStorage struct {
	storage.Client
	logger *zap.Logger

	mu       sync.Mutex
	starting bool                          // the queue adds again what an earlier process was working on
	late     map[string]*storage.Operation // by key: what is still to be written
}

// Batch carries out a transaction.
func (s *keptStorage) Batch(ctx context.Context, ops ...*storage.Operation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := ops
	if s.starting {
		if !slices.ContainsFunc(ops, func(op *storage.Operation) bool { return op.Type != storage.Delete }) {
			s.keep(ops) // until what they delete has been added again
			return nil
		}
	} else if len(s.late) > 0 {
		all = slices.Concat(slices.Collect(maps.Values(s.late)), ops) // the last that is said of a key holds
	}
	err := s.Client.Batch(ctx, all...)
	switch {
	case err == nil:
		for _, op := range all {
			if op.Type != storage.Get {
				delete(s.late, op.Key)
			}
		}
		return nil
	case !s.starting && addsRequest(ops):
		return err
	}
	s.logger.Debug("What the queue has done is kept in memory until the storage can be written", zap.Error(err))
	s.keep(ops)
	return s.get(ctx, ops)
}

// addsRequest tells the transaction that adds a request: it writes the request and the state of the queue, all others
// write the state alone.
func addsRequest(ops []*storage.Operation) bool {
	sets := 0
	for _, op := range ops {
		if op.Type == storage.Set {
			sets++
		}
	}
	return sets > 1
}

func (s *keptStorage) keep(ops []*storage.Operation) {
	for _, op := range ops {
		if op.Type != storage.Get {
			s.late[op.Key] = op
		}
	}
}

// get does what of a transaction needs no writing.
func (s *keptStorage) get(ctx context.Context, ops []*storage.Operation) error {
	for _, op := range ops {
		if op.Type != storage.Get {
			continue
		}
		if late, ok := s.late[op.Key]; ok {
			op.Value = late.Value
			continue
		}
		var err error
		if op.Value, err = s.Get(ctx, op.Key); err != nil {
			return err
		}
	}
	return nil
}

// Close writes what is still to be written, if it can be by now; if not, some requests are read again after the next start.
func (s *keptStorage) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.late) > 0 {
		if err := s.Client.Batch(ctx, slices.Collect(maps.Values(s.late))...); err != nil {
			s.logger.Warn("The queue's storage does not have what was done last; some requests will be read again", zap.Error(err))
		}
	}
	return s.Client.Close(ctx)
}
