// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// fields holds for each field the value of the most preferred attribute seen so far.
type fields [numFields]slot

type slot struct {
	value pcommon.Value // of the attribute; not set where text is
	text  string        // a constant, a translation, or a scalar from the attribute's JSON
	from  *attribute    // nil until there is a value
	plus  int64
	rank  uint16
}

// target is an attribute of the tables and how much it is preferred; zero is the most.
type target struct {
	*attribute
	rank uint16
}

func (s *slot) set() bool { return s.from != nil }

// beats reports whether t is to be preferred to what is there.
func (s *slot) beats(t target) bool { return s.set() && s.rank <= t.rank }

// offer takes the value of an attribute if it says something and is preferred to what was offered before.
func (f *fields) offer(t target, value pcommon.Value) {
	s := &f[t.field]
	kind := value.Type()
	if s.beats(t) || kind == pcommon.ValueTypeEmpty || kind == pcommon.ValueTypeStr && value.Str() == "" {
		return
	}
	text := t.constant
	if t.values != nil {
		word, known := "", false
		if kind == pcommon.ValueTypeStr {
			word, known = t.values.translate(unquote(value.Str()))
		}
		if !known {
			return
		}
		text = word
	}
	*s = slot{value: value, text: text, from: t.attribute, rank: t.rank}
}

// offerJSON takes what stands at the attribute's path in document, a JSON text.
func (f *fields) offerJSON(t target, document string) {
	s := &f[t.field]
	if t.plus {
		if s.set() && s.from.key == t.key {
			s.plus += max(0, gjson.Get(document, t.path).Int())
		}
		return
	}
	if s.beats(t) {
		return
	}
	var text string
	switch found := gjson.Get(document, t.path); found.Type {
	case gjson.String:
		text = found.Str
	case gjson.Number, gjson.True, gjson.False:
		text = found.Raw
	default:
		return
	}
	if t.values != nil {
		word, known := t.values.translate(text)
		if !known {
			return
		}
		text = word
	}
	if text != "" {
		*s = slot{value: noValue, text: text, from: t.attribute, rank: t.rank}
	}
}

var noValue = pcommon.NewValueEmpty()

func (f *fields) str(of field) string {
	s := &f[of]
	switch {
	case !s.set():
		return ""
	case s.text != "":
		return s.text
	}
	switch s.value.Type() {
	case pcommon.ValueTypeStr:
		return unquote(s.value.Str())
	case pcommon.ValueTypeInt:
		return strconv.FormatInt(s.value.Int(), 10)
	default:
		return ""
	}
}

func (f *fields) bool(of field) bool {
	s := &f[of]
	if s.set() && s.text == "" && s.value.Type() == pcommon.ValueTypeBool {
		return s.value.Bool()
	}
	return f.str(of) == "true"
}

// float reads an int, a double or a numeric string: emitters disagree. NaN and infinities are no numbers.
func (f *fields) float(of field) Optional[float64] {
	s := &f[of]
	if !s.set() {
		return Optional[float64]{}
	}
	var n float64
	switch {
	case s.text == "" && s.value.Type() == pcommon.ValueTypeDouble:
		n = s.value.Double()
	case s.text == "" && s.value.Type() == pcommon.ValueTypeInt:
		n = float64(s.value.Int())
	default:
		text := f.str(of)
		if !isNumeric(text, "0123456789+-.eE") {
			return Optional[float64]{}
		}
		parsed, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return Optional[float64]{}
		}
		n = parsed
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return Optional[float64]{}
	}
	if s.from.scale != 0 {
		n *= s.from.scale
	}
	return Some(n)
}

// isNumeric reports whether text has nothing but the given characters: strconv allocates an error for what it cannot parse.
func isNumeric(text, characters string) bool {
	for i := range len(text) {
		if strings.IndexByte(characters, text[i]) < 0 {
			return false
		}
	}
	return text != ""
}

// int reads a whole number from an int, a double or a numeric string.
func (f *fields) int(of field) Optional[int64] {
	s := &f[of]
	if !s.set() {
		return Optional[int64]{}
	}
	if s.text == "" && s.value.Type() == pcommon.ValueTypeInt {
		return Some(s.value.Int())
	}
	if text := f.str(of); isNumeric(text, "0123456789+-") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Some(n)
		}
	}
	n := f.float(of)
	if !n.Set || n.Value != math.Trunc(n.Value) || math.Abs(n.Value) > 1<<53 {
		return Optional[int64]{}
	}
	return Some(int64(n.Value))
}

// tokens reads a token count; a negative number is no count.
func (f *fields) tokens(of field) Optional[int64] {
	n := f.int(of)
	if !n.Set || n.Value < 0 {
		return Optional[int64]{}
	}
	n.Value += f[of].plus
	return n
}

// usage reads the token counts, with those of the cache in the input also where the emitter leaves them out.
func (f *fields) usage() Usage {
	u := Usage{
		Input:       f.tokens(inputTokens),
		Output:      f.tokens(outputTokens),
		CacheRead:   f.tokens(cacheReadTokens),
		CacheWrite:  f.tokens(cacheWriteTokens),
		Reasoning:   f.tokens(reasoningTokens),
		AudioInput:  f.tokens(audioInputTokens),
		AudioOutput: f.tokens(audioOutputTokens),
	}
	if u.Input.Set && f[inputTokens].from.withoutCache {
		u.Input.Value += u.CacheRead.Value + u.CacheWrite.Value
	}
	return u
}

// unquote returns the text of a JSON string, and any other text as it is. MLflow writes every attribute as JSON.
func unquote(text string) string {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' || strings.IndexByte(text[1:len(text)-1], '"') >= 0 {
		return text
	}
	return unescape(text[1 : len(text)-1])
}

func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}
