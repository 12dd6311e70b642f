// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package trackingtest

import (
	"encoding/json"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Trace is a trace as the Fake keeps it.
type Trace struct {
	ID, ExperimentID string
	Spans            []ptrace.Span
	Runs             []string // ids of the runs that it is linked to
	Prompts          []Prompt
	Assessments      []Assessment
}

// Prompt is a version of a prompt that a trace is linked to.
type Prompt struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Assessment is a judgement of a trace.
type Assessment struct {
	ID        string `json:"assessment_id"`
	Name      string `json:"assessment_name"`
	Rationale string `json:"rationale"`
	Feedback  struct {
		Value any `json:"value"`
	} `json:"feedback"`
}

// Traces returns copies of all traces in the order of their creation.
func (f *Fake) Traces() []Trace {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Trace, len(f.traces))
	for i, t := range f.traces {
		all[i] = *t
	}
	return all
}

// routeTraces knows the calls that are not below /api/2.0/mlflow/.
func routeTraces(r *http.Request) (string, handler) {
	switch {
	case r.URL.Path == "/v1/traces":
		return "v1/traces", sendTraces
	case r.URL.Path == "/api/3.0/mlflow/traces/search":
		return "traces/search", searchTraces
	case strings.HasPrefix(r.URL.Path, "/api/3.0/mlflow/traces/") && path.Base(r.URL.Path) == "assessments":
		return "traces/assessments", assess
	case strings.HasPrefix(r.URL.Path, "/api/2.0/mlflow-artifacts/artifacts/") && r.Method == http.MethodPut:
		return "mlflow-artifacts/artifacts", putArtifact
	}
	return "", nil
}

func sendTraces(f *Fake, r *http.Request) (int, any) {
	type detail struct {
		Detail string `json:"detail"`
	}
	experiment := r.Header.Get("X-Mlflow-Experiment-Id")
	if experiment == "" {
		return http.StatusUnprocessableEntity, detail{"Field required"}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return http.StatusBadRequest, detail{"the body ends early"}
	}
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
	if err != nil {
		return http.StatusBadRequest, detail{"Invalid OpenTelemetry format"}
	}
	if f.experiment(experiment) == nil {
		return noExperiment(experiment)
	}
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				f.keepSpan(experiment, span)
			}
		}
	}
	return http.StatusOK, empty{}
}

func (f *Fake) keepSpan(experiment string, span ptrace.Span) {
	id := "tr-" + span.TraceID().String()
	t := f.tracesByID[id]
	if t == nil {
		t = &Trace{ID: id, ExperimentID: experiment}
		f.traces = append(f.traces, t)
		f.tracesByID[id] = t
	}
	for i, known := range t.Spans {
		if known.SpanID() == span.SpanID() {
			t.Spans[i] = span
			return
		}
	}
	t.Spans = append(t.Spans, span)
}

// linkToRun takes ids of traces that are not there, as MLflow does.
func linkToRun(f *Fake, in *request) (int, any) {
	for _, id := range in.TraceIDs {
		if t := f.tracesByID[id]; t != nil && !slices.Contains(t.Runs, in.RunID) {
			t.Runs = append(t.Runs, in.RunID)
		}
	}
	return http.StatusOK, empty{}
}

func linkPrompts(f *Fake, in *request) (int, any) {
	t := f.tracesByID[in.TraceID]
	if t == nil {
		return noTrace(in.TraceID)
	}
	for _, prompt := range in.Prompts {
		if !slices.Contains(t.Prompts, prompt) {
			t.Prompts = append(t.Prompts, prompt)
		}
	}
	return http.StatusOK, empty{}
}

// noModel is the answer of a registry that is empty.
func noModel(_ *Fake, in *request) (int, any) {
	return http.StatusNotFound, refusal{"RESOURCE_DOES_NOT_EXIST", "Registered Model with name=" + in.ModelName + " not found"}
}

func assess(f *Fake, r *http.Request) (int, any) {
	id := path.Base(path.Dir(r.URL.Path))
	t := f.tracesByID[id]
	if t == nil {
		return noTrace(id)
	}
	var in struct {
		Assessment Assessment `json:"assessment"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return http.StatusBadRequest, refusal{"BAD_REQUEST", "the body is no JSON"}
	}
	if slices.ContainsFunc(t.Assessments, func(a Assessment) bool { return a.ID == in.Assessment.ID }) {
		return http.StatusInternalServerError, refusal{
			"INTERNAL_ERROR", "Failed to create assessment for trace '" + id + "' due to a constraint violation.",
		}
	}
	t.Assessments = append(t.Assessments, in.Assessment)
	return http.StatusOK, in
}

// searchTraces knows one filter: by the run that traces are linked to.
func searchTraces(f *Fake, r *http.Request) (int, any) {
	var in struct {
		Filter string `json:"filter"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return http.StatusBadRequest, refusal{"BAD_REQUEST", "the body is no JSON"}
	}
	type info struct {
		ID          string       `json:"trace_id"`
		State       string       `json:"state"`
		Assessments []Assessment `json:"assessments"`
	}
	var out struct {
		Traces []info `json:"traces"`
	}
	run := strings.TrimSuffix(strings.TrimPrefix(in.Filter, "attributes.run_id = '"), "'")
	for _, t := range f.traces {
		if slices.Contains(t.Runs, run) {
			state := "OK"
			for _, span := range t.Spans {
				if span.Status().Code() == ptrace.StatusCodeError {
					state = "ERROR"
				}
			}
			out.Traces = append(out.Traces, info{t.ID, state, t.Assessments})
		}
	}
	return http.StatusOK, out
}

// putArtifact takes /api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/{name}.
func putArtifact(f *Fake, r *http.Request) (int, any) {
	parts := strings.Split(r.URL.Path, "/")
	content, err := io.ReadAll(r.Body)
	if err != nil || len(parts) != 9 {
		return http.StatusBadRequest, refusal{"INVALID_PARAMETER_VALUE", "Invalid path"}
	}
	if run := f.runsByID[parts[6]]; run != nil { // MLflow does not ask whether there is one
		run.Artifacts[parts[8]] = string(content)
	}
	return http.StatusOK, empty{}
}

func noTrace(id string) (int, any) {
	return http.StatusNotFound, refusal{"RESOURCE_DOES_NOT_EXIST", "Trace with ID '" + id + "' not found."}
}
