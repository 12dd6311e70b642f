// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Trace is a trace as MLflow's pages show it.
type Trace struct {
	ID          string            `json:"trace_id"`
	State       string            `json:"state"` // OK, ERROR or IN_PROGRESS
	Request     string            `json:"request_preview"`
	Response    string            `json:"response_preview"`
	Metadata    map[string]string `json:"trace_metadata"` // tokens, cost, session, user
	Tags        map[string]string `json:"tags"`
	Assessments []Assessment      `json:"assessments"`
}

// Assessment is a judgement of a trace.
type Assessment struct {
	Name      string `json:"assessment_name"`
	Rationale string `json:"rationale"`
	Feedback  struct {
		Value any `json:"value"`
	} `json:"feedback"`
}

// Traces returns the traces of an experiment, at most 500. A filter is what a user would type into the search field, such as
// `attributes.run_id = 'x'` for those that are linked to a run; empty means all.
func (r *Reader) Traces(ctx context.Context, experimentID, filter string) ([]Trace, error) {
	type experiment struct {
		ID string `json:"experiment_id"`
	}
	type location struct {
		Type       string     `json:"type"`
		Experiment experiment `json:"mlflow_experiment"`
	}
	in := struct {
		Locations  []location `json:"locations"`
		Filter     string     `json:"filter,omitempty"`
		MaxResults int        `json:"max_results"`
	}{[]location{{"MLFLOW_EXPERIMENT", experiment{experimentID}}}, filter, 500}
	var out struct {
		Traces []Trace `json:"traces"`
	}
	v3 := &Reader{api: strings.TrimSuffix(r.api, "2.0/mlflow/") + "3.0/mlflow/"}
	err := v3.call(ctx, http.MethodPost, "traces/search", in, &out)
	return out.Traces, err
}

// Artifact returns the content of a file of a run.
func (r *Reader) Artifact(ctx context.Context, runID, name string) (string, error) {
	address := strings.TrimSuffix(r.api, "api/2.0/mlflow/") + "get-artifact?run_uuid=" + url.QueryEscape(runID) + "&path=" + url.QueryEscape(name)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s of run %s: %s", name, runID, resp.Status)
	}
	return string(content), err
}
