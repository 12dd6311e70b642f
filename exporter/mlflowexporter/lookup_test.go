// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package mlflowexporter

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

// lookupBench has runs in an experiment.
type lookupBench struct {
	*bench
	client     *tracking.Client
	experiment string
}

func newLookupBench(t *testing.T) *lookupBench {
	b := newBench(t, nil)
	client := b.rest().writer.client
	experiment, err := client.CreateExperiment(t.Context(), "x", nil)
	require.NoError(t, err)
	return &lookupBench{b, client, experiment}
}

// run makes a run of a span, which started then.
func (b *lookupBench) run(t *testing.T, span key, start int64) string {
	id, err := b.client.CreateRun(t.Context(), tracking.NewRun{ExperimentID: b.experiment, StartTime: start, Tags: []tracking.KeyValue{
		{Key: "otel.trace_id", Value: span.trace.String()}, {Key: "otel.span_id", Value: span.span.String()},
	}})
	require.NoError(t, err)
	return id
}

// lookUp returns the ids of the runs of spans, and in how many searches they were found.
func (b *lookupBench) lookUp(t *testing.T, spans ...sought) (ids map[key][]string, searches int) {
	before := b.fake.Calls("runs/search")
	found, err := runsOf(t.Context(), b.client, b.experiment, spans...)
	require.NoError(t, err)
	ids = make(map[key][]string)
	for span, runs := range found {
		for _, r := range runs {
			ids[span] = append(ids[span], r.ID)
		}
	}
	return ids, b.fake.Calls("runs/search") - before
}

func spanOf(i int) key {
	return key{trace: [16]byte{1, byte(i >> 8), byte(i)}, span: [8]byte{byte(i >> 8), byte(i), 1}}
}

// soughtOnes are spans with a run each, but for every fifth, a millisecond after one another.
func (b *lookupBench) soughtOnes(t *testing.T, n int) (spans []sought, want map[key][]string) {
	want = make(map[key][]string)
	for i := range n {
		s := sought{spanOf(i), int64(1000 + i)}
		spans = append(spans, s)
		if i%5 != 0 {
			want[s.key] = []string{b.run(t, s.key, s.start)}
		}
	}
	return spans, want
}

func TestRunsOfManySpansAreFoundInOneSearch(t *testing.T) {
	b := newLookupBench(t)
	spans, want := b.soughtOnes(t, lookAtOnce)
	want[spans[1].key] = append(want[spans[1].key], b.run(t, spans[1].key, spans[1].start)) // a second one
	b.run(t, key{trace: spans[2].trace, span: [8]byte{9}}, spans[2].start)                  // another's
	_, err := b.client.CreateRun(t.Context(), tracking.NewRun{ExperimentID: b.experiment, StartTime: spans[2].start})
	require.NoError(t, err) // a run of a person
	slices.Reverse(spans)

	found, searches := b.lookUp(t, spans...)
	assert.Equal(t, want, found)
	assert.Equal(t, 1, searches)

	found, searches = b.lookUp(t, spans[0], spans[3], spans[0], spans[3]) // the same ones twice
	assert.Equal(t, map[key][]string{spans[0].key: want[spans[0].key], spans[3].key: want[spans[3].key]}, found)
	assert.Equal(t, 1, searches)

	found, searches = b.lookUp(t)
	assert.Empty(t, found)
	assert.Zero(t, searches)
}

func TestRunsAmongRunsOfOthersAreFound(t *testing.T) {
	for name, test := range map[string]struct {
		others        int
		first, period int64 // when they start
		searches      int
	}{
		"before":                 {200, 0, 1000, 1},
		"not too many":           {70, 1000, 8, 1},
		"more, evenly":           {200, 1000, 8, 1 + 5}, // the last three are in the list
		"more, before the last":  {100, 1004, 1, 1 + 1 + 4},
		"more, at the end":       {100, 1007, 1, 1 + 8},
		"more, at the beginning": {100, 1000, 1, 1 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newLookupBench(t)
			spans, want := b.soughtOnes(t, 8)
			for i := range test.others {
				b.run(t, spanOf(1000+i), test.first+int64(i)%test.period)
			}
			found, searches := b.lookUp(t, spans...)
			assert.Equal(t, want, found)
			assert.Equal(t, test.searches, searches)
		})
	}
}

func TestRunsOfSpansWithoutAStartAreFoundByTheirTag(t *testing.T) {
	b := newLookupBench(t)
	spans, want := b.soughtOnes(t, 5)
	for i := range 3 {
		spans[i].start = int64(-i)
	}
	found, searches := b.lookUp(t, spans...)
	assert.Equal(t, want, found)
	assert.Equal(t, 5, searches)
}

