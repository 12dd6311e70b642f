// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// databaseScenarios are what goes wrong where runs are written to MLflow's database.
var databaseScenarios = []scenario{
	{name: "answer to COMMIT lost", run: commitsFail(wireFault{loseAnswer: true})},
	{name: "connection lost before COMMIT", run: commitsFail(wireFault{cut: true})},
	{name: "connections cut at random, 5 % of what is sent", run: randomCuts},
	{name: "collector killed (SIGKILL) in mid-batch 5 times", run: killedInMidBatch},
	{name: "collector stopped (SIGTERM) 5 times", run: collectorEnds((*testbed.Process).Stop)},
	{name: "PostgreSQL down", ownServer: true, run: databaseDown},
	{name: "PostgreSQL hangs", run: databaseHangs},
	{name: "MLflow down", ownServer: true, run: serverDown},
	{name: "schema that is not known, for some time", ownServer: true, run: unknownSchema},
	{name: "two collectors create an experiment at once", run: experimentRace},
	{name: "each span sent to two collectors", run: bothCollectors},
	{name: "each span sent to two collectors, connections cut, both killed", run: bothCollectorsKilled},
	{name: "three collectors behind one address, answers lost, one killed", run: oneAddress},
	{name: "queue full", run: queueFull},
	{name: "disk full, more room before MLflow is back", run: diskFull(false)},
	{name: "disk full, MLflow back before there is more room", run: diskFull(true)},
	{name: "clocks 10 min off, collector killed", run: clockSkew},
}

// startDatabase starts MLflow with PostgreSQL for collectors that write to the database.
func startDatabase(ctx context.Context, dir string) (server, error) {
	postgres, err := testbed.StartPostgres(ctx)
	if err != nil {
		return server{}, err
	}
	s, err := testbed.StartMLflow(ctx, testbed.MLflowConfig{Dir: filepath.Join(dir, "mlflow"), Store: postgres.URI})
	if err != nil {
		return server{}, errors.Join(err, postgres.Stop())
	}
	stop := func() error { return errors.Join(s.Stop(), postgres.Stop()) }
	if err := testbed.RunScript(ctx, postgres.URI, "deploy/postgres/role.sql"); err != nil {
		return server{}, errors.Join(err, stop())
	}
	return server{url: s.URL, kill: s.Kill, restart: s.Restart, stop: stop, database: postgres}, nil
}

// wire stands between collectors and PostgreSQL and makes connections go wrong.
type wire struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{}
	plan func(commit bool) wireFault
}

// wireFault is what goes wrong with something that a collector sends. The zero wireFault is nothing.
type wireFault struct {
	cut        bool            // close the connection instead
	loseAnswer bool            // close the connection when the answer comes
	hang       bool            // keep it, and wait until the collector has gone
	held       chan<- struct{} // where to say that something is kept, or nil
}

func newWire(ctx context.Context, target string) (*wire, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{listener: listener, target: target, open: make(map[net.Conn]struct{})}
	w.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			w.running.Go(func() { w.serve(client) })
		}
	})
	return w, nil
}

// address is what collectors connect to.
func (w *wire) address() string { return w.listener.Addr().String() }

// use makes what is sent go wrong as the plan says from now on; nil is nothing. The plan is asked for one thing at a time.
func (w *wire) use(plan func(commit bool) wireFault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plan = plan
}

func (w *wire) close() {
	_ = w.listener.Close()
	w.mu.Lock()
	for conn := range w.open {
		_ = conn.Close()
	}
	w.mu.Unlock()
	w.running.Wait()
}

// keep notes a connection, so that close ends it.
func (w *wire) keep(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[conn] = struct{}{}
}

func (w *wire) end(conn net.Conn) {
	_ = conn.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, conn)
}

