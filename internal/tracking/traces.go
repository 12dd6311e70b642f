// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tracking

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// TraceID is MLflow's id of a trace whose spans have the OpenTelemetry id.
func TraceID(id pcommon.TraceID) string { return "tr-" + id.String() }

// SendTraces writes spans into an experiment, all or none. A trace belongs to the experiment that its first span was sent
// to. A span that is sent again replaces itself. IsUnsupported tells a server that takes no OTLP.
func (c *Client) SendTraces(ctx context.Context, experimentID string, traces ptrace.Traces) error {
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	if err != nil {
		return &Error{Op: opSendTraces.doing, Class: Permanent, Err: err}
	}
	_, err = c.do(ctx, opSendTraces, request{
		method: http.MethodPost, contentType: "application/x-protobuf", experiment: experimentID, body: body,
	})
	return err
}

// LinkTrace shows a trace among those of a run. Linking again changes nothing.
func (c *Client) LinkTrace(ctx context.Context, traceID, runID string) error {
	in := struct {
		TraceIDs []string `json:"trace_ids"`
		RunID    string   `json:"run_id"`
	}{[]string{traceID}, runID}
	return c.post(ctx, opLinkTraces, in, nil)
}

// PromptVersion is a version of a prompt in MLflow's registry.
type PromptVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// LinkPrompt shows a trace among those of a prompt version, which need not exist. Linking again changes nothing.
func (c *Client) LinkPrompt(ctx context.Context, traceID string, prompt PromptVersion) error {
	in := struct {
		TraceID  string          `json:"trace_id"`
		Versions []PromptVersion `json:"prompt_versions"`
	}{traceID, []PromptVersion{prompt}}
	return c.post(ctx, opLinkPrompts, in, nil)
}

// tagPromptExperiments is the tag of a prompt that lists the experiments whose page shows it: ",1,2,".
const tagPromptExperiments = "_mlflow_experiment_ids"

// ShowPrompt lists a prompt on the page of an experiment; an Error with IsNotFound if the registry has none of that name. Of
// two clients that do so for two experiments at the same moment, one may be lost: MLflow cannot add to a tag.
func (c *Client) ShowPrompt(ctx context.Context, name, experimentID string) error {
	answer, err := c.do(ctx, opFindModel, request{method: http.MethodGet, suffix: "?name=" + url.QueryEscape(name)})
	if err != nil {
		return err
	}
	var out struct {
		Model struct {
			Tags []KeyValue `json:"tags"`
		} `json:"registered_model"`
	}
	if err := decode(opFindModel, answer, &out); err != nil {
		return err
	}
	listed := ","
	for _, tag := range out.Model.Tags {
		if tag.Key == tagPromptExperiments {
			listed = tag.Value
		}
	}
	if strings.Contains(listed, ","+experimentID+",") {
		return nil
	}
	in := struct {
		Name  string `json:"name"`
		Key   string `json:"key"`
		Value string `json:"value"`
	}{name, tagPromptExperiments, listed + experimentID + ","}
	return c.post(ctx, opTagModel, in, nil)
}

// Assessment is a judgement of a trace.
type Assessment struct {
	ID        string // chosen by the caller, at most 50 characters, unique in the server
	TraceID   string
	Name      string
	Value     any    // a number or a text
	Rationale string // empty if there is none
	Source    string // who judges
	At        time.Time
}

// Assess adds a judgement to a trace. One whose id is there already is left as it is.
func (c *Client) Assess(ctx context.Context, a Assessment) error {
	type source struct {
		Type string `json:"source_type"`
		ID   string `json:"source_id"`
	}
	type feedback struct {
		Value any `json:"value"`
	}
	type assessment struct {
		ID        string    `json:"assessment_id"`
		TraceID   string    `json:"trace_id"`
		Name      string    `json:"assessment_name"`
		Source    source    `json:"source"`
		Created   time.Time `json:"create_time"`
		Updated   time.Time `json:"last_update_time"`
		Feedback  feedback  `json:"feedback"`
		Rationale string    `json:"rationale,omitempty"`
	}
	at := a.At.UTC()
	body, err := json.Marshal(struct {
		Assessment assessment `json:"assessment"`
	}{assessment{a.ID, a.TraceID, a.Name, source{"CODE", a.Source}, at, at, feedback{a.Value}, a.Rationale}})
	if err != nil {
		return &Error{Op: opAssess.doing, Class: Permanent, Err: err}
	}
	_, err = c.do(ctx, opAssess, request{
		method: http.MethodPost, suffix: "/" + url.PathEscape(a.TraceID) + "/assessments", contentType: "application/json", body: body,
	})
	if IsAlreadyExists(err) {
		return nil
	}
	return err
}
