// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// proxy stands between collectors and an MLflow server and makes calls go wrong.
type proxy struct {
	*httptest.Server
	target    string
	transport *http.Transport

	mu       sync.Mutex
	plan     func(call) fault
	seen     map[string]int // calls that came, by name
	finished int            // runs/update that the server has carried out
	open     int            // calls that are being answered, or held back
}

// call is a call to MLflow.
type call struct {
	name string // path below the API, such as runs/create
	n    int    // how many of that name came before
	body []byte
}

// fault is what goes wrong with a call. The zero fault is nothing.
type fault struct {
	status     int              // answer with this status
	retryAfter string           // and this header
	carryOut   bool             // let the server carry the call out before answering with status, or before closing the connection
	disconnect bool             // close the connection without an answer
	hang       bool             // do not answer until the caller has gone; the server never gets the call
	wait       <-chan time.Time // let the server have the call only then, whether or not the caller is still there
	until      <-chan struct{}  // or then
}

func newProxy(target string) *proxy {
	p := &proxy{target: target, transport: &http.Transport{MaxIdleConnsPerHost: 16}, seen: make(map[string]int)}
	p.Server = httptest.NewServer(p)
	return p
}

// close ends the proxy. Its callers must have gone.
func (p *proxy) close() {
	p.CloseClientConnections()
	p.Close()
	p.transport.CloseIdleConnections()
}

// use makes calls go wrong as the plan says from now on; nil is nothing. The plan is asked for one call at a time.
func (p *proxy) use(plan func(call) fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = plan
}

// idle says that no call is under way or held back.
func (p *proxy) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open == 0
}

// runsFinished is how many runs the server has been told to finish, with success.
func (p *proxy) runsFinished() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.finished
}

// ServeHTTP answers a call.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone before it had said what it wants
	}
	name := strings.TrimPrefix(r.URL.Path, "/api/2.0/mlflow/")
	f := p.begin(name, body)
	defer p.end()

	if f.hang {
		<-r.Context().Done()
		return
	}
	if f.wait != nil {
		select {
		case <-f.wait:
		case <-f.until:
		}
	}
	if f.status == 0 && !f.disconnect || f.carryOut {
		status, answer, err := p.forward(r, body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if name == "runs/update" && status == http.StatusOK {
			p.mu.Lock()
			p.finished++
			p.mu.Unlock()
		}
		if !f.carryOut {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write(answer)
			return
		}
	}
	if f.disconnect {
		panic(http.ErrAbortHandler)
	}
	if f.retryAfter != "" {
		w.Header().Set("Retry-After", f.retryAfter)
	}
	w.WriteHeader(f.status)
}

func (p *proxy) begin(name string, body []byte) fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open++
	n := p.seen[name]
	p.seen[name]++
	if p.plan == nil {
		return fault{}
	}
	return p.plan(call{name: name, n: n, body: body})
}

func (p *proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
}

// forward lets the server carry the call out, even if the caller has gone.
func (p *proxy) forward(r *http.Request, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, p.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
