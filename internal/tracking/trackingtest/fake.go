// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package trackingtest has what is needed to test code that writes to MLflow: a conformance suite that every server must
// pass, and a fake that passes it, in the process and able to fail on demand.
package trackingtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Fake is an MLflow server as far as package tracking uses one. It keeps everything in memory.
type Fake struct {
	*httptest.Server

	mu          sync.Mutex
	fault       func(call string) Fault
	experiments []*Experiment
	runs        []*Run
	runsByID    map[string]*Run
	traces      []*Trace
	tracesByID  map[string]*Trace
	calls       map[string]int
}

// Experiment is an experiment as the Fake keeps it.
type Experiment struct {
	ID, Name string
	Deleted  bool
	Tags     map[string]string
}

// Run is a run as the Fake keeps it.
type Run struct {
	ID, ExperimentID, Name, User, Status string
	Start, End                           int64
	Deleted                              bool
	Params, Tags                         map[string]string
	Metrics                              map[string]float64
	Artifacts                            map[string]string // name → content
}

// Fault is what goes wrong with one call. The zero Fault is nothing.
type Fault struct {
	// Status answers the call with this HTTP status instead of carrying it out.
	Status int
	// RetryAfter is the header of that name in such an answer.
	RetryAfter string
	// LoseAnswer carries the call out and closes the connection without an answer.
	LoseAnswer bool
	// LoseCall closes the connection without carrying the call out.
	LoseCall bool
}

// NewFake starts a Fake on a free port of the loopback interface. Close it after use.
func NewFake() *Fake {
	f := &Fake{runsByID: make(map[string]*Run), tracesByID: make(map[string]*Trace), calls: make(map[string]int)}
	f.Server = httptest.NewServer(f)
	return f
}

// SetFault sets what goes wrong from now on; fault is asked for every call, by its path below /api/2.0/mlflow/ or, where it
// is elsewhere, its first two elements, one at a time, and must not use the Fake. Nil is nothing.
func (f *Fake) SetFault(fault func(call string) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Experiments returns copies of all experiments in the order of their creation.
func (f *Fake) Experiments() []Experiment {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Experiment, len(f.experiments))
	for i, e := range f.experiments {
		all[i] = *e
	}
	return all
}

// Runs returns copies of the active runs in the order of their creation.
func (f *Fake) Runs() []Run {
	f.mu.Lock()
	defer f.mu.Unlock()
	var active []Run
	for _, r := range f.runs {
		if !r.Deleted {
			active = append(active, *r)
		}
	}
	return active
}

// Calls returns how often a call came, by the name that SetFault has for it.
func (f *Fake) Calls(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[call]
}

// DeleteExperiment deletes an experiment as a user would.
func (f *Fake) DeleteExperiment(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.experiments {
		if e.Name == name {
			e.Deleted = true
		}
	}
}

// ServeHTTP answers a call.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/version" {
		fmt.Fprint(w, "3.17.2")
		return
	}
	call, handle := route(r)
	if handle == nil {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<!doctype html><title>404 Not Found</title>")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[call]++
	var fault Fault
	if f.fault != nil {
		fault = f.fault(call)
	}
	if fault.LoseCall {
		panic(http.ErrAbortHandler)
	}
	if fault.Status != 0 {
		w.Header().Set("Retry-After", fault.RetryAfter)
		w.WriteHeader(fault.Status)
		return
	}
	status, out := handle(f, r)
	if fault.LoseAnswer {
		panic(http.ErrAbortHandler)
	}
	answer(w, status, out)
}

// route returns the name of a call and what carries it out.
func route(r *http.Request) (string, handler) {
	if call, ok := strings.CutPrefix(r.URL.Path, "/api/2.0/mlflow/"); ok {
		if handle := handlers[call]; handle != nil {
			return call, withJSON(handle)
		}
		return call, nil
	}
	return routeTraces(r)
}

// handler carries out a call under the Fake's lock and returns its HTTP status and answer.
type handler func(f *Fake, r *http.Request) (int, any)

func withJSON(handle func(*Fake, *request) (int, any)) handler {
	return func(f *Fake, r *http.Request) (int, any) {
		var in request
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				return http.StatusBadRequest, refusal{"BAD_REQUEST", "the body is no JSON"}
			}
		}
		in.ExperimentName = r.URL.Query().Get("experiment_name")
		in.ModelName = r.URL.Query().Get("name")
		return handle(f, &in)
	}
}

func answer(w http.ResponseWriter, status int, out any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // fails when the client has gone
}

