// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package framing knows which token numbers the provider bills for a call whose content a span shows.
//
// [Models] says what the model of a call is, and so in which encoding its texts are counted; [Input] and [Output] count
// the two sides of the call. A side has a number only where the rule for its shape is known, and the number says how sure
// it is; for any other shape there is a [Reason]. The package does no I/O and reads no vocabulary: the caller brings a
// [Counter]. docs/tokens.md has the rules, what each is derived from, and how close they come; make eval-tokens measures
// that.
package framing
