// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

// Messages is the content of a call. A part that the span does not carry is nil.
type Messages struct {
	// System is the instructions that stand apart from the chat history.
	System []Part
	// Input is the chat history that was sent, oldest first.
	Input []Message
	// Output has one message per choice.
	Output []Message
	// Tools are the definitions of the tools that the model may call.
	Tools []Tool
	// Truncated is true where content was cut: its JSON ends in the middle, an SDK dropped attributes or events, a text has
	// exactly the length of a usual limit, or there is more than was asked for. What is left is given.
	Truncated bool
	// TruncatedInput and TruncatedOutput say which side was cut: System, Input and Tools, or Output.
	TruncatedInput  bool
	TruncatedOutput bool
	// Broken is true where JSON was cut before it said what kind of part it was in the middle of, which is then taken for text,
	// and where JSON was not only cut, which is given as the text of one message: it may have more tokens than the whole.
	Broken bool
}

// Message is one entry of a chat history, or one choice of an answer.
type Message struct {
	Role         string // "system", "user", "assistant", "tool", …
	Name         string // of the participant, usually empty
	Parts        []Part
	FinishReason string // of a choice
}

// PartKind says what a part of a message is. Kinds that are not listed are passed on by the name the span gives them.
type PartKind string

// The kinds of parts in the message schemas of the GenAI conventions, and refusals.
const (
	PartText             PartKind = "text"
	PartReasoning        PartKind = "reasoning"
	PartToolCall         PartKind = "tool_call"
	PartToolCallResponse PartKind = "tool_call_response"
	PartBlob             PartKind = "blob"
	PartURI              PartKind = "uri"
	PartFile             PartKind = "file"
	PartServerToolCall   PartKind = "server_tool_call" // of a tool that the provider runs; Text is its JSON
	PartRefusal          PartKind = "refusal"          // why the model does not answer; not in the conventions
	PartTokens           PartKind = "tokens"           // input of embeddings that is tokens; Text is a JSON list of their ids, or one
)

// Part is a piece of a message.
type Part struct {
	Kind PartKind
	// Text of a text or reasoning part; the result of a tool, as text or JSON; the JSON of a part of another kind.
	Text string
	// ID of a tool call, the same on the call and on its response; the id of a file.
	ID string
	// Name of the tool called.
	Name string
	// Arguments of a tool call as JSON, in the emitter's own spelling.
	Arguments string
	// Modality of media: "image", "audio", "video", "document".
	Modality string
	// MIMEType of media, empty if unknown.
	MIMEType string
	// URI of media that is not part of the message.
	URI string
	// Size of media in bytes, zero if unknown.
	Size int
	// Width and Height of an image in pixels, zero if unknown: of images that the message carries itself, as PNG, JPEG or GIF.
	Width, Height int
}

// Tool is a tool definition.
type Tool struct {
	Type        string // "function", …
	Name        string
	Description string
	Parameters  string // JSON schema, empty if unknown
}

// sayAnything reports whether any part of the messages holds anything.
func sayAnything(messages []Message) bool {
	for i := range messages {
		for j := range messages[i].Parts {
			if p := &messages[i].Parts[j]; p.Text != "" || p.Name != "" || p.URI != "" || p.ID != "" || p.Size > 0 {
				return true
			}
		}
	}
	return false
}
