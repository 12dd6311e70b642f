// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// client keeps no connections: a test that ends must not leave their goroutines behind.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// Reader reads what is in an MLflow server. It is on purpose not the client under test.
type Reader struct {
	api string
}

// NewReader returns a reader of the server at an address such as http://127.0.0.1:5000.
func NewReader(address string) *Reader { return &Reader{api: address + "/api/2.0/mlflow/"} }

// Experiment is a named set of runs.
type Experiment struct {
	ID   string
	Name string
	Tags map[string]string
}

// Run is one run with the latest value of each metric.
type Run struct {
	ID         string
	Name       string
	Experiment string // its name
	Status     string
	Start      time.Time
	End        time.Time // zero while it is not ended
	Params     map[string]string
	Metrics    map[string]float64
	Tags       map[string]string
}

// Experiments returns the active experiments.
func (r *Reader) Experiments(ctx context.Context) ([]Experiment, error) {
	var all []Experiment
	in := struct {
		MaxResults int    `json:"max_results"`
		PageToken  string `json:"page_token,omitempty"`
	}{MaxResults: 1000}
	for {
		var page struct {
			Experiments   []experimentJSON `json:"experiments"`
			NextPageToken string           `json:"next_page_token"`
		}
		if err := r.call(ctx, http.MethodPost, "experiments/search", in, &page); err != nil {
			return nil, err
		}
		for _, e := range page.Experiments {
			all = append(all, e.experiment())
		}
		if page.NextPageToken == "" {
			return all, nil
		}
		in.PageToken = page.NextPageToken
	}
}

// ExperimentByName returns an experiment; it is an error if there is none of that name.
func (r *Reader) ExperimentByName(ctx context.Context, name string) (Experiment, error) {
	var out struct {
		Experiment experimentJSON `json:"experiment"`
	}
	err := r.call(ctx, http.MethodGet, "experiments/get-by-name?experiment_name="+url.QueryEscape(name), nil, &out)
	return out.Experiment.experiment(), err
}

// Runs returns the active runs of all active experiments, the newest first. A filter is what a user would type into the
// search field, such as `tags.persona_id = "x"`; empty means all.
func (r *Reader) Runs(ctx context.Context, filter string) ([]Run, error) {
	experiments, err := r.Experiments(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(experiments))
	in := struct {
		ExperimentIDs []string `json:"experiment_ids"`
		Filter        string   `json:"filter,omitempty"`
		MaxResults    int      `json:"max_results"`
		PageToken     string   `json:"page_token,omitempty"`
	}{Filter: filter, MaxResults: 1000}
	for _, e := range experiments {
		names[e.ID] = e.Name
		in.ExperimentIDs = append(in.ExperimentIDs, e.ID)
	}
	var all []Run
	for {
		var page struct {
			Runs          []runJSON `json:"runs"`
			NextPageToken string    `json:"next_page_token"`
		}
		if err := r.call(ctx, http.MethodPost, "runs/search", in, &page); err != nil {
			return nil, err
		}
		for _, run := range page.Runs {
			all = append(all, run.run(names[run.Info.ExperimentID]))
		}
		if page.NextPageToken == "" {
			return all, nil
		}
		in.PageToken = page.NextPageToken
	}
}

func (r *Reader) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.api+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, resp.Status, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// The shapes of MLflow's answers.
type (
	keyValueJSON struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	experimentJSON struct {
		ID   string         `json:"experiment_id"`
		Name string         `json:"name"`
		Tags []keyValueJSON `json:"tags"`
	}
	runJSON struct {
		Info struct {
			ID           string `json:"run_id"`
			Name         string `json:"run_name"`
			ExperimentID string `json:"experiment_id"`
			Status       string `json:"status"`
			StartTime    int64  `json:"start_time"` // milliseconds since the epoch
			EndTime      int64  `json:"end_time"`
		} `json:"info"`
		Data struct {
			Params  []keyValueJSON `json:"params"`
			Tags    []keyValueJSON `json:"tags"`
			Metrics []struct {
				Key   string  `json:"key"`
				Value float64 `json:"value"`
			} `json:"metrics"`
		} `json:"data"`
	}
)

func (e experimentJSON) experiment() Experiment {
	return Experiment{ID: e.ID, Name: e.Name, Tags: asMap(e.Tags)}
}

func (r runJSON) run(experiment string) Run {
	run := Run{
		ID: r.Info.ID, Name: r.Info.Name, Experiment: experiment, Status: r.Info.Status,
		Start:  time.UnixMilli(r.Info.StartTime).UTC(),
		Params: asMap(r.Data.Params), Tags: asMap(r.Data.Tags), Metrics: make(map[string]float64, len(r.Data.Metrics)),
	}
	if r.Info.EndTime != 0 {
		run.End = time.UnixMilli(r.Info.EndTime).UTC()
	}
	for _, m := range r.Data.Metrics {
		run.Metrics[m.Key] = m.Value
	}
	return run
}

func asMap(pairs []keyValueJSON) map[string]string {
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
	return m
}
