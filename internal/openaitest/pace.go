// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"context"
	"time"
)

// pace is how slowly one answer comes. The zero pace does not wait.
type pace struct {
	first time.Duration // before the first chunk
	next  time.Duration // before each further chunk
}

// paceOf derives a pace from the request.
func paceOf(longest time.Duration, d digest) pace {
	const steps = 1 << 10
	shortest := longest / 8
	first := shortest + (longest-shortest)*time.Duration(d.number(steps))/steps
	return pace{first: first, next: first / 32}
}

// wait waits and reports whether the client is still there.
func wait(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// whole waits as long as a stream of so many chunks takes.
func (p pace) whole(ctx context.Context, chunks int) bool {
	return wait(ctx, p.first+time.Duration(chunks)*p.next)
}
