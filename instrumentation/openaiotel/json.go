// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel/attribute"
)

const (
	// maxJSONDepth bounds the recursion of the JSON validator, which has no bound of its own: a stack that outgrows its
	// limit cannot be recovered from.
	maxJSONDepth = 1000
	// maxNameLength bounds the attributes that name something (a model, an id, a persona), in bytes. OpenAI's longest are
	// below 100; what is longer is no name.
	maxNameLength = 1024
)

// parseObject returns the JSON object in data, or a Result that does not exist when data is anything else. The Result and
// all that is read from it alias data: what outlives data goes through [text].
func parseObject(data []byte) gjson.Result {
	if len(data) == 0 || tooDeep(data) || !gjson.ValidBytes(data) {
		return gjson.Result{}
	}
	value := gjson.Parse(unsafe.String(&data[0], len(data))) //nolint:gosec // data is not written to while the Result is in use
	if !value.IsObject() {
		return gjson.Result{}
	}
	return value
}

func tooDeep(data []byte) bool {
	// Brackets bound the depth from above, and counting them is many times faster than following it.
	if bytes.Count(data, []byte{'{'})+bytes.Count(data, []byte{'['}) <= maxJSONDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case b == '"':
			quoted = !quoted
		case quoted:
			if b == '\\' {
				i++
			}
		case b == '{' || b == '[':
			if depth++; depth > maxJSONDepth {
				return true
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return false
}

// text returns the string in v as valid UTF-8 that shares no memory with the document, and "" when v is no string.
func text(v gjson.Result) string {
	if v.Type != gjson.String {
		return ""
	}
	return strings.Clone(strings.ToValidUTF8(v.Str, "\uFFFD"))
}

// validText is a text that every exporter can send.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// name is [text] for a value that names something: "" when it is too long for that.
func name(v gjson.Result) string {
	if len(v.Str) > maxNameLength {
		return ""
	}
	return text(v)
}

// appendName appends a string attribute unless the value is empty or too long for a name.
func appendName(attrs []attribute.KeyValue, key attribute.Key, value string) []attribute.KeyValue {
	if value == "" || len(value) > maxNameLength {
		return attrs
	}
	return append(attrs, key.String(strings.ToValidUTF8(value, "\uFFFD")))
}

// count is a number of tokens or choices, or the absence of one: zero is a value.
type count struct {
	n     int64
	known bool
}

// readCount is absent for everything but a whole number that is not negative.
func readCount(v gjson.Result) count {
	if v.Type != gjson.Number || v.Num < 0 || v.Num > math.MaxInt64/2 || v.Num != math.Trunc(v.Num) {
		return count{}
	}
	return count{n: v.Int(), known: true}
}

func (c count) appendTo(attrs []attribute.KeyValue, key attribute.Key) []attribute.KeyValue {
	if !c.known {
		return attrs
	}
	return append(attrs, key.Int64(c.n))
}

// encode returns v as JSON without the escapes that only HTML needs.
func encode(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.ToValidUTF8(strings.TrimSuffix(b.String(), "\n"), "\uFFFD"), nil
}
