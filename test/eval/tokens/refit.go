// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"maps"
	"slices"
)

// rounds is how often the constants are fitted in turn.
const rounds = 8

// leaveOneOut counts each record with constants that are fitted to the records of all other origins, from nothing. A record
// that needs a constant which no other origin shows has no count.
func leaveOneOut(all []*measured) map[*measured]int64 {
	origins := make(map[string]bool)
	for _, m := range all {
		origins[m.origin] = true
	}
	counts := make(map[*measured]int64)
	for origin := range origins {
		others := slices.Collect(func(yield func(*measured) bool) {
			for _, m := range all {
				if m.origin != origin && m.Count.Known() && !yield(m) {
					return
				}
			}
		})
		constants := fit(others)
		for _, m := range all {
			if m.origin != origin || !m.Count.Known() {
				continue
			}
			if n, ok := m.with(constants); ok {
				counts[m] = n
			}
		}
	}
	return counts
}

// with is the count that constants give; false if one is missing.
func (m *measured) with(constants map[string]int64) (int64, bool) {
	n := m.Tokens
	for name, times := range m.Constants {
		value, ok := constants[name]
		if !ok {
			return 0, false
		}
		n += times * value
	}
	return n, true
}

// fit finds the constants by which most counts are exact, one after the other: first those that stand alone in some
// records, given these the ones that are then alone, and so on; and then each in turn again. Where several always stand
// together, all but one are zero.
func fit(all []*measured) map[string]int64 {
	constants := make(map[string]int64)
	for {
		alone, together := make(map[string][]*measured), make(map[string]bool)
		for _, m := range all {
			switch missing := m.missing(constants); len(missing) {
			case 0:
			case 1:
				alone[missing[0]] = append(alone[missing[0]], m)
			default:
				together[slices.Min(missing)] = true
			}
		}
		if len(alone) == 0 && len(together) == 0 {
			break
		}
		if len(alone) == 0 {
			constants[slices.Min(slices.Collect(maps.Keys(together)))] = 0
		}
		for name, records := range alone {
			constants[name] = best(name, records, constants)
		}
	}
	for range rounds {
		for _, name := range slices.Sorted(maps.Keys(constants)) {
			constants[name] = best(name, all, constants)
		}
	}
	return constants
}

// missing are the constants of the record that have no value yet.
func (m *measured) missing(constants map[string]int64) []string {
	var names []string
	for name := range m.Constants {
		if _, ok := constants[name]; !ok {
			names = append(names, name)
		}
	}
	return names
}

// best is the value of a constant by which most records are exact, given the others; of several the one nearest to their
// middle.
func best(name string, records []*measured, constants map[string]int64) int64 {
	votes := make(map[int64]int)
	var values []int64
	others := maps.Clone(constants)
	others[name] = 0
	for _, m := range records {
		times := m.Constants[name]
		rest, ok := m.with(others)
		if times == 0 || !ok || (m.billed-rest)%times != 0 {
			continue
		}
		value := (m.billed - rest) / times
		votes[value]++
		values = append(values, value)
	}
	if len(values) == 0 {
		return constants[name]
	}
	slices.Sort(values)
	middle := values[len(values)/2]
	return slices.MaxFunc(slices.Sorted(maps.Keys(votes)), func(a, b int64) int {
		return cmp.Or(cmp.Compare(votes[a], votes[b]), cmp.Compare(distance(b, middle), distance(a, middle)))
	})
}

func distance(a, b int64) int64 { return max(a-b, b-a) }
