// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// scenario is something that goes wrong while spans are sent.
type scenario struct {
	name string
	// ownServer is set where the server is killed.
	ownServer bool
	// start starts that server; nil means as the table does.
	start func(ctx context.Context, dir string) (server, error)
	run   func(ctx context.Context, r *row) error
}

var scenarios = []scenario{
	{name: "answer to runs/create lost", run: answersLost("runs/create")},
	{name: "answer to runs/log-batch lost", run: answersLost("runs/log-batch")},
	{name: "answer to runs/update lost", run: answersLost("runs/update")},
	{name: "runs/create carried out after the client gave up", run: createsDelayed},
	{name: "collector killed (SIGKILL) 5 times", run: collectorEnds((*testbed.Process).Kill)},
	{name: "collector stopped (SIGTERM) 5 times", run: collectorEnds((*testbed.Process).Stop)},
	{name: "MLflow down", ownServer: true, run: serverDown},
	{name: "500, 503, 429 or hanging at random, 20 %", run: randomFaults},
	{name: "two collectors create an experiment at once", run: experimentRace},
	{name: "each span sent to two collectors", run: sentTwice},
	{name: "three collectors behind one address, answers lost, one killed", run: oneAddress},
	{name: "queue full", run: queueFull},
	{name: "disk full, more room before MLflow is back", run: diskFull(false)},
	{name: "disk full, MLflow back before there is more room", run: diskFull(true)},
	{name: "clocks 10 min off, collector killed", run: clockSkew},
}

// replicaKilled is for servers that can have replicas.
var replicaKilled = scenario{name: "one of two MLflow servers down", ownServer: true, start: startReplicas, run: serverDown}

// alternatelyNew makes every second span one that cannot have been written by an earlier process, as all are when a
// collector has been running for some time. It is not looked for before it is written.
func alternatelyNew(i int) time.Duration { return time.Duration(i%2) * 2 * time.Minute }

func answersLost(name string) func(context.Context, *row) error {
	return func(ctx context.Context, r *row) error {
		r.ahead = alternatelyNew
		r.proxy.use(func(c call) fault {
			lost := c.name == name && c.n%3 == 0
			return fault{carryOut: lost, disconnect: lost}
		})
		collector, err := r.start(ctx)
		if err != nil {
			return err
		}
		return r.sendAll(ctx, collector, r.batches(), 0)
	}
}

// createsDelayed holds back some spans' first create until the second has come, which is after the client has given
// up on the first and has not found its run. Then the server gets the first.
func createsDelayed(ctx context.Context, r *row) error {
	r.ahead = alternatelyNew
	every := max(5, r.spans/40)             // each takes as long as the timeout
	spans := make(map[string]chan struct{}) // closed by the second create
	r.proxy.use(func(c call) fault {
		if c.name != "runs/create" {
			return fault{}
		}
		id := spanID(c.body)
		second, known := spans[id]
		switch {
		case !known:
			spans[id] = make(chan struct{})
			if len(spans)%every == 0 {
				return fault{wait: time.After(r.timeout + r.reconcile/2), until: spans[id]}
			}
		case second != nil:
			close(second)
			spans[id] = nil
		}
		return fault{}
	})
	collector, err := r.start(ctx)
	if err != nil {
		return err
	}
	return r.sendAll(ctx, collector, r.batches(), 0)
}

// spanID is the span of a runs/create.
func spanID(body []byte) string {
	var in struct {
		Tags []struct{ Key, Value string }
	}
	_ = json.Unmarshal(body, &in) // a create without a span is none of ours
	for _, tag := range in.Tags {
		if tag.Key == "otel.span_id" {
			return tag.Value
		}
	}
	return ""
}

// collectorEnds ends the collector and starts it again, 5 times while it writes.
func collectorEnds(end func(*testbed.Process) error) func(context.Context, *row) error {
	return func(ctx context.Context, r *row) error {
		return r.whileSending(ctx, 5, end)
	}
}

