// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
)

// Bodies of the Files and Batch APIs.
type (
	fileBody struct {
		ID        string `json:"id"`
		Object    string `json:"object"`
		Bytes     int    `json:"bytes"`
		CreatedAt int64  `json:"created_at"`
		Filename  string `json:"filename"`
		Purpose   string `json:"purpose"`
		Status    string `json:"status"`
	}
	batchBody struct {
		ID               string         `json:"id"`
		Object           string         `json:"object"`
		Endpoint         string         `json:"endpoint"`
		Errors           *struct{}      `json:"errors"`
		InputFileID      string         `json:"input_file_id"`
		CompletionWindow string         `json:"completion_window"`
		Status           string         `json:"status"`
		OutputFileID     string         `json:"output_file_id,omitempty"`
		ErrorFileID      string         `json:"error_file_id,omitempty"`
		CreatedAt        int64          `json:"created_at"`
		CompletedAt      int64          `json:"completed_at"`
		RequestCounts    batchCounts    `json:"request_counts"`
		Usage            *responseUsage `json:"usage,omitempty"`
	}
	batchCounts struct {
		Total     int `json:"total"`
		Completed int `json:"completed"`
		Failed    int `json:"failed"`
	}
	batchLine struct {
		CustomID string          `json:"custom_id"`
		Method   string          `json:"method"`
		URL      string          `json:"url"`
		Body     json.RawMessage `json:"body"`
	}
	resultLine struct {
		ID       string     `json:"id"`
		CustomID string     `json:"custom_id"`
		Response lineResult `json:"response"`
		Error    *struct{}  `json:"error"`
	}
	lineResult struct {
		StatusCode int             `json:"status_code"`
		RequestID  string          `json:"request_id"`
		Body       json.RawMessage `json:"body"`
	}
)

// batchSeconds is how long a batch took.
const batchSeconds = 60

// batchEndpoints are those that a batch may ask for, among those that there are.
var batchEndpoints = []string{"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings"}

// createFile serves POST /files.
func (s *Server) createFile(w http.ResponseWriter, r *http.Request) {
	file, header, err := r.FormFile("file")
	if err != nil {
		s.refuse(w, callOf(r), invalid("file", "missing_required_parameter", "Missing required parameter: 'file'."))
		return
	}
	defer file.Close()
	data, err := io.ReadAll(http.MaxBytesReader(w, file, maxBodyBytes))
	if err != nil {
		s.refuse(w, callOf(r), errTooLarge)
		return
	}
	id := s.keep(data)
	s.answer(w, r, id, fileBody{
		ID: id, Object: "file", Bytes: len(data), CreatedAt: created, Filename: header.Filename, Purpose: r.FormValue("purpose"), Status: "processed",
	})
}

// keep stores a file under an id that its content gives it.
func (s *Server) keep(data []byte) string {
	id := newDigest(data).id("file-", 22)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[id] = data
	return id
}

func (s *Server) file(id string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, found := s.files[id]
	return data, found
}

// getFile serves GET /files/{id}/content.
func (s *Server) getFile(w http.ResponseWriter, r *http.Request) {
	call := callOf(r)
	call.ID, call.Status = r.PathValue("id"), http.StatusOK
	data, found := s.file(call.ID)
	if !found {
		s.refuse(w, callOf(r), errNotFound("File", call.ID))
		return
	}
	s.record(call)
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(data)
}

// createBatch serves POST /batches. The batch is over at once.
func (s *Server) createBatch(w http.ResponseWriter, r *http.Request) {
	body, refusal := readBody(w, r)
	var read struct {
		InputFileID      string `json:"input_file_id"`
		Endpoint         string `json:"endpoint"`
		CompletionWindow string `json:"completion_window"`
	}
	var d digest
	if refusal == nil {
		refusal = decode(body, &read, &d)
	}
	input, found := s.file(read.InputFileID)
	switch {
	case refusal != nil:
	case !found:
		refusal = errNotFound("File", read.InputFileID)
	case !slices.Contains(batchEndpoints, read.Endpoint):
		refusal = invalid("endpoint", "invalid_value", "Invalid value: '"+read.Endpoint+"'. Supported values are: '"+strings.Join(batchEndpoints, "', '")+"'.")
	}
	if refusal != nil {
		s.refuse(w, callOf(r), refusal)
		return
	}
	b := batchBody{
		ID: d.id("batch_", 32), Object: "batch", Endpoint: read.Endpoint, InputFileID: read.InputFileID,
		CompletionWindow: read.CompletionWindow, Status: statusCompleted, CreatedAt: created, CompletedAt: created + batchSeconds,
	}
	s.run(&b, input)
	s.mu.Lock()
	s.batches[b.ID] = b
	s.mu.Unlock()
	s.answer(w, r, b.ID, b)
}

// run asks this server for every line of a file. Results come in another order than requests, as those of the real API may.
func (s *Server) run(b *batchBody, input []byte) {
	var output, failures []resultLine
	var usage responseUsage
	for data := range bytes.Lines(input) {
		var line batchLine
		if json.Unmarshal(data, &line) != nil {
			continue
		}
		req := httptest.NewRequest(http.MethodPost, b.Endpoint, bytes.NewReader(line.Body))
		req.Header.Set("Authorization", "Bearer batch")
		got := httptest.NewRecorder()
		s.http.Config.Handler.ServeHTTP(got, req)
		result := resultLine{
			ID: newDigest(data).id("batch_req_", 32), CustomID: line.CustomID,
			Response: lineResult{got.Code, newDigest(data).id("", 32), bytes.TrimSpace(got.Body.Bytes())},
		}
		b.RequestCounts.Total++
		if got.Code != http.StatusOK {
			b.RequestCounts.Failed++
			failures = append(failures, result)
			continue
		}
		b.RequestCounts.Completed++
		output = slices.Insert(output, len(output)/2, result)
		usage.add(got.Body.Bytes())
	}
	b.Usage = &usage
	b.OutputFileID, b.ErrorFileID = s.keepLines(output), s.keepLines(failures)
}

// add adds the usage of an answer of any endpoint.
func (u *responseUsage) add(answer []byte) {
	var read struct {
		Usage struct {
			PromptTokens     int `json:"prompt_tokens"`
			CompletionTokens int `json:"completion_tokens"`
			InputTokens      int `json:"input_tokens"`
			OutputTokens     int `json:"output_tokens"`
		} `json:"usage"`
	}
	_ = json.Unmarshal(answer, &read) // it was made here
	u.InputTokens += read.Usage.PromptTokens + read.Usage.InputTokens
	u.OutputTokens += read.Usage.CompletionTokens + read.Usage.OutputTokens
	u.TotalTokens = u.InputTokens + u.OutputTokens
}

// keepLines stores a file of results, and returns "" where there are none.
func (s *Server) keepLines(lines []resultLine) string {
	if len(lines) == 0 {
		return ""
	}
	var file bytes.Buffer
	for _, line := range lines {
		file.Write(append(mustMarshal(line), '\n'))
	}
	return s.keep(file.Bytes())
}

// getBatch serves GET /batches/{id}.
func (s *Server) getBatch(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s.mu.Lock()
	b, found := s.batches[id]
	s.mu.Unlock()
	if !found {
		s.refuse(w, callOf(r), errNotFound("Batch", id))
		return
	}
	s.answer(w, r, id, b)
}