func TestSpansOfAnEarlierProcessAreLookedForTogether(t *testing.T) {
	b := newBench(t, nil)
	batch := llmCalls(lookAtOnce, "tech_educator", "viral_content_creator")
	require.NoError(t, b.push(t.Context(), batch))
	require.Zero(t, b.fake.Calls("runs/search"))

	b.again(t, func(c *Config) { c.Dedupe = DedupeAlways })
	require.NoError(t, b.push(t.Context(), batch))
	requireWritten(t, b.fake, 2*lookAtOnce)
	assert.Equal(t, 2*lookAtOnce, b.fake.Calls("runs/create"))
	assert.LessOrEqual(t, b.fake.Calls("runs/search"), 4, "two experiments, each in up to two parts")
}

// The spans are looked for by themselves when they could not be together.
func TestALookUpThatFailsCostsNothing(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Dedupe = DedupeAlways })
	failures := 0
	b.fake.SetFault(func(call string) trackingtest.Fault {
		if call == "runs/search" && failures == 0 {
			failures++
			return trackingtest.Fault{Status: http.StatusServiceUnavailable}
		}
		return trackingtest.Fault{}
	})
	batch := llmCalls(5, "tech_educator")
	require.NoError(t, b.push(t.Context(), batch))
	requireWritten(t, b.fake, 5)
	assert.Equal(t, 6, b.fake.Calls("runs/search"))
}

// What an attempt left undone is looked for together too.
func TestSpansWhoseOutcomeIsUnknownAreLookedForTogether(t *testing.T) {
	b := newBench(t, nil)
	b.fake.SetFault(func(call string) trackingtest.Fault { return trackingtest.Fault{LoseAnswer: call == "runs/create"} })
	batch := llmCalls(10, "tech_educator")
	require.Error(t, b.push(t.Context(), batch))
	require.Len(t, b.fake.Runs(), 10)
	b.fake.SetFault(nil)
	require.NoError(t, b.push(t.Context(), batch))
	requireWritten(t, b.fake, 10)
	assert.Equal(t, 1, b.fake.Calls("runs/search"))
}

// Spans that all started at once have to be searched by themselves, and one search in five fails.
func TestDoubtsAreSettledThroughFaults(t *testing.T) {
	b := newLookupBench(t)
	doubts := newDoubts(b.client, time.Minute, storage.NewNopClient(), b.telemetryBuilder(), zap.NewNop())
	for i := range (lookAtOnce + 5) * maxPerSpan {
		id := b.run(t, spanOf(i), 5000)
		require.NoError(t, b.client.UpdateRun(t.Context(), id, tracking.StatusFinished, 5001))
	}
	for i := range 2 * lookAtOnce {
		doubts.add(t.Context(), sought{spanOf(i), 5000}, b.experiment)
	}
	searches := 0
	b.fake.SetFault(func(string) trackingtest.Fault {
		if searches++; searches%5 == 0 {
			return trackingtest.Fault{Status: http.StatusServiceUnavailable}
		}
		return trackingtest.Fault{}
	})
	for range 10 {
		doubts.settleDue(t.Context(), time.Now().Add(time.Hour))
	}
	assert.Zero(t, doubts.waiting())
}

func TestDoubtsAreSettledTogether(t *testing.T) {
	b := newLookupBench(t)
	doubts := newDoubts(b.client, time.Minute, storage.NewNopClient(), b.telemetryBuilder(), zap.NewNop())
	spans, want := b.soughtOnes(t, 2*lookAtOnce+1)
	for _, s := range spans {
		for _, id := range want[s.key] {
			require.NoError(t, b.client.UpdateRun(t.Context(), id, tracking.StatusFinished, s.start+1))
		}
		doubts.add(t.Context(), s, b.experiment)
	}
	second := b.run(t, spans[1].key, spans[1].start)
	doubts.settleDue(t.Context(), time.Now().Add(time.Hour))
	assert.Equal(t, 3, b.fake.Calls("runs/search"))
	assert.EqualValues(t, 1, doubts.waiting(), "that the first was kept is looked at once more")
	found, _ := b.lookUp(t, spans...)
	assert.Equal(t, want, found)
	assert.NotContains(t, found[spans[1].key], second)
	doubts.settleDue(t.Context(), time.Now().Add(2*time.Hour))
	assert.Zero(t, doubts.waiting())
}
