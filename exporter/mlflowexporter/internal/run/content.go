// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
)

// Content says how much of prompts and responses is written.
type Content string

// How much of prompts and responses is written.
const (
	ContentFull Content = "full" // all of it, as far as a param can hold
	ContentHash Content = "hash" // "sha256:" and the first 16 hexadecimal digits of the whole text's SHA-256
	ContentOff  Content = "off"  // nothing
)

// Contents are the values that Content can have.
var Contents = []Content{ContentFull, ContentHash, ContentOff}

// param is the value that stands for a text, empty if the text is.
func (c Content) param(text string, max int) string {
	switch {
	case text == "" || c == ContentOff:
		return ""
	case c == ContentHash:
		sum := sha256.Sum256([]byte(text))
		return "sha256:" + hex.EncodeToString(sum[:8])
	default:
		return cut(clean(text), max)
	}
}

// promptText is the text of everything that was sent. One user message and nothing else is its text; otherwise every
// message has a heading.
func promptText(m genai.Messages) string {
	if len(m.System) == 0 && len(m.Input) == 1 && m.Input[0].Role == "user" {
		return partsText(m.Input[0].Parts)
	}
	blocks := make([]string, 0, len(m.Input)+1)
	if len(m.System) > 0 {
		blocks = append(blocks, "[system]\n"+partsText(m.System))
	}
	names := map[string]string{} // tool call id → tool name: a response may carry the id alone
	for _, message := range m.Input {
		for _, part := range message.Parts {
			if part.Kind == genai.PartToolCall {
				names[part.ID] = part.Name
			}
		}
		blocks = append(blocks, messageText(message, names))
	}
	return strings.Join(blocks, "\n\n")
}

// messageText is a message under a heading. Tool calls stand in the heading, as they are all that the message is.
func messageText(message genai.Message, names map[string]string) string {
	heading := message.Role
	if message.Name != "" {
		heading += " " + message.Name
	}
	var calls []string
	var rest []genai.Part
	for _, part := range message.Parts {
		switch {
		case part.Kind == genai.PartToolCall:
			calls = append(calls, callText(part))
		case part.Kind == genai.PartToolCallResponse && message.Name == "" && names[part.ID] != "":
			heading = message.Role + " " + names[part.ID]
			rest = append(rest, part)
		default:
			rest = append(rest, part)
		}
	}
	if len(calls) > 0 {
		heading += " → " + strings.Join(calls, ", ")
	}
	text := "[" + heading + "]"
	if body := partsText(rest); body != "" {
		text += "\n" + body
	}
	return text
}

// responseText is the text of the answer, its choices apart.
func responseText(m genai.Messages) string {
	var b strings.Builder
	for i, choice := range m.Output {
		if i > 0 {
			fmt.Fprintf(&b, "\n\n--- choice %d ---\n\n", i+1)
		}
		b.WriteString(partsText(choice.Parts))
	}
	return b.String()
}

// partsText is the text of parts, one below the other.
func partsText(parts []genai.Part) string {
	lines := make([]string, 0, len(parts))
	for _, part := range parts {
		if text := partText(part); text != "" {
			lines = append(lines, text)
		}
	}
	return strings.Join(lines, "\n")
}

func partText(part genai.Part) string {
	switch part.Kind {
	case genai.PartToolCall:
		return "→ " + callText(part)
	case genai.PartReasoning:
		return "[reasoning] " + part.Text
	case genai.PartBlob:
		return "[" + mediaType(part) + size(part.Size) + "]"
	case genai.PartURI:
		return "[" + mediaType(part) + " " + part.URI + "]"
	case genai.PartFile:
		return "[" + mediaType(part) + " file " + part.ID + "]"
	default:
		return part.Text
	}
}

// callText is a tool call as code.
func callText(part genai.Part) string {
	arguments := part.Arguments
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(arguments)) == nil {
		arguments = compact.String()
	}
	return part.Name + "(" + arguments + ")"
}

func mediaType(part genai.Part) string {
	switch {
	case part.MIMEType != "":
		return part.MIMEType
	case part.Modality != "":
		return part.Modality
	default:
		return "media"
	}
}

func size(bytes int) string {
	switch {
	case bytes == 0:
		return ""
	case bytes < 1000:
		return fmt.Sprintf(" %d B", bytes)
	default:
		return fmt.Sprintf(" %d kB", (bytes+500)/1000)
	}
}

// question is the text of the last user message: what a reader recognises a call by.
func question(m genai.Messages) string {
	for _, message := range slices.Backward(m.Input) {
		if message.Role == "user" {
			return partsText(message.Parts)
		}
	}
	return ""
}

// toolCalls are the calls that the answer asks for.
func toolCalls(m genai.Messages) []genai.Part {
	var calls []genai.Part
	for _, choice := range m.Output {
		for _, part := range choice.Parts {
			if part.Kind == genai.PartToolCall {
				calls = append(calls, part)
			}
		}
	}
	return calls
}
