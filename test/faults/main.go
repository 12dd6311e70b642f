// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Faults sends spans through the built collector to a real server while something goes wrong, and counts what is lost or
// written twice when everything is at rest. It prints a Markdown table and a line for each bar, and fails when one is
// missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
)

func main() {
	size := realSize
	name := flag.String("server", "fasttrackml", "`fasttrackml`, or mlflow, which is MLflow with PostgreSQL, or postgres, which is the same, written to its database")
	flag.IntVar(&size.spans, "spans", 0, "`number` of spans in a row (default 500 on mlflow, else 2000)")
	flag.DurationVar(&size.timeout, "timeout", size.timeout, "of a call to the server")
	flag.DurationVar(&size.reconcile, "reconcile-after", size.reconcile, "when doubtful spans are looked at again")
	flag.DurationVar(&size.outage, "outage", size.outage, "for which the server is down")
	only := flag.String("only", "", "`part` of the names of the rows to run (default all)")
	parallel := flag.Int("parallel", 4, "`number` of rows at the same time")
	flag.Parse()
	if size.spans == 0 {
		size.spans = tables[*name].spans
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	outcomes, err := runAll(ctx, *name, size, *parallel, *only)
	stop()
	ok := false
	if err == nil {
		ok = report(os.Stdout, fmt.Sprintf("%s, %d spans a row", *name, size.spans), outcomes)
	} else {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
	if !ok {
		os.Exit(1)
	}
}

// runAll runs the rows whose names contain a text. All use one server, except those that kill it.
func runAll(ctx context.Context, name string, size size, parallel int, only string) (outcomes []outcome, err error) {
	table, ok := tables[name]
	if !ok {
		return nil, fmt.Errorf("there is no server %q", name)
	}
	dir, err := os.MkdirTemp("", "otelcol-mlflow-faults-")
	if err != nil {
		return nil, err
	}
	shared, err := table.start(ctx, filepath.Join(dir, "server"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	var group errgroup.Group
	group.SetLimit(parallel)
	outcomes = make([]outcome, len(table.scenarios))
	for i, s := range table.scenarios {
		if !strings.Contains(s.name, only) {
			continue
		}
		group.Go(func() error {
			folder := filepath.Join(dir, strconv.Itoa(i))
			server := shared
			if s.ownServer {
				start := table.start
				if s.start != nil {
					start = s.start
				}
				own, err := start(ctx, filepath.Join(folder, "server"))
				if err != nil {
					return err
				}
				server = own
				defer func() { outcomes[i].err = errors.Join(outcomes[i].err, own.stop()) }()
			}
			outcomes[i] = runRow(ctx, s, size, server, folder)
			fmt.Fprintf(os.Stderr, "==> %s: %.0f s\n", s.name, outcomes[i].took.Seconds())
			return nil
		})
	}
	if err := errors.Join(group.Wait(), shared.stop()); err != nil {
		return nil, fmt.Errorf("%w; logs are in %s", err, dir)
	}
	var ran []outcome
	failed := false
	for _, o := range outcomes {
		if o.scenario != "" {
			ran = append(ran, o)
			failed = failed || !o.ok()
		}
	}
	if failed {
		fmt.Fprintln(os.Stderr, "logs are in", dir)
		return ran, nil
	}
	return ran, os.RemoveAll(dir)
}

// ok says that every accepted span has one run.
func (o outcome) ok() bool { return o.err == nil && o.lost == 0 && o.duplicated == 0 && o.accepted > 0 }

// report prints the table and the bars, and reports whether all are met.
func report(out io.Writer, title string, outcomes []outcome) bool {
	fmt.Fprintf(out, "\n%s\n\n| scenario | sent | accepted | runs | lost | duplicated at rest | seconds |\n|---|--:|--:|--:|--:|--:|--:|\n", title)
	for _, o := range outcomes {
		fmt.Fprintf(out, "| %s | %d | %d | %d | %d | %d | %.1f |\n", o.scenario, o.sent, o.accepted, o.runs, o.lost, o.duplicated, o.took.Seconds())
	}
	fmt.Fprintln(out)
	all := true
	for _, o := range outcomes {
		verdict := "ok"
		if !o.ok() {
			verdict, all = "short", false
		}
		fmt.Fprintf(out, "%s: lost %d, duplicated %d, bar 0 and 0, %s\n", o.scenario, o.lost, o.duplicated, verdict)
		if o.err != nil {
			fmt.Fprintf(out, "  %v\n", o.err)
		}
	}
	return all
}
