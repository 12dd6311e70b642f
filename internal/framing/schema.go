// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

const (
	// maxSchemaDepth is how deep schemas are rendered; what is deeper is "any".
	maxSchemaDepth = 16
	// maxSchemaEffort is how many bytes of schemas are looked at for one call, those inside others again. It ends schemas that
	// refer to each other so that they grow without end.
	maxSchemaEffort = 2 << 20
)

// schema is a JSON schema that is rendered as a type of TypeScript.
type schema struct {
	gjson.Result

	whole  gjson.Result // that it is part of
	depth  int          // in the whole
	effort *int         // that is left
}

func newSchema(text string, effort *int) schema {
	whole := gjson.Parse(text)
	return schema{whole, whole, 0, effort}
}

// in returns a schema that is part of s. A reference stands for what it refers to, beside its own keys.
func (s schema) in(part gjson.Result) schema {
	*s.effort -= len(part.Raw)
	for *s.effort >= 0 {
		pointer, ok := strings.CutPrefix(part.Get("$ref").Str, "#")
		if !ok {
			break
		}
		*s.effort -= len(s.whole.Raw)
		part = merged(part, s.at(pointer))
	}
	return schema{part, s.whole, s.depth + 1, s.effort}
}

// at returns what a JSON pointer (RFC 6901) points at in the whole.
func (s schema) at(pointer string) gjson.Result {
	part := s.whole
	for i, name := range strings.Split(pointer, "/") {
		if i > 0 { // what is before the first slash is nothing
			part = part.Get(gjson.Escape(unescape.Replace(name)))
		}
	}
	return part
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// merged has the keys of an object but $ref, and those of another that it lacks.
func merged(object, other gjson.Result) gjson.Result {
	own := map[string]bool{"$ref": true}
	var pairs []string
	object.ForEach(func(key, value gjson.Result) bool {
		if key.Str != "$ref" {
			own[key.Str] = true
			pairs = append(pairs, key.Raw+":"+value.Raw)
		}
		return true
	})
	if len(pairs) == 0 {
		return other
	}
	other.ForEach(func(key, value gjson.Result) bool {
		if !own[key.Str] {
			pairs = append(pairs, key.Raw+":"+value.Raw)
		}
		return true
	})
	return gjson.Parse("{" + strings.Join(pairs, ",") + "}")
}

// typed is the schema as a type; listed says that its variants have a line each.
func (s schema) typed() (typed string, listed bool) {
	types := s.Get("type")
	switch kind := types.Str; {
	case s.depth > maxSchemaDepth, *s.effort < 0:
		return "any", false
	case s.Get("enum").IsArray():
		var values []string
		for _, value := range s.Get("enum").Array() {
			values = append(values, value.Raw)
		}
		return strings.Join(values, " | "), false
	case kind == "array":
		return s.array(), false
	case kind == "object", !types.Exists() && s.Get("properties").IsObject():
		return s.object(), false
	case kind == "integer":
		return "number", false
	case kind != "":
		return kind, false
	}
	return s.union()
}

func (s schema) array() string {
	items := s.Get("items")
	if !items.IsObject() {
		return "any[]"
	}
	item := s.in(items)
	said := item.comment()
	typed, _ := item.typed()
	if said == "" && !strings.Contains(typed, "\n") {
		return typed + "[]"
	}
	return "Array<\n" + said + typed + "\n>"
}

// comment is what is said of the schema.
func (s schema) comment() string {
	said := comment(s.Get("title").Str) + comment(s.Get("description").Str)
	if s.Get("type").Type == gjson.String {
		said += comment(strings.Join(s.limits(), "\n"))
	}
	return said
}

// limits are what a number is between.
func (s schema) limits() []string {
	var limits []string
	for _, name := range limitNames {
		if limit := s.Get(name); limit.Type == gjson.Number {
			text := strconv.FormatFloat(limit.Num, 'f', -1, 64)
			if !strings.Contains(text, ".") {
				text += ".0"
			}
			limits = append(limits, name+": "+text)
		}
	}
	return limits
}

var limitNames = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}

// union is the types that a value can have: on one line or, where something is said of one of them, on one for each.
func (s schema) union() (union string, listed bool) {
	variants := s.variants()
	if len(variants) == 0 {
		return "any", false
	}
	types := make([]string, len(variants))
	lines := make([]string, len(variants))
	for i, variant := range variants {
		types[i], _ = variant.typed()
		lines[i] = " | " + types[i]
		remark := variant.remark()
		if remark != "" {
			lines[i] += " // " + remark
		}
		listed = listed || remark != "" || strings.Contains(types[i], "\n")
	}
	if listed {
		return strings.Join(lines, "\n"), true
	}
	return strings.Join(types, " | "), false
}

func (s schema) variants() []schema {
	for _, name := range []string{"anyOf", "oneOf"} {
		if list := s.Get(name).Array(); len(list) > 0 {
			variants := make([]schema, len(list))
			for i, variant := range list {
				variants[i] = s.in(variant)
			}
			return variants
		}
	}
	var variants []schema
	for _, kind := range s.Get("type").Array() { // each is as the whole, but for its type, and limits, which nothing shows then
		const without = `{"minimum":null,"maximum":null,"exclusiveMinimum":null,"exclusiveMaximum":null,"type":`
		variants = append(variants, s.in(merged(gjson.Parse(without+kind.Raw+`}`), s.Result)))
	}
	return variants
}

// remark is what is said of a variant.
func (s schema) remark() string {
	words := strings.Fields(s.Get("description").Str)
	if format := s.Get("format").Str; format != "" {
		words = append(words, "format:", format)
	}
	return strings.Join(append(words, s.limits()...), " ")
}

// object is the schema as an object: on one line or, where something is said of it or of a property, on several.
func (s schema) object() string {
	required := make(map[string]bool)
	for _, name := range s.Get("required").Array() {
		required[name.Str] = true
	}
	var properties, remarks []string
	said := comment(s.Get("title").Str)
	spread := said != ""
	s.Get("properties").ForEach(func(name, value gjson.Result) bool {
		p := s.in(value)
		property, remark := p.property(name.Str, required[name.Str]), p.byDefault()
		properties, remarks = append(properties, property), append(remarks, remark)
		spread = spread || remark != "" || strings.Contains(property, "\n")
		return true
	})
	if s.Get("additionalProperties").Type == gjson.True {
		properties, remarks = append(properties, "[key: string]: any"), append(remarks, "")
	}
	if !spread {
		return "{ " + strings.Join(properties, ", ") + " }"
	}
	var b strings.Builder
	b.WriteString(said + "{\n")
	for i, property := range properties {
		b.WriteString(property + "," + remarks[i] + "\n")
	}
	b.WriteString("}")
	return b.String()
}

// property is the schema as a property.
func (s schema) property(name string, required bool) string {
	if !required {
		name += "?"
	}
	typed, listed := s.typed()
	if listed {
		typed = "\n" + typed + " "
	}
	return s.comment() + name + ": " + typed
}

// byDefault is what is said of the value that a property has by default.
func (s schema) byDefault() string {
	value := s.Get("default")
	switch {
	case !value.Exists():
		return ""
	case s.Get("enum").IsArray():
		return " // default: " + value.String()
	default:
		return " // default: " + value.Raw
	}
}
