// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tracking

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAnswer bounds how much of an answer is read, in bytes. A page of 100 runs with long values stays below it.
const maxAnswer = 16 << 20

// Client calls one MLflow server. It is safe for concurrent use.
type Client struct {
	http      http.Client
	timeout   time.Duration
	endpoint  string
	workspace string
	observe   func(ctx context.Context, endpoint string, took time.Duration, err error)
}

// NewClient returns a client of the server at endpoint, such as http://mlflow:5000. Time limits, credentials and TLS are
// the HTTP client's. The workspace is sent with every call; empty means the server's default.
func NewClient(client *http.Client, endpoint, workspace string) *Client {
	c := &Client{
		http: *client, timeout: client.Timeout, endpoint: strings.TrimRight(endpoint, "/"), workspace: workspace,
		observe: func(context.Context, string, time.Duration, error) {},
	}
	c.http.Timeout = 0 // for which it starts a goroutine with each request; a context's deadline costs less
	return c
}

// Observe has f called after each request with the method of the API, such as runs/create, how long the request took, and
// its error. It is called before the client is used.
func (c *Client) Observe(f func(ctx context.Context, endpoint string, took time.Duration, err error)) {
	c.observe = f
}

// RunsPage is the address of an experiment's runs in MLflow's web interface, which shows them in this mode only.
func (c *Client) RunsPage(experimentID string) string {
	return c.endpoint + "/#/experiments/" + experimentID + "/runs?workflowType=machine_learning"
}

// KeyValue is a param or a tag.
type KeyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Metric is one measured value of a run.
type Metric struct {
	Key       string
	Value     float64
	Timestamp int64 // milliseconds since the epoch
	Step      int64
}

// writtenMetric is a metric as MLflow reads it.
type writtenMetric struct {
	Key       string `json:"key"`
	Value     any    `json:"value"`
	Timestamp int64  `json:"timestamp"`
	Step      int64  `json:"step"`
}

// write gives NaN and the infinities, for which JSON has no numbers, as texts.
func (m Metric) write() writtenMetric {
	written := writtenMetric{Key: m.Key, Value: m.Value, Timestamp: m.Timestamp, Step: m.Step}
	switch {
	case math.IsNaN(m.Value):
		written.Value = "NaN"
	case math.IsInf(m.Value, 1):
		written.Value = "Infinity"
	case math.IsInf(m.Value, -1):
		written.Value = "-Infinity"
	}
	return written
}

// Status of a run.
type Status string

// The states that a run of ours goes through.
const (
	StatusRunning  Status = "RUNNING"
	StatusFinished Status = "FINISHED"
	StatusFailed   Status = "FAILED"
)

// Experiment is a named set of runs.
type Experiment struct {
	ID        string `json:"experiment_id"`
	Name      string `json:"name"`
	Artifacts string `json:"artifact_location"` // URI below which the artifacts of its runs are
	Deleted   bool   `json:"-"`                 // soft-deleted: it takes no runs until it is restored
}

// NewRun is what a run has from its creation.
type NewRun struct {
	ExperimentID string     `json:"experiment_id"`
	Name         string     `json:"run_name,omitempty"`
	User         string     `json:"user_id,omitempty"`
	StartTime    int64      `json:"start_time"` // milliseconds since the epoch
	Tags         []KeyValue `json:"tags,omitempty"`
}

// FoundRun is a run as a search returns it.
type FoundRun struct {
	ID        string
	Status    Status
	Start     int64 // milliseconds since the epoch
	Tags      []KeyValue
	HasParams bool
}

// Tag returns the value of a tag, or nothing.
func (r FoundRun) Tag(key string) string {
	for _, tag := range r.Tags {
		if tag.Key == key {
			return tag.Value
		}
	}
	return ""
}

// OldestVersion is the oldest MLflow that is supported.
const OldestVersion = "3.7"

// TooOld reports whether a version is older than OldestVersion. A version that cannot be read is not.
func TooOld(version string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n != 2 {
		return false
	}
	return major < 3 || major == 3 && minor < 7
}