// request has the fields of all requests.
type request struct {
	ExperimentID   string   `json:"experiment_id"`
	ExperimentName string   `json:"-"`
	ExperimentIDs  []string `json:"experiment_ids"`
	RunID          string   `json:"run_id"`
	Name           string   `json:"name"`
	RunName        string   `json:"run_name"`
	User           string   `json:"user_id"`
	Status         string   `json:"status"`
	Filter         string   `json:"filter"`
	MaxResults     int      `json:"max_results"`
	StartTime      int64    `json:"start_time"`
	EndTime        int64    `json:"end_time"`
	Tags           []pair   `json:"tags"`
	Params         []pair   `json:"params"`
	Metrics        []metric `json:"metrics"`
	TraceID        string   `json:"trace_id"`
	TraceIDs       []string `json:"trace_ids"`
	Prompts        []Prompt `json:"prompt_versions"`
	ModelName      string   `json:"-"`
}

type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type metric struct {
	Key   string  `json:"key"`
	Value float64 `json:"value"`
}

type refusal struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

type experimentInfo struct {
	ID        string `json:"experiment_id"`
	Name      string `json:"name"`
	Stage     string `json:"lifecycle_stage"`
	Artifacts string `json:"artifact_location"`
}

type runInfo struct {
	Info struct {
		ID     string `json:"run_id"`
		Status string `json:"status"`
		Start  int64  `json:"start_time"`
	} `json:"info"`
	Data struct {
		Tags   []pair `json:"tags"`
		Params []pair `json:"params"`
	} `json:"data"`
}

type empty struct{}

// handlers carry out a call under the Fake's lock and return its HTTP status and answer.
var handlers = map[string]func(*Fake, *request) (int, any){
	"experiments/create": func(f *Fake, in *request) (int, any) {
		for _, e := range f.experiments {
			if e.Name == in.Name {
				return http.StatusBadRequest, refusal{"RESOURCE_ALREADY_EXISTS", "Experiment(name=" + in.Name + ") already exists."}
			}
		}
		e := &Experiment{ID: strconv.Itoa(len(f.experiments) + 1), Name: in.Name, Tags: make(map[string]string)}
		set(e.Tags, in.Tags)
		f.experiments = append(f.experiments, e)
		return http.StatusOK, experimentInfo{ID: e.ID}
	},
	"experiments/search": func(*Fake, *request) (int, any) { return http.StatusOK, empty{} },
	"experiments/get-by-name": func(f *Fake, in *request) (int, any) {
		for _, e := range f.experiments {
			if e.Name == in.ExperimentName {
				stage := "active"
				if e.Deleted {
					stage = "deleted"
				}
				return http.StatusOK, struct {
					Experiment experimentInfo `json:"experiment"`
				}{experimentInfo{e.ID, e.Name, stage, "mlflow-artifacts:/" + e.ID}}
			}
		}
		return http.StatusNotFound, refusal{"RESOURCE_DOES_NOT_EXIST", "Could not find experiment with name '" + in.ExperimentName + "'"}
	},
	"experiments/delete": func(f *Fake, in *request) (int, any) {
		e := f.experiment(in.ExperimentID)
		if e == nil || e.Deleted {
			return noExperiment(in.ExperimentID)
		}
		e.Deleted = true
		return http.StatusOK, empty{}
	},
	"experiments/restore": func(f *Fake, in *request) (int, any) {
		e := f.experiment(in.ExperimentID)
		if e == nil || !e.Deleted {
			return noExperiment(in.ExperimentID)
		}
		e.Deleted = false
		return http.StatusOK, empty{}
	},
	"runs/create": func(f *Fake, in *request) (int, any) {
		e := f.experiment(in.ExperimentID)
		if e == nil {
			return noExperiment(in.ExperimentID)
		}
		if e.Deleted {
			return notActive("experiment", e.ID)
		}
		r := &Run{
			ID: fmt.Sprintf("%032x", len(f.runs)+1), ExperimentID: e.ID, Name: in.RunName, User: in.User, Status: "RUNNING",
			Start: in.StartTime, Params: make(map[string]string), Tags: make(map[string]string), Metrics: make(map[string]float64),
			Artifacts: make(map[string]string),
		}
		set(r.Tags, in.Tags)
		f.runs = append(f.runs, r)
		f.runsByID[r.ID] = r
		return http.StatusOK, struct {
			Run runInfo `json:"run"`
		}{r.info()}
	},
	"runs/log-batch": func(f *Fake, in *request) (int, any) {
		r, status, out := f.active(in.RunID)
		if r == nil {
			return status, out
		}
		for _, p := range in.Params {
			if old, ok := r.Params[p.Key]; ok && old != p.Value {
				return http.StatusBadRequest, refusal{
					"INVALID_PARAMETER_VALUE",
					"Changing param values is not allowed. Param with key='" + p.Key + "' was already logged with value='" + old + "'",
				}
			}
		}
		set(r.Params, in.Params)
		set(r.Tags, in.Tags)
		for _, m := range in.Metrics {
			r.Metrics[m.Key] = m.Value
		}
		return http.StatusOK, empty{}
	},
	"runs/update": func(f *Fake, in *request) (int, any) {
		r, status, out := f.active(in.RunID)
		if r == nil {
			return status, out
		}
		r.Status, r.End = in.Status, in.EndTime
		return http.StatusOK, empty{}
	},
	"runs/delete": func(f *Fake, in *request) (int, any) {
		r, status, out := f.active(in.RunID)
		if r == nil {
			return status, out
		}
		r.Deleted = true
		return http.StatusOK, empty{}
	},
	"runs/restore": func(f *Fake, in *request) (int, any) {
		if r := f.runsByID[in.RunID]; r != nil {
			r.Deleted = false
			return http.StatusOK, empty{}
		}
		return http.StatusNotFound, refusal{"RESOURCE_DOES_NOT_EXIST", "Run with id=" + in.RunID + " not found"}
	},
	"traces/link-to-run":    linkToRun,
	"traces/link-prompts":   linkPrompts,
	"registered-models/get": noModel,
	"runs/search": func(f *Fake, in *request) (int, any) {
		matches := filter(in.Filter)
		if matches == nil {
			return http.StatusBadRequest, refusal{"INVALID_PARAMETER_VALUE", "Invalid clause(s) in filter string"}
		}
		var out struct {
			Runs []runInfo `json:"runs"`
		}
		runs := slices.Clone(f.runs)
		slices.SortStableFunc(runs, func(a, b *Run) int { return cmp.Compare(b.Start, a.Start) })
		for _, r := range runs {
			for _, id := range in.ExperimentIDs {
				if r.ExperimentID == id && !r.Deleted && matches(r) && len(out.Runs) < in.MaxResults {
					out.Runs = append(out.Runs, r.info())
				}
			}
		}
		return http.StatusOK, out
	},
}