// serve passes on what a collector and the server send.
func (w *wire) serve(client net.Conn) {
	w.keep(client)
	defer w.end(client)
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", w.target)
	if err != nil {
		return // it is down
	}
	w.keep(server)
	defer w.end(server)
	lost := make(chan struct{})
	w.running.Go(func() {
		defer client.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			select {
			case <-lost:
				return
			default:
			}
			if n > 0 {
				if _, err := client.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		f := w.fault(bytes.Contains(buffer[:n], []byte("commit\x00")))
		switch {
		case f.cut:
			return
		case f.hang:
			if f.held != nil {
				f.held <- struct{}{}
			}
			_, _ = client.Read(buffer) // ends when the collector has gone
			return
		case f.loseAnswer:
			close(lost)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (w *wire) fault(commit bool) wireFault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.plan == nil {
		return wireFault{}
	}
	return w.plan(commit)
}

// dsn is how a collector reaches the database, with what can be seen on the wire.
func (r *row) dsn() string {
	return "postgres://otelcol_mlflow@" + r.wire.address() + "/postgres?sslmode=disable"
}

// commitsFail makes every third commit go wrong.
func commitsFail(f wireFault) func(context.Context, *row) error {
	return func(ctx context.Context, r *row) error {
		n := 0
		r.wire.use(func(commit bool) wireFault {
			if !commit {
				return wireFault{}
			}
			if n++; n%3 != 0 {
				return wireFault{}
			}
			return f
		})
		collector, err := r.start(ctx)
		if err != nil {
			return err
		}
		if err := r.sendAll(ctx, collector, r.batches(), 0); err != nil {
			return err
		}
		if err := r.rest(ctx); err != nil {
			return err
		}
		if n < 3 {
			return errors.New("no commit went wrong: nothing was tried")
		}
		return nil
	}
}

// cutAtRandom cuts one connection in twenty at whatever is sent on it.
func (r *row) cutAtRandom() {
	random := rand.New(rand.NewPCG(1, 2)) // the same every time
	r.wire.use(func(bool) wireFault { return wireFault{cut: random.Float64() < 0.05} })
}

func randomCuts(ctx context.Context, r *row) error {
	r.cutAtRandom()
	collector, err := r.start(ctx)
	if err != nil {
		return err
	}
	return r.sendAll(ctx, collector, r.batches(), 0)
}

// killedInMidBatch kills the collector when it has sent all of a transaction but its end.
func killedInMidBatch(ctx context.Context, r *row) error {
	const times = 5
	collector, err := r.start(ctx)
	if err != nil {
		return err
	}
	batches := r.batches()
	for kill := range times {
		part := batches[kill*len(batches)/times : (kill+1)*len(batches)/times]
		held := make(chan struct{}, len(part))
		r.wire.use(func(commit bool) wireFault {
			return wireFault{hang: commit, held: held}
		})
		var sending errgroup.Group
		sending.Go(func() error { return r.sendAll(ctx, collector, part, 0) })
		select {
		case <-held:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := collector.Kill(); err != nil {
			return err
		}
		r.wire.use(nil)
		if err := collector.Restart(ctx); err != nil {
			return err
		}
		if err := sending.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// databaseDown kills PostgreSQL for a time in which spans are sent.
func databaseDown(ctx context.Context, r *row) error {
	collector, err := r.start(ctx)
	if err != nil {
		return err
	}
	return r.duringOutage(ctx, collector, r.server.database.Kill, r.server.database.Restart)
}

// databaseHangs lets nothing that collectors send reach PostgreSQL for a time in which spans are sent.
func databaseHangs(ctx context.Context, r *row) error {
	collector, err := r.start(ctx)
	if err != nil {
		return err
	}
	hang := func() error {
		r.wire.use(func(bool) wireFault { return wireFault{hang: true} })
		return nil
	}
	pass := func(context.Context) error {
		r.wire.use(nil)
		return nil
	}
	return r.duringOutage(ctx, collector, hang, pass)
}

// unknownSchema is an upgrade of MLflow before that of the collector.
func unknownSchema(ctx context.Context, r *row) error {
	collector, err := r.start(ctx)
	if err != nil {
		return err
	}
	var head string
	set := func(ctx context.Context, value string) error {
		conn, err := pgx.Connect(ctx, r.server.database.DSN("postgres"))
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		if head == "" {
			if err := conn.QueryRow(ctx, "SELECT version_num FROM alembic_version").Scan(&head); err != nil {
				return err
			}
		}
		_, err = conn.Exec(ctx, "UPDATE alembic_version SET version_num = $1", value)
		return err
	}
	return r.duringOutage(ctx, collector,
		func() error { return set(ctx, "ffffffffffff") },
		func(ctx context.Context) error { return set(ctx, head) })
}

// bothCollectors is sentTwice without `dedupe: always`, which only REST needs.
func bothCollectors(ctx context.Context, r *row) error {
	collectors, err := r.startTwo(ctx)
	if err != nil {
		return err
	}
	return r.sendToAll(ctx, collectors, r.batches())
}

func bothCollectorsKilled(ctx context.Context, r *row) error {
	r.cutAtRandom()
	collectors, err := r.startTwo(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	batches := r.batches()
	group.Go(func() error { return r.sendToAll(ctx, collectors, batches) })
	group.Go(func() error {
		for i, collector := range collectors {
			if err := r.waitForRuns(ctx, r.spans*(i+1)/4); err != nil {
				return err
			}
			if err := collector.Kill(); err != nil {
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

// sendToAll sends the same spans to each collector.
func (r *row) sendToAll(ctx context.Context, collectors []*testbed.Collector, batches []batch) error {
	var group errgroup.Group
	for _, collector := range collectors {
		group.Go(func() error { return r.sendAll(ctx, collector, batches, 0) })
	}
	return group.Wait()
}

// databaseOverrides make a collector write to the database.
func (r *row) databaseOverrides() []string {
	return []string{
		"exporters.mlflow.store.type=postgres",
		fmt.Sprintf("exporters.mlflow.store.dsn=%q", r.dsn()),
	}
}
