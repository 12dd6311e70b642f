// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/tidwall/gjson"
)

// Values of the status of a response.
const (
	statusQueued     = "queued"
	statusInProgress = "in_progress"
	statusCompleted  = "completed"
	statusIncomplete = "incomplete"
)

// Bodies of the Responses API, in the field order of the real one.
type (
	responseBody struct {
		ID                 string          `json:"id"`
		Object             string          `json:"object"`
		CreatedAt          int64           `json:"created_at"`
		Status             string          `json:"status"`
		Background         bool            `json:"background"`
		Error              *struct{}       `json:"error"`
		IncompleteDetails  *incomplete     `json:"incomplete_details"`
		Instructions       *string         `json:"instructions"`
		MaxOutputTokens    *float64        `json:"max_output_tokens"`
		Model              string          `json:"model"`
		Output             []outputItem    `json:"output"`
		ParallelToolCalls  bool            `json:"parallel_tool_calls"`
		PreviousResponseID *string         `json:"previous_response_id"`
		ServiceTier        string          `json:"service_tier"`
		Store              bool            `json:"store"`
		Temperature        float64         `json:"temperature"`
		ToolChoice         json.RawMessage `json:"tool_choice"`
		Tools              json.RawMessage `json:"tools"`
		TopP               float64         `json:"top_p"`
		Usage              *responseUsage  `json:"usage"`
		Metadata           struct{}        `json:"metadata"`
	}
	incomplete struct {
		Reason string `json:"reason"`
	}
	// outputItem is a message, or a function call.
	outputItem struct {
		ID        string       `json:"id"`
		Type      string       `json:"type"`
		Status    string       `json:"status"`
		Content   []outputText `json:"content,omitempty"`
		Role      string       `json:"role,omitempty"`
		Arguments *string      `json:"arguments,omitempty"`
		CallID    string       `json:"call_id,omitempty"`
		Name      string       `json:"name,omitempty"`
	}
	outputText struct {
		Type        string     `json:"type"`
		Annotations []struct{} `json:"annotations"`
		Logprobs    []struct{} `json:"logprobs"`
		Text        string     `json:"text"`
	}
	responseUsage struct {
		InputTokens        int `json:"input_tokens"`
		InputTokensDetails struct {
			CachedTokens int `json:"cached_tokens"`
		} `json:"input_tokens_details"`
		OutputTokens        int `json:"output_tokens"`
		OutputTokensDetails struct {
			ReasoningTokens int `json:"reasoning_tokens"`
		} `json:"output_tokens_details"`
		TotalTokens int `json:"total_tokens"`
	}
)

// responseRequest is what the stand-in reads of a request to the Responses API.
type responseRequest struct {
	Model              string          `json:"model"`
	Input              inputItems      `json:"input"`
	Instructions       *string         `json:"instructions"`
	Stream             bool            `json:"stream"`
	MaxOutputTokens    *float64        `json:"max_output_tokens"`
	Temperature        *float64        `json:"temperature"`
	TopP               *float64        `json:"top_p"`
	Tools              json.RawMessage `json:"tools"`
	ToolChoice         json.RawMessage `json:"tool_choice"`
	ParallelToolCalls  *bool           `json:"parallel_tool_calls"`
	PreviousResponseID *string         `json:"previous_response_id"`
	Background         bool            `json:"background"`
	Store              *bool           `json:"store"`
}

// inputItems is an input, as the messages of a chat that say the same.
type inputItems []message

// UnmarshalJSON takes a text, or a list of items. Items that are neither messages nor function calls nor their outputs are
// left out.
func (m *inputItems) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*m = inputItems{{Role: "user", Content: content{Text: text}}}
		return nil
	}
	var items []struct {
		message
		Type      string `json:"type"`
		CallID    string `json:"call_id"`
		Arguments string `json:"arguments"`
		Output    string `json:"output"`
	}
	if err := json.Unmarshal(data, &items); err != nil {
		return err
	}
	*m = inputItems{}
	for _, item := range items {
		switch item.Type {
		case "", "message":
			*m = append(*m, item.message)
		case "function_call":
			call := toolCall{ID: item.CallID, Type: "function", Function: functionCall{Name: item.Name, Arguments: item.Arguments}}
			*m = append(*m, message{Role: "assistant", ToolCalls: []toolCall{call}})
		case "function_call_output":
			*m = append(*m, message{Role: "tool", Content: content{Text: item.Output}})
		}
	}
	return nil
}

// storedResponse is a response that can be fetched, and that another one can follow.
type storedResponse struct {
	messages []message // all that the model was told, and its answer
	body     responseBody
}