// whileSending ends the collector that often, evenly over the spans.
func (r *row) whileSending(ctx context.Context, times int, end func(*testbed.Process) error) error {
	collector, err := r.start(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	batches := r.batches()
	group.Go(func() error { return r.sendAll(ctx, collector, batches, 0) })
	group.Go(func() error {
		for i := range times {
			if err := r.waitForRuns(ctx, r.spans*(i+1)/(times+1)); err != nil {
				return err
			}
			if err := end(collector.Process); err != nil {
				return err
			}
			if err := collector.Restart(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// serverDown kills MLflow for a time in which spans are sent.
func serverDown(ctx context.Context, r *row) error {
	collector, err := r.startProgram(ctx, "", r.server.url)
	if err != nil {
		return err
	}
	return r.duringOutage(ctx, collector, r.server.kill, r.server.restart)
}

// duringOutage sends spans while something is away, which begins when the first run is written.
func (r *row) duringOutage(ctx context.Context, collector *testbed.Collector, begin func() error, end func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	batches := r.batches()
	pause := r.outage * senders * 3 / 2 / time.Duration(len(batches)) // the last is sent when it is over
	group.Go(func() error { return r.sendAll(ctx, collector, batches, pause) })
	group.Go(func() error {
		err := poll(ctx, func() (bool, error) { // the proxy does not see them
			var now outcome
			err := r.count(ctx, &now)
			return now.runs > 0, err
		})
		if err != nil {
			return err
		}
		if err := begin(); err != nil {
			return err
		}
		if err := wait(ctx, r.outage); err != nil {
			return err
		}
		return end(ctx)
	})
	return group.Wait()
}

func randomFaults(ctx context.Context, r *row) error {
	r.ahead = alternatelyNew
	faults := []fault{
		{status: 500},
		{status: 500, carryOut: true},
		{status: 503, retryAfter: "1"},
		{status: 429},
		{hang: true},
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same faults every time
	r.proxy.use(func(call) fault {
		if random.Float64() < 0.2 {
			return faults[random.IntN(len(faults))]
		}
		return fault{}
	})
	collector, err := r.start(ctx)
	if err != nil {
		return err
	}
	return r.sendAll(ctx, collector, r.batches(), 0)
}

// experimentRace lets nobody create an experiment until both collectors have found that there is none.
func experimentRace(ctx context.Context, r *row) error {
	const races = 10
	var met atomic.Int64
	both := make(map[string]chan struct{}) // closed by the second create
	r.proxy.use(func(c call) fault {
		if c.name != "experiments/create" {
			return fault{}
		}
		experiment := string(c.body)
		if second, known := both[experiment]; known {
			if second != nil {
				close(second)
				both[experiment] = nil
				met.Add(1)
			}
			return fault{}
		}
		both[experiment] = make(chan struct{})
		return fault{wait: time.After(r.timeout / 2), until: both[experiment]}
	})
	collectors, err := r.startTwo(ctx)
	if err != nil {
		return err
	}
	personas, perCollector := r.persona, r.spans/2/races
	r.sent = r.spans
	for race := range races {
		r.persona = personas + "_" + strconv.Itoa(race)
		var group errgroup.Group
		for _, collector := range collectors {
			for i := 0; i < perCollector; i += batchSize {
				b := newBatch(r.shape, i)
				group.Go(func() error { return r.insist(ctx, collector.SendHTTP, b) })
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	if err := r.rest(ctx); err != nil {
		return err
	}
	if met.Load() == 0 {
		return errors.New("no experiment was created by both: nothing was tried")
	}
	return nil
}

func sentTwice(ctx context.Context, r *row) error {
	batches := r.batches()
	collectors, err := r.startTwo(ctx, "exporters.mlflow.dedupe=always")
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, collector := range collectors {
		group.Go(func() error { return r.sendAll(ctx, collector, batches, 0) })
	}
	return group.Wait()
}

// oneAddress sends to three collectors as a load balancer does. It loses one answer in seven, so that the client sends the
// batch again, to another. One of the collectors is killed.
func oneAddress(ctx context.Context, r *row) error {
	for range 3 {
		if _, err := r.start(ctx, "exporters.mlflow.dedupe=always"); err != nil {
			return err
		}
	}
	var turn atomic.Int64
	balancer := func(ctx context.Context, traces ptrace.Traces) error {
		n := turn.Add(1)
		err := r.collectors[n%3].SendHTTP(ctx, traces)
		if err == nil && n%7 == 0 {
			err = errors.New("the answer is lost")
		}
		return err
	}
	var group errgroup.Group
	batches := r.batches()
	group.Go(func() error { return r.sendTo(ctx, balancer, batches, 0) })
	group.Go(func() error {
		if err := r.waitForRuns(ctx, r.spans/3); err != nil {
			return err
		}
		if err := r.collectors[0].Kill(); err != nil {
			return err
		}
		return r.collectors[0].Restart(ctx)
	})
	return group.Wait()
}

func (r *row) startTwo(ctx context.Context, overrides ...string) ([]*testbed.Collector, error) {
	for range 2 {
		if _, err := r.start(ctx, overrides...); err != nil {
			return nil, err
		}
	}
	return r.collectors, nil
}

// queueFull sends more than the queue takes while MLflow is away.
func queueFull(ctx context.Context, r *row) error {
	collector, err := r.start(ctx, "exporters.mlflow.sending_queue.sizer=items",
		"exporters.mlflow.sending_queue.queue_size="+strconv.Itoa(r.spans/2))
	if err != nil {
		return err
	}
	err = r.overfill(ctx, collector)
	r.proxy.use(nil)
	return err
}

// diskFull sends more than the disk takes while MLflow is away. If writeFull is true, MLflow comes back before there is more
// room, so that the queue is emptied on the full disk.
func diskFull(writeFull bool) func(context.Context, *row) error {
	return func(ctx context.Context, r *row) error {
		r.promptN = 4 << 10
		program, err := r.limited(r.spans * r.promptN / 2)
		if err != nil {
			return err
		}
		collector, err := r.startProgram(ctx, program, r.proxy.URL)
		if err != nil {
			return err
		}
		if err := r.overfill(ctx, collector); err != nil {
			return err
		}
		if writeFull {
			r.proxy.use(nil)
			if err := r.rest(ctx); err != nil {
				return err
			}
		}
		r.collectors = nil
		if err := collector.Stop(); err != nil {
			return err
		}
		_, err = r.start(ctx) // in the same folder
		r.proxy.use(nil)
		return err
	}
}

// overfill sends the row's spans while MLflow refuses everything.
func (r *row) overfill(ctx context.Context, collector *testbed.Collector) error {
	r.proxy.use(func(call) fault { return fault{status: 503} })
	if err := r.sendOnce(ctx, collector, r.batches()); err != nil {
		return err
	}
	if r.refused == 0 {
		return errors.New("everything was accepted: nothing was full")
	}
	return nil
}

// clockSkew sends spans of applications whose clocks are wrong, and kills the collector at work: of these spans it cannot
// tell by the time whether they are new.
func clockSkew(ctx context.Context, r *row) error {
	r.ahead = func(i int) time.Duration { return time.Duration(i%2*20-10) * time.Minute }
	return r.whileSending(ctx, 2, (*testbed.Process).Kill)
}
