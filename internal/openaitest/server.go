// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is the stand-in, listening on a free loopback port.
type Server struct {
	http    *httptest.Server
	latency time.Duration

	mu       sync.Mutex
	calls    []Call
	attempts map[digest]int
}

// Call is one HTTP request that the server got, whatever became of it.
type Call struct {
	Method string
	Path   string
	Model  string // as the request named it; empty where the request could not be read
	Stream bool
	Status int
	ID     string // id of the completion; empty where the request was refused
	Usage  Usage  // what the call costs, also where the response does not say; zero where the request was refused
	// UsageSent says that the response carries the usage: always when plain, by include_usage when streamed.
	UsageSent bool
}

// Option changes a Server.
type Option func(*Server)

// WithLatency makes the server as slow as a model: the first chunk of an answer takes between an eighth of longest and
// longest, every further chunk a small fraction of that, and a plain answer as long as its stream would. The times are
// derived from the request. Without it the server answers at once, which is right for tests.
func WithLatency(longest time.Duration) Option {
	return func(s *Server) { s.latency = longest }
}

// NewServer starts a server. The caller must Close it.
func NewServer(opts ...Option) *Server {
	s := &Server{attempts: make(map[digest]int)}
	for _, opt := range opts {
		opt(s)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/chat/completions", s.chatCompletions)
	mux.HandleFunc("/", s.unknownPath)
	s.http = httptest.NewServer(mux)
	return s
}

// BaseURL is what an SDK takes as its base URL (OPENAI_BASE_URL): http://127.0.0.1:{port}/v1.
func (s *Server) BaseURL() string { return s.http.URL + "/v1" }

// Calls returns what was served so far, in the order of the answers. A call is recorded before the first byte of its response
// is sent, so a client that has its response finds its call here.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Close stops the server after the requests under way have been answered.
func (s *Server) Close() { s.http.Close() }

func (s *Server) record(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
}

// attempt counts the attempts of one request, from 1.
func (s *Server) attempt(d digest) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts[d]++
	return s.attempts[d]
}

func (s *Server) unknownPath(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, Call{Method: r.Method, Path: r.URL.Path}, errUnknownURL(r))
}

func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request) {
	call := Call{Method: r.Method, Path: r.URL.Path}
	if r.Method != http.MethodPost {
		s.refuse(w, call, errMethod(r))
		return
	}
	if key, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !found || key == "" {
		s.refuse(w, call, errNoKey)
		return
	}
	req, refusal := readRequest(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	call.Model, call.Stream = req.Model, req.Stream
	if refusal == nil {
		refusal = s.fault(req)
	}
	if refusal != nil {
		s.refuse(w, call, refusal)
		return
	}

	c := complete(req)
	call.Status, call.ID, call.Usage = http.StatusOK, c.id, c.usage
	call.UsageSent = !req.Stream || req.StreamOptions.includeUsage()
	s.record(call)

	w.Header().Set("X-Request-Id", req.digest.id("req_", 32))
	out := responseWriter{w: w, ctx: r.Context(), pace: paceOf(s.latency, req.digest), cut: req.Model == ModelCutStream}
	if req.Stream {
		out.stream(c, req.StreamOptions.includeUsage())
	} else {
		out.plain(c)
	}
}

func (s *Server) refuse(w http.ResponseWriter, call Call, refusal *apiError) {
	call.Status = refusal.status
	s.record(call)
	refusal.write(w)
}