// Version returns the server's version, such as 3.17.2, after a call that shows that the API can be used: the version
// alone is also told to clients whose every other call is refused.
func (c *Client) Version(ctx context.Context) (string, error) {
	in := struct {
		MaxResults int `json:"max_results"`
	}{1}
	if err := c.post(ctx, opCheck, in, nil); err != nil {
		return "", err
	}
	version, err := c.do(ctx, opVersion, request{method: http.MethodGet})
	return strings.TrimSpace(string(version)), err
}

// ExperimentByName returns the experiment of that name, deleted or not; an Error with IsNotFound if there is none.
func (c *Client) ExperimentByName(ctx context.Context, name string) (Experiment, error) {
	var out struct {
		Experiment struct {
			Experiment
			LifecycleStage string `json:"lifecycle_stage"`
		} `json:"experiment"`
	}
	answer, err := c.do(ctx, opFindExperiment, request{method: http.MethodGet, suffix: "?experiment_name=" + url.QueryEscape(name)})
	if err == nil {
		err = decode(opFindExperiment, answer, &out)
	}
	found := out.Experiment.Experiment
	found.Deleted = out.Experiment.LifecycleStage == "deleted"
	return found, err
}

// CreateExperiment creates an experiment and returns its id; an Error with IsAlreadyExists if the name is taken, by a
// deleted experiment too.
func (c *Client) CreateExperiment(ctx context.Context, name string, tags []KeyValue) (string, error) {
	in := struct {
		Name string     `json:"name"`
		Tags []KeyValue `json:"tags,omitempty"`
	}{name, tags}
	var out struct {
		ID string `json:"experiment_id"`
	}
	err := c.post(ctx, opCreateExperiment, in, &out)
	return out.ID, err
}

// RestoreExperiment makes a deleted experiment active again, with its runs.
func (c *Client) RestoreExperiment(ctx context.Context, id string) error {
	in := struct {
		ID string `json:"experiment_id"`
	}{id}
	return c.post(ctx, opRestoreExperiment, in, nil)
}

// CreateRun creates a run in the state RUNNING and returns its id. The call is not idempotent: after an error of the
// class OutcomeUnknown the run may exist, now or a little later.
func (c *Client) CreateRun(ctx context.Context, run NewRun) (string, error) {
	var out struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	err := c.post(ctx, opCreateRun, run, &out)
	if err == nil && out.Run.Info.ID == "" {
		err = &Error{Op: opCreateRun.doing, Class: OutcomeUnknown, Status: http.StatusOK, Hint: hintNotMLflow}
	}
	return out.Run.Info.ID, err
}

// LogBatch writes a run's params and metrics in one transaction. Writing the same values again changes nothing; at the same
// moment as somebody else, it fails and is Retryable.
func (c *Client) LogBatch(ctx context.Context, runID string, params []KeyValue, metrics []Metric) error {
	in := struct {
		RunID   string          `json:"run_id"`
		Params  []KeyValue      `json:"params,omitempty"`
		Metrics []writtenMetric `json:"metrics,omitempty"`
	}{runID, params, make([]writtenMetric, len(metrics))}
	for i, m := range metrics {
		in.Metrics[i] = m.write()
	}
	err := c.post(ctx, opLogBatch, in, nil)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == codeExists {
		e.Class = Retryable
	}
	return err
}

// UpdateRun ends a run: its final state and its end, in milliseconds since the epoch.
func (c *Client) UpdateRun(ctx context.Context, runID string, status Status, endTime int64) error {
	in := struct {
		RunID   string `json:"run_id"`
		Status  Status `json:"status"`
		EndTime int64  `json:"end_time"`
	}{runID, status, endTime}
	return c.post(ctx, opUpdateRun, in, nil)
}

// DeleteRun marks a run as deleted.
func (c *Client) DeleteRun(ctx context.Context, runID string) error {
	in := struct {
		RunID string `json:"run_id"`
	}{runID}
	return c.post(ctx, opDeleteRun, in, nil)
}

// RestoreRun makes a deleted run active again, as it was.
func (c *Client) RestoreRun(ctx context.Context, runID string) error {
	in := struct {
		RunID string `json:"run_id"`
	}{runID}
	return c.post(ctx, opRestoreRun, in, nil)
}

