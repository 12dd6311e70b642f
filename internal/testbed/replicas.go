// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"sync/atomic"
)

// Replicas are MLflow servers on one database, behind one address that gives them calls in turn.
type Replicas struct {
	URL     string
	Servers []*MLflow

	balancer  *httptest.Server
	transport *http.Transport
}

// StartReplicas starts n servers, the first before the others, because it makes the tables. A call that comes to a server
// which is down gets status 502, as from a load balancer that does not know yet.
func StartReplicas(ctx context.Context, config MLflowConfig, n int) (*Replicas, error) {
	r := &Replicas{transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	targets := make([]*url.URL, n)
	for i := range n {
		one := config
		one.Dir = filepath.Join(config.Dir, strconv.Itoa(i))
		server, err := StartMLflow(ctx, one)
		if err != nil {
			return nil, errors.Join(err, r.Stop())
		}
		r.Servers = append(r.Servers, server)
		if targets[i], err = url.Parse(server.URL); err != nil {
			return nil, errors.Join(err, r.Stop())
		}
	}
	var turn atomic.Uint64
	r.balancer = httptest.NewServer(&httputil.ReverseProxy{
		Transport:    r.transport,
		Rewrite:      func(p *httputil.ProxyRequest) { p.SetURL(targets[turn.Add(1)%uint64(n)]) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	r.URL = r.balancer.URL
	return r, nil
}

// Stop ends all of it.
func (r *Replicas) Stop() error {
	if r.balancer != nil {
		r.balancer.Close()
	}
	r.transport.CloseIdleConnections()
	var err error
	for _, server := range r.Servers {
		err = errors.Join(err, server.Stop())
	}
	return err
}