// The kinds of filter that package tracking uses.
var (
	tagFilter   = regexp.MustCompile("^tags\\.`([^`]+)` = '([^']*)'$")
	startFilter = regexp.MustCompile(`^attributes\.start_time >= (\d+) and attributes\.start_time <= (\d+)$`)
)

// filter returns whether a run fits, or nil if the text is no filter.
func filter(text string) func(*Run) bool {
	if match := tagFilter.FindStringSubmatch(text); match != nil {
		return func(r *Run) bool { return r.Tags[match[1]] == match[2] }
	}
	if match := startFilter.FindStringSubmatch(text); match != nil {
		first, _ := strconv.ParseInt(match[1], 10, 64) // digits
		last, _ := strconv.ParseInt(match[2], 10, 64)
		return func(r *Run) bool { return first <= r.Start && r.Start <= last }
	}
	return nil
}

func (f *Fake) experiment(id string) *Experiment {
	for _, e := range f.experiments {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// active returns the run, or the answer to a call that needs it.
func (f *Fake) active(id string) (*Run, int, any) {
	if r := f.runsByID[id]; r != nil {
		if r.Deleted || f.experiment(r.ExperimentID).Deleted {
			status, out := notActive("run", id)
			return nil, status, out
		}
		return r, http.StatusOK, nil
	}
	return nil, http.StatusNotFound, refusal{"RESOURCE_DOES_NOT_EXIST", "Run with id=" + id + " not found"}
}

func (r *Run) info() runInfo {
	var info runInfo
	info.Info.ID, info.Info.Status, info.Info.Start = r.ID, r.Status, r.Start
	for key, value := range r.Tags {
		info.Data.Tags = append(info.Data.Tags, pair{key, value})
	}
	for key, value := range r.Params {
		info.Data.Params = append(info.Data.Params, pair{key, value})
	}
	return info
}

func noExperiment(id string) (int, any) {
	return http.StatusNotFound, refusal{"RESOURCE_DOES_NOT_EXIST", "No Experiment with id=" + id + " exists"}
}

func notActive(what, id string) (int, any) {
	return http.StatusBadRequest, refusal{
		"INVALID_PARAMETER_VALUE", "The " + what + " " + id + " must be in the 'active' state. Current state is deleted.",
	}
}

func set(m map[string]string, pairs []pair) {
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
}
