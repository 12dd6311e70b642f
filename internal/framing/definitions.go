// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// maxSchemaDepth is how deep schemas are rendered; what is deeper counts as "any".
const maxSchemaDepth = 16

// definitions adds the definitions of tools, which are in the prompt as a namespace of TypeScript. The form is that of
// OpenAI's harmony guide, github.com/openai/harmony, and of hmarr/openai-chat-tokens, with what recorded usage shows of it:
// titles as comments, no indentation, and since GPT-4o no space behind "_:". It is exact on nine of ten recorded calls.
func (t *tally) definitions(tools []genai.Tool) {
	t.estimated = true
	if t.model.kind == reasoning && !t.knowsAPI {
		t.miss(ReasonTools)
	}
	argument := "_:"
	if t.model.Encoding == tiktoken.Cl100kBase {
		argument = "_: "
	}
	var b strings.Builder
	b.WriteString("namespace functions {\n\n")
	for i := range tools {
		switch tool := &tools[i]; {
		case tool.Type != "" && tool.Type != "function":
			t.miss(ReasonServerTool)
		case !gjson.Valid(tool.Parameters): // the conventions let emitters leave them out
			t.miss(ReasonTools)
		default:
			writeTool(&b, tool, argument)
		}
	}
	b.WriteString("} // namespace functions")
	t.text(b.String())
}

func writeTool(b *strings.Builder, tool *genai.Tool, argument string) {
	writeComment(b, tool.Description)
	b.WriteString("type " + tool.Name + " = (")
	schema := gjson.Parse(tool.Parameters)
	if properties := schema.Get("properties"); properties.IsObject() && properties.Raw != "{}" {
		b.WriteString(argument)
		if title := schema.Get("title").Str; title != "" {
			writeComment(b, title)
		}
		writeObject(b, schema, 0)
	}
	b.WriteString(") => any;\n\n")
}

func writeComment(b *strings.Builder, text string) {
	if text = strings.TrimSpace(text); text != "" {
		b.WriteString("// " + text + "\n")
	}
}

func writeObject(b *strings.Builder, schema gjson.Result, depth int) {
	required := make(map[string]bool)
	schema.Get("required").ForEach(func(_, name gjson.Result) bool {
		required[name.Str] = true
		return true
	})
	b.WriteString("{\n")
	schema.Get("properties").ForEach(func(name, property gjson.Result) bool {
		if title := property.Get("title").Str; title != "" {
			writeComment(b, title)
			b.WriteString("//\n")
		}
		writeComment(b, property.Get("description").Str)
		b.WriteString(name.Str)
		if !required[name.Str] {
			b.WriteByte('?')
		}
		b.WriteString(": ")
		writeType(b, property, depth+1)
		b.WriteByte(',')
		if value := property.Get("default"); value.Exists() && value.Type != gjson.Null {
			b.WriteString(" // default: " + value.String())
		}
		b.WriteByte('\n')
		return true
	})
	b.WriteByte('}')
}

// typeNames are the types of JSON schemas that have another name in TypeScript.
var typeNames = map[string]string{"integer": "number"}

func writeType(b *strings.Builder, schema gjson.Result, depth int) {
	kind := schema.Get("type")
	switch {
	case depth > maxSchemaDepth:
		b.WriteString("any")
	case schema.Get("enum").IsArray():
		writeUnion(b, schema.Get("enum"), func(value gjson.Result) { b.WriteString(value.Raw) })
	case kind.IsArray():
		writeUnion(b, kind, func(name gjson.Result) { writeTypeName(b, name.Str) })
	case kind.Str == "array":
		if items := schema.Get("items"); items.IsObject() {
			writeType(b, items, depth+1)
		} else {
			b.WriteString("any")
		}
		b.WriteString("[]")
	case kind.Str == "object", schema.Get("properties").IsObject():
		writeObject(b, schema, depth)
	case schema.Get("anyOf").IsArray():
		writeUnion(b, schema.Get("anyOf"), func(one gjson.Result) { writeType(b, one, depth+1) })
	case schema.Get("oneOf").IsArray():
		writeUnion(b, schema.Get("oneOf"), func(one gjson.Result) { writeType(b, one, depth+1) })
	default:
		writeTypeName(b, kind.Str)
	}
}

func writeTypeName(b *strings.Builder, name string) {
	if other, ok := typeNames[name]; ok {
		name = other
	}
	if name == "" {
		name = "any"
	}
	b.WriteString(name)
}

func writeUnion(b *strings.Builder, list gjson.Result, write func(gjson.Result)) {
	first := true
	list.ForEach(func(_, one gjson.Result) bool {
		if !first {
			b.WriteString(" | ")
		}
		first = false
		write(one)
		return true
	})
}