// readResponse reads a request to POST /responses.
func (s *Server) readResponse(body []byte) (request, func() answer, *apiError) {
	var read responseRequest
	var req request
	refusal := decode(body, &read, &req.digest)
	req = read.chat(req.digest)
	if refusal == nil {
		refusal = req.checkParameters(chatModel)
	}
	if refusal == nil && len(read.Input) == 0 {
		refusal = invalid("input", "missing_required_parameter", "Missing required parameter: 'input'.")
	}
	var before []message
	if refusal == nil && read.PreviousResponseID != nil {
		before, refusal = s.conversation(*read.PreviousResponseID)
	}
	// Instructions are those of this request; what was said before is not repeated in it.
	system := len(req.Messages) - len(read.Input)
	req.Messages = slices.Concat(req.Messages[:system], before, read.Input)
	if refusal == nil {
		refusal = req.checkMessages()
	}
	return req, func() answer {
		c := complete(req, "resp_")
		whole := read.body(req, c)
		s.store(req.Messages[system:], c, whole)
		a := answer{id: c.id, usage: c.usage, usageSent: true, pieces: c.pieces()}
		switch {
		case read.Background:
			queued := whole.begun(statusQueued)
			a.body, a.usageSent = queued, false
			a.events = []event{{"response.created", responseEvent{Type: "response.created", Response: &queued}}}
		case req.Stream:
			a.events = whole.events(c)
		default:
			a.body = whole
		}
		return a
	}, refusal
}

// chat is the chat completion request that asks the same.
func (r responseRequest) chat(d digest) request {
	req := request{
		Model: r.Model, Stream: r.Stream, MaxCompletionTokens: r.MaxOutputTokens, Temperature: r.Temperature, TopP: r.TopP,
		ToolChoice: r.ToolChoice, ParallelToolCalls: r.ParallelToolCalls, digest: d,
	}
	if r.Instructions != nil {
		req.Messages = []message{{Role: "system", Content: content{Text: *r.Instructions}}}
	}
	gjson.ParseBytes(r.Tools).ForEach(func(_, tool gjson.Result) bool {
		if tool.Get("type").Str == "function" {
			var t toolParam
			_ = json.Unmarshal([]byte(tool.Raw), &t.Function) // what cannot be read is left out
			req.Tools = append(req.Tools, t)
		}
		return true
	})
	if name := gjson.GetBytes(r.ToolChoice, "name"); name.Exists() {
		req.ToolChoice = json.RawMessage(`{"function":{"name":` + name.Raw + `}}`)
	}
	req.Messages = append(req.Messages, r.Input...)
	return req
}

func (r responseRequest) body(req request, c completion) responseBody {
	or := func(v *float64) float64 {
		if v == nil {
			return 1
		}
		return *v
	}
	b := responseBody{
		ID: c.id, Object: "response", CreatedAt: created, Status: statusCompleted, Background: r.Background,
		Instructions: r.Instructions, MaxOutputTokens: r.MaxOutputTokens, Model: c.model.version,
		ParallelToolCalls: r.ParallelToolCalls == nil || *r.ParallelToolCalls, PreviousResponseID: r.PreviousResponseID,
		ServiceTier: "default", Store: r.Store == nil || *r.Store, Temperature: or(r.Temperature), TopP: or(r.TopP),
		ToolChoice: r.ToolChoice, Tools: r.Tools,
		Usage: &responseUsage{
			InputTokens: c.usage.PromptTokens, OutputTokens: c.usage.CompletionTokens, TotalTokens: c.usage.TotalTokens,
		},
	}
	if b.ToolChoice == nil {
		b.ToolChoice = json.RawMessage(`"auto"`)
	}
	if b.Tools == nil {
		b.Tools = json.RawMessage(`[]`)
	}
	choice := c.choices[0]
	for i, call := range choice.toolCalls {
		b.Output = append(b.Output, outputItem{
			ID: req.digest.sub(i).id("fc_", 48), Type: "function_call", Status: statusCompleted,
			Arguments: new(call.Function.Arguments), CallID: call.ID, Name: call.Function.Name,
		})
	}
	if len(choice.toolCalls) == 0 {
		b.Output = []outputItem{{
			ID: req.digest.id("msg_", 48), Type: "message", Status: statusCompleted, Role: "assistant",
			Content: []outputText{newOutputText(choice.text())},
		}}
	}
	if choice.finishReason == finishLength {
		b.Status, b.IncompleteDetails = statusIncomplete, &incomplete{"max_output_tokens"}
		b.Output[0].Status = statusIncomplete
	}
	return b
}

func newOutputText(text string) outputText {
	return outputText{Type: "output_text", Annotations: []struct{}{}, Logprobs: []struct{}{}, Text: text}
}

// begun is the response before there is anything of its output.
func (b responseBody) begun(status string) responseBody {
	b.Status, b.IncompleteDetails, b.Output, b.Usage = status, nil, []outputItem{}, nil
	if status == statusInProgress {
		b.ServiceTier = "auto"
	}
	return b
}

// conversation returns what was said up to and with a response.
func (s *Server) conversation(id string) ([]message, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, found := s.responses[id]
	if !found {
		return nil, invalid("previous_response_id", "previous_response_not_found", "Previous response with id '"+id+"' not found.")
	}
	return stored.messages, nil
}

func (s *Server) store(said []message, c completion, body responseBody) {
	if !body.Store {
		return
	}
	answer := message{Role: "assistant", Content: content{Text: c.choices[0].text()}, ToolCalls: c.choices[0].toolCalls}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.responses[c.id] = storedResponse{messages: append(slices.Clip(said), answer), body: body}
}

// getResponse serves GET /responses/{id}.
func (s *Server) getResponse(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s.mu.Lock()
	stored, found := s.responses[id]
	s.mu.Unlock()
	if !found {
		s.refuse(w, callOf(r), errNotFound("Response", id))
		return
	}
	s.answer(w, r, id, stored.body)
}