// RunsByTag returns the active runs of an experiment that carry the tag, at most 100.
func (c *Client) RunsByTag(ctx context.Context, experimentID, key, value string) ([]FoundRun, error) {
	runs, _, err := c.searchRuns(ctx, experimentID, fmt.Sprintf("tags.`%s` = '%s'", key, value), 100)
	return runs, err
}

// RunsByStart returns the active runs of an experiment that started in a period, given in milliseconds since the epoch with
// both its ends, the latest start first. All is false if there may be more of them, than most or than the server returns at once.
func (c *Client) RunsByStart(ctx context.Context, experimentID string, first, last int64, most int) (runs []FoundRun, all bool, err error) {
	return c.searchRuns(ctx, experimentID, fmt.Sprintf("attributes.start_time >= %d and attributes.start_time <= %d", first, last), most)
}

func (c *Client) searchRuns(ctx context.Context, experimentID, filter string, most int) (runs []FoundRun, all bool, err error) {
	in := struct {
		ExperimentIDs []string `json:"experiment_ids"`
		Filter        string   `json:"filter"`
		OrderBy       []string `json:"order_by"`
		MaxResults    int      `json:"max_results"`
	}{[]string{experimentID}, filter, []string{"attributes.start_time DESC"}, most}
	var out struct {
		Runs []struct {
			Info struct {
				ID     string `json:"run_id"`
				Status Status `json:"status"`
				Start  int64  `json:"start_time"`
			} `json:"info"`
			Data struct {
				Tags   []KeyValue `json:"tags"`
				Params []struct{} `json:"params"`
			} `json:"data"`
		} `json:"runs"`
		NextPage string `json:"next_page_token"`
	}
	if err := c.post(ctx, opSearchRuns, in, &out); err != nil {
		return nil, false, err
	}
	runs = make([]FoundRun, len(out.Runs))
	for i, r := range out.Runs {
		runs[i] = FoundRun{ID: r.Info.ID, Status: r.Info.Status, Start: r.Info.Start, Tags: r.Data.Tags, HasParams: len(r.Data.Params) > 0}
	}
	return runs, len(runs) < most && out.NextPage == "", nil
}

// post sends in as JSON and reads the answer into out, which may be nil.
func (c *Client) post(ctx context.Context, op operation, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return &Error{Op: op.doing, Class: Permanent, Err: err}
	}
	answer, err := c.do(ctx, op, request{method: http.MethodPost, contentType: "application/json", body: body})
	if err != nil || out == nil {
		return err
	}
	return decode(op, answer, out)
}

// decode reads the answer to a call. One that cannot be read is a proxy's login page, for example; the parser's error could
// quote it and is left out.
func decode(op operation, answer []byte, out any) error {
	if json.Unmarshal(answer, out) != nil {
		return &Error{Op: op.doing, Class: op.unanswered, Status: http.StatusOK, Hint: hintNotMLflow}
	}
	return nil
}

// request is what differs between the requests of an operation.
type request struct {
	method      string
	suffix      string // of the operation's path
	contentType string
	experiment  string // to which OTLP spans go
	body        []byte
}

// do makes a request, tells the observer, and returns the body of its answer.
func (c *Client) do(ctx context.Context, op operation, r request) ([]byte, error) {
	begin := time.Now()
	limited := ctx
	if c.timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	answer, err := c.send(limited, op, r)
	c.observe(ctx, op.name(), time.Since(begin), err)
	return answer, err
}

func (c *Client) send(ctx context.Context, op operation, r request) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.endpoint+op.path+r.suffix, bytes.NewReader(r.body))
	if err != nil {
		return nil, &Error{Op: op.doing, Class: Permanent, Hint: "`endpoint` must be a URL such as http://mlflow:5000", Err: err}
	}
	setHeader(req, "Content-Type", r.contentType)
	setHeader(req, "X-Mlflow-Workspace", c.workspace)
	setHeader(req, "X-Mlflow-Experiment-Id", r.experiment)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, noAnswer(op, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, noAnswer(op, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refused(op, resp, answer)
	}
	return answer, nil
}

// setHeader leaves out a header without a value.
func setHeader(r *http.Request, name, value string) {
	if value != "" {
		r.Header.Set(name, value)
	}
}
