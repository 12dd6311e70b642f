// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// request is one to MLflow.
type request struct {
	method  string // empty means GET
	path    string
	host    string // Host header
	origin  string // of the page that sends it; empty means no browser
	as      account
	body    string
	answers string // text that the answer must have
}

// send returns the status, and an error if the answer has not the text that it must have.
func (r request) send(ctx context.Context, address string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, "http://"+address+r.path, strings.NewReader(r.body))
	if err != nil {
		return 0, err
	}
	req.Host = r.host
	req.Header.Set("Content-Type", "application/json")
	if r.origin != "" {
		req.Header.Set("Origin", r.origin)
	}
	if r.as.name != "" {
		req.SetBasicAuth(r.as.name, r.as.password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && !strings.Contains(string(body), r.answers) {
		err = fmt.Errorf("%s answers without %.100q: %.300s", r.path, r.answers, body)
	}
	return resp.StatusCode, err
}

type check struct {
	name string
	do   func(context.Context) error
}

// checks ask each server in turn, so that what one has, the other must show.
func checks(servers []*server, objects *bucket) []check {
	const service = "llm-otelcol-mlflow-mlflow"
	search := request{method: http.MethodPost, path: "/api/2.0/mlflow/experiments/search", body: `{"max_results": 10}`, as: writer}
	var all []check
	add := func(name string, want int, r request) {
		all = append(all, check{name, func(ctx context.Context) error {
			for _, s := range servers {
				status, err := r.send(ctx, s.address)
				if err != nil {
					return err
				}
				if status != want {
					return fmt.Errorf("%s answers %d, not %d", s.address, status, want)
				}
			}
			return nil
		}})
	}
	for _, host := range []string{
		service + ":80", service, service + ".telemetry:80", service + ".telemetry.svc", service + ".telemetry.svc.cluster.local:80",
		podIP + ":5000", "localhost:8085", "127.0.0.1:8085", "mlflow.example.com",
	} {
		r := search
		r.host, r.answers = host, persona+"_"
		add("the call's experiment, asked for as "+host, http.StatusOK, r)
	}
	for _, host := range []string{"evil.example.com", "10.9.9.9:5000", service + ".evil.example.com"} {
		r := search
		r.host = host
		add("no answer to "+host, http.StatusForbidden, r)
	}
	public := search
	public.host, public.origin = "mlflow.example.com", "https://mlflow.example.com"
	add("the UI under its public name", http.StatusOK, public)
	public.origin = "https://evil.example.com"
	add("no answer to pages of others", http.StatusForbidden, public)
	stranger := search
	stranger.host, stranger.as = service+":80", account{}
	add("no answer without a password", http.StatusUnauthorized, stranger)
	add("metrics, scraped by the pod's address", http.StatusOK,
		request{path: "/metrics", host: podIP + ":5000", as: admin, answers: "mlflow_http_request_total"})
	all = append(all, check{"the long prompt is in the bucket, and each server has it", func(ctx context.Context) error {
		key, err := objects.prompt()
		if err != nil {
			return err
		}
		for _, s := range servers {
			r := request{path: "/api/2.0/mlflow-artifacts/artifacts/" + key, host: service + ":80", as: writer, answers: longPrompt}
			if _, err := r.send(ctx, s.address); err != nil {
				return err
			}
		}
		return nil
	}})
	return append(all, check{"nothing written outside of volumes", func(context.Context) error {
		for _, s := range servers {
			// In the pod it cannot be written to.
			files, err := os.ReadDir(s.cwd)
			if err != nil {
				return err
			}
			if len(files) > 0 {
				return fmt.Errorf("%s is in the working directory", files[0].Name())
			}
		}
		return nil
	}})
}
