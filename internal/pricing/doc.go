// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package pricing says what a call of a model costs, by a table of prices.
//
// A [Table] knows providers, their models by every name that a request can use, and for each model what a token of each
// kind costs from when on, above which size of the prompt, and in which service tier. [Embedded] is the table that comes
// with this package; [Parse] reads one in the format of genai-prices or of LiteLLM. Nothing is priced that the table does
// not know: for such a call there is a [Reason] in place of a cost, never zero and never the price of something else.
package pricing
