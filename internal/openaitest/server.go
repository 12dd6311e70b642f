// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"errors"
	"io"
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

	mu        sync.Mutex
	calls     []Call
	attempts  map[digest]int
	responses map[string]storedResponse // by id
	files     map[string][]byte         // by id
	batches   map[string]batchBody      // by id
}

// Call is one HTTP request that the server got, whatever became of it.
type Call struct {
	Method string
	Path   string
	Model  string // as the request named it; empty where the request could not be read, or names none
	Stream bool
	Status int
	ID     string // id of the answer; empty where the request was refused, or the answer has none
	Usage  Usage  // what the call costs, also where the response does not say; zero where the request was refused
	// UsageSent says that the response carries the usage: always when plain, and of the Responses API; by include_usage in
	// the other streams.
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
	s := &Server{
		attempts:  make(map[digest]int),
		responses: make(map[string]storedResponse),
		files:     make(map[string][]byte),
		batches:   make(map[string]batchBody),
	}
	for _, opt := range opts {
		opt(s)
	}
	s.http = httptest.NewServer(s.handler())
	return s
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range []string{"/v1", "/openai/v1"} { // the second is Azure's
		for path, methods := range map[string]map[string]http.HandlerFunc{
			"/chat/completions":   {http.MethodPost: s.model(s.readChat)},
			"/completions":        {http.MethodPost: s.model(s.readCompletion)},
			"/responses":          {http.MethodPost: s.model(s.readResponse)},
			"/responses/{id}":     {http.MethodGet: s.getResponse},
			"/embeddings":         {http.MethodPost: s.model(s.readEmbedding)},
			"/files":              {http.MethodPost: s.createFile},
			"/files/{id}/content": {http.MethodGet: s.getFile},
			"/batches":            {http.MethodPost: s.createBatch},
			"/batches/{id}":       {http.MethodGet: s.getBatch},
		} {
			mux.HandleFunc(prefix+path, s.authorized(methods))
		}
	}
	mux.HandleFunc("/", s.unknownPath)
	return mux
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
	s.refuse(w, callOf(r), errUnknownURL(r))
}

// authorized lets requests through that have a known method and a key, as a bearer token or, like Azure's, in Api-Key.
func (s *Server) authorized(methods map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		serve, known := methods[r.Method]
		key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case !known:
			s.refuse(w, callOf(r), errMethod(r))
		case key == "" && r.Header.Get("Api-Key") == "":
			s.refuse(w, callOf(r), errNoKey)
		default:
			serve(w, r)
		}
	}
}

// reader reads the body of a request for a model. Beside an error it returns what could be read. The function that it returns
// answers the request.
type reader func(body []byte) (request, func() answer, *apiError)

// model serves the endpoints that answer with a model.
func (s *Server) model(read reader) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		call := callOf(r)
		body, refusal := readBody(w, r)
		var req request
		var respond func() answer
		if refusal == nil {
			req, respond, refusal = read(body)
		}
		call.Model, call.Stream = req.Model, req.Stream
		if refusal == nil {
			refusal = s.fault(req)
		}
		if refusal != nil {
			s.refuse(w, call, refusal)
			return
		}

		a := respond()
		call.Status, call.ID, call.Usage, call.UsageSent = http.StatusOK, a.id, a.usage, a.usageSent
		s.record(call)

		w.Header().Set("X-Request-Id", req.digest.id("req_", 32))
		out := responseWriter{w: w, ctx: r.Context(), pace: paceOf(s.latency, req.digest), cut: req.Model == ModelCutStream}
		if req.Stream {
			out.stream(a)
		} else {
			out.plain(a)
		}
	}
}

// answer serves a request that calls no model.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, id string, body any) {
	call := callOf(r)
	call.Status, call.ID = http.StatusOK, id
	s.record(call)
	responseWriter{w: w, ctx: r.Context()}.plain(answer{body: body})
}

func (s *Server) refuse(w http.ResponseWriter, call Call, refusal *apiError) {
	call.Status = refusal.status
	s.record(call)
	refusal.write(w)
}

func callOf(r *http.Request) Call { return Call{Method: r.Method, Path: r.URL.Path} }

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *apiError) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	switch tooLarge := (*http.MaxBytesError)(nil); {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, errMalformed
	}
	return body, nil
}
