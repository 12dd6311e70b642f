// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recording is one request and its answer, as they went over the wire.
type recording struct {
	name    string
	method  string
	url     *url.URL
	status  int
	header  http.Header
	request json.RawMessage
	body    []byte
	stream  bool
	usage   map[string]any
}

func readRecordings(folder string) ([]recording, error) {
	files, err := filepath.Glob(filepath.Join(folder, "openai_recordings", "*", "*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var recordings []recording
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var parsed struct {
			Interactions []struct {
				Method, URL   string
				Status        int
				Request       json.RawMessage
				Response      json.RawMessage
				ResponseSSE   string            `json:"response_sse"`
				Header        map[string]string `json:"response_headers"`
				Streaming     bool
				ExpectedUsage map[string]any `json:"expected_usage"`
			}
		}
		if err := json.Unmarshal(data, &parsed); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for i, in := range parsed.Interactions {
			r := recording{
				name:   fmt.Sprintf("%s/%s#%d", filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".json"), i),
				method: in.Method, status: in.Status, request: in.Request, stream: in.Streaming, usage: in.ExpectedUsage,
				body: in.Response, header: make(http.Header),
			}
			if r.url, err = url.Parse(in.URL); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if in.ResponseSSE != "" {
				r.body = []byte(in.ResponseSSE)
			}
			for key, value := range in.Header {
				switch http.CanonicalHeaderKey(key) {
				case "Content-Length", "Content-Encoding", "Transfer-Encoding", "Retry-After", "Retry-After-Ms":
				default:
					r.header.Set(key, value)
				}
			}
			recordings = append(recordings, r)
		}
	}
	if len(recordings) == 0 {
		return nil, fmt.Errorf("there is none in %s", filepath.Join(folder, "openai_recordings"))
	}
	return recordings, nil
}

// endpoint is the end of the path, "chat/completions", and "" for one that has no span.
func (r recording) endpoint() string {
	for _, endpoint := range []string{"chat/completions", "completions", "embeddings", "responses"} {
		if strings.HasSuffix(r.url.Path, "/"+endpoint) {
			return endpoint
		}
	}
	return ""
}

// basePath is the path without the endpoint, with a slash at its end.
func (r recording) basePath() string {
	if r.endpoint() == "" {
		return "/"
	}
	return strings.TrimSuffix(r.url.Path, r.endpoint())
}

func (r recording) form() string {
	switch {
	case r.status >= http.StatusBadRequest:
		return "error"
	case r.stream:
		return "stream"
	default:
		return "whole"
	}
}

// events are the chunks of a stream.
func (r recording) events() []map[string]any {
	var events []map[string]any
	for line := range strings.Lines(string(r.body)) {
		data, found := strings.CutPrefix(strings.TrimSpace(line), "data:")
		var event map[string]any
		if found && json.Unmarshal([]byte(data), &event) == nil {
			events = append(events, event)
		}
	}
	return events
}
