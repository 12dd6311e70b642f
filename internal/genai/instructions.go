// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

// readSystem reads instructions: text, parts, or messages.
func readSystem(v value) []Part {
	switch {
	case v.isArray():
		var all []Part
		v.each(func(_ string, item value) {
			if item.get("role") != "" || item.get("parts") != "" {
				all = append(all, readMessage(item, "system").Parts...)
			} else {
				all = append(all, readPart(item))
			}
		})
		return all
	case v.isObject() && (v.get("parts") != "" || v.get("role") != ""):
		return readMessage(v, "system").Parts
	case v.isObject():
		return []Part{readPart(v)}
	case v.text() != "":
		return []Part{{Kind: PartText, Text: v.text()}}
	}
	return nil
}

// readTools reads tool definitions in the shapes of OpenAI, Anthropic, Gemini and the conventions.
func readTools(list value) []Tool {
	var all []Tool
	list.each(func(_ string, item value) {
		if item.isString() { // the Vercel AI SDK writes each as JSON
			item, _ = parse(item.text())
		}
		if declarations := firstOf(item.get("function_declarations"), item.get("functionDeclarations")); declarations.isArray() {
			all = append(all, readTools(declarations)...)
			return
		}
		if item.isObject() {
			all = append(all, readTool(item))
		}
	})
	return all
}

func readTool(item value) Tool {
	var t Tool
	item.each(func(key string, v value) {
		switch key {
		case "type":
			t.Type = v.text()
		case "name":
			t.Name = v.text()
		case "description":
			t.Description = v.text()
		case "parameters", "input_schema", "inputSchema", "parameters_json_schema":
			t.Parameters = v.text()
		case "function":
			inner := readTool(v)
			t.Name, t.Description, t.Parameters = inner.Name, inner.Description, inner.Parameters
		}
	})
	return t
}
