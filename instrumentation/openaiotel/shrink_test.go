// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func shrink(document string, cut int) string {
	s := shrinker{out: new(bytes.Buffer), content: "messages"}
	s.write([]byte(document[:cut]))
	s.write([]byte(document[cut:]))
	return string(s.document())
}

func TestShrinker(t *testing.T) {
	long := strings.Repeat(`\\\"x`, 500)
	for document, want := range map[string]string{
		` {"a" : 1, "messages":[{"a":["]}\"\\"]}], "b":"\""} `: `{"a":1,"messages":null,"b":"\""}`,
		`{"messages":"x\\"}`:                      `{"messages":null}`,
		`{"messages":1,"a":[{"content":2}]}`:      `{"messages":null,"a":[{"content":null}]}`,
		`{"a":"` + long + `","b":"` + long + `"}`: `{"a":"","b":""}`,
		`{"a":{"messages":true}}`:                 `{"a":{"messages":null}}`,
		`{"a":"messages","b":"messages"}`:         `{"a":"messages","b":"messages"}`,
		`{"a":"unclosed`:                          `{"a":"unclosed`,
	} {
		for cut := range len(document) + 1 {
			require.Equal(t, want, shrink(document, cut))
		}
	}
}

// FuzzShrinker holds that JSON stays JSON however it is cut, and that what is kept is what was there.
func FuzzShrinker(f *testing.F) {
	f.Add(`{"model":"m","messages":[{"content":"\\"}],"a":[1,2,{"b":"\u0022"}]}`, 20)
	f.Add(`{"content":{"a":"}"},"b":"`+strings.Repeat("x", 1100)+`"}`, 1060)
	f.Add(`[{"`, 1)
	f.Fuzz(func(t *testing.T, document string, cut int) {
		if cut < 0 || cut > len(document) {
			cut = 0
		}
		got := shrink(document, cut)
		require.Equal(t, got, shrink(document, 0))
		var whole, left map[string]any
		if json.Unmarshal([]byte(document), &whole) != nil {
			return
		}
		require.NoError(t, json.Unmarshal([]byte(got), &left), got)
		require.Len(t, left, len(whole))
		if model, ok := whole["model"].(string); ok && len(model) <= maxNameLength/6 {
			require.Equal(t, model, left["model"])
		}
	})
}
