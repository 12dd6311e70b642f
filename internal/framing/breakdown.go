// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

// Breakdown is a count in two parts, so that an evaluation can fit the constants of the rules to recordings anew.
type Breakdown struct {
	Count     Count            // with the constants as they are
	Tokens    int64            // of everything else
	Constants map[string]int64 // how often each constant that is not zero is part of the count; its name has that of its rules before it
}

// BreakInput is [Input] in parts.
func BreakInput(call Call, counter Counter) Breakdown { return breakDown(input(call, counter)) }

// BreakOutput is [Output] in parts.
func BreakOutput(call Call, counter Counter) Breakdown { return breakDown(output(call, counter)) }

func breakDown(t *tally, reason Reason) Breakdown {
	if reason != "" {
		return Breakdown{Count: Count{Reason: reason}}
	}
	b := Breakdown{Count: t.count(), Tokens: t.tokens, Constants: make(map[string]int64)}
	for c, n := range t.used {
		if n > 0 && t.rules.constants[c] != 0 {
			b.Constants[t.rules.nameOf(constant(c))] = n
		}
	}
	return b
}
