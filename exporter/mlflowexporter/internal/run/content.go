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
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
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

// messages is what was said in the call. It is nothing where content is off, so that nothing made of it can let content out.
func (b *Builder) messages(s *Span) genai.Messages {
	if b.Content == ContentOff {
		return genai.Messages{}
	}
	if s.Call.Operation == semconv.OperationRetrieval {
		return exchange(s.attribute(semconv.GenAIRetrievalQueryText), s.attribute(semconv.GenAIRetrievalDocuments))
	}
	return s.Call.Messages()
}

// exchange is a question and its answer.
func exchange(question, answer string) genai.Messages {
	say := func(role, text string) []genai.Message {
		if text == "" {
			return nil
		}
		return []genai.Message{{Role: role, Parts: []genai.Part{{Kind: genai.PartText, Text: text}}}}
	}
	return genai.Messages{Input: say("user", question), Output: say("assistant", answer)}
}

// Artifacts of a run whose prompt or response is cut in its param.
const (
	artifactPrompt   = "prompt.txt"
	artifactResponse = "response.md"
	artifactMessages = "messages.json"
)

// said is the prompt and the response as params, and what is kept beside them where they are cut.
type said struct {
	prompt, response string
	lengths          []Pair // tags: the whole lengths, in characters, of what is cut
	artifacts        []Artifact
}

func (b *Builder) said(messages genai.Messages, artifacts bool) said {
	var all said
	keep := func(tag, text, artifact string) string {
		if b.Content == ContentHash {
			return hash(text)
		}
		if !artifacts {
			artifact = ""
		}
		whole := clean(text)
		value := cut(whole, b.MaxValue, artifact)
		if len(value) == len(whole) {
			return whole
		}
		all.lengths = append(all.lengths, Pair{tag, strconv.Itoa(utf8.RuneCountInString(whole))})
		if artifacts {
			all.artifacts = append(all.artifacts, Artifact{artifact, whole})
		}
		return value
	}
	all.prompt = keep("prompt_length", promptText(messages), artifactPrompt)
	all.response = keep("response_length", responseText(messages), artifactResponse)
	if all.artifacts != nil {
		all.artifacts = append(all.artifacts, Artifact{artifactMessages, jsonText(conversation{asInput(messages), asOutput(messages)})})
	}
	return all
}

// hash stands for a text that is not written, empty if the text is.
func hash(text string) string {
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:8])
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
