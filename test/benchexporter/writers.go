// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-mlflow/otelcol-mlflow/exporter/mlflowexporter"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

// batchSize is how many spans come to the exporter in one batch.
const batchSize = 10

// newCalls are LLM calls as they come while a collector has been running for some time: they end after it was started, by
// more than clocks may differ, so none is looked for before it is written.
func newCalls(service string, n int) ptrace.Traces {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr(semconv.ServiceName, service)
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	end := time.Now().Add(5 * time.Minute)
	for range n {
		span := spans.AppendEmpty()
		testbed.Stamp(span, end.Add(-time.Second), end)
		attributes := span.Attributes()
		attributes.PutStr(semconv.GenAIOperationName, semconv.OperationChat)
		attributes.PutStr(semconv.GenAIProviderName, semconv.ProviderOpenAI)
		attributes.PutStr(semconv.GenAIRequestModel, "gpt-4o")
		attributes.PutStr(semconv.PersonaID, "bench")
		attributes.PutStr(semconv.GenAIInputMessages, message("user", 200))
		attributes.PutStr(semconv.GenAIOutputMessages, message("assistant", 800))
		attributes.PutInt(semconv.GenAIUsageInputTokens, 50)
		attributes.PutInt(semconv.GenAIUsageOutputTokens, 200)
	}
	return traces
}

func message(role string, length int) string {
	return fmt.Sprintf(`[{"role":%q,"parts":[{"type":"text","content":%q}]}]`, role, strings.Repeat("word ", length/5))
}

// writeByExporter hands calls to the exporter with its queue, and returns the rate until all are written.
func writeByExporter(ctx context.Context, url string, runs int, traces bool) (float64, error) {
	factory := mlflowexporter.NewFactory()
	config := factory.CreateDefaultConfig().(*mlflowexporter.Config)
	config.ClientConfig.Endpoint = url
	config.MaxConcurrency = concurrency
	config.Traces.Enabled = traces
	config.QueueConfig.Get().QueueSize = int64(runs)
	exporter, err := factory.CreateTraces(ctx, exportertest.NewNopSettings(factory.Type()), config)
	if err != nil {
		return 0, err
	}
	if err := exporter.Start(ctx, componenttest.NewNopHost()); err != nil {
		return 0, err
	}
	service := "bench-" + rand.Text()
	batches := make([]ptrace.Traces, runs/batchSize)
	for i := range batches {
		batches[i] = newCalls(service, batchSize)
	}
	begin := time.Now()
	for _, batch := range batches {
		if err := exporter.ConsumeTraces(ctx, batch); err != nil {
			return 0, err
		}
	}
	if err := exporter.Shutdown(ctx); err != nil { // returns when the queue is empty
		return 0, err
	}
	measured := rate(runs, begin)
	return measured, requireRuns(ctx, url, service, runs)
}

// requireRuns is an error unless the service has so many runs, all finished. The fake is trusted: it cannot list them.
func requireRuns(ctx context.Context, url, service string, want int) error {
	if want == fakeRuns {
		return nil
	}
	found, err := testbed.NewReader(url).Runs(ctx, "tags.`service.name` = \""+service+`" and attributes.status = "FINISHED"`)
	if err == nil && len(found) != want {
		err = fmt.Errorf("%d of %d runs are written", len(found), want)
	}
	return err
}

// threeCalls are the bodies of the calls that the exporter makes for a run, with runID and experimentID in them.
var threeCalls = sync.OnceValues(func() (map[string][]byte, error) {
	bodies := make(map[string][]byte)
	var mu sync.Mutex
	fake := trackingtest.NewFake()
	defer fake.Close()
	recorder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // an incomplete one is no JSON
		mu.Lock()
		bodies[path.Base(r.URL.Path)] = body
		mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		fake.ServeHTTP(w, r)
	}))
	defer recorder.Close()

	factory := mlflowexporter.NewFactory()
	config := factory.CreateDefaultConfig().(*mlflowexporter.Config)
	config.ClientConfig.Endpoint = recorder.URL
	ctx := context.Background()
	exporter, err := factory.CreateTraces(ctx, exportertest.NewNopSettings(factory.Type()), config)
	if err != nil {
		return nil, err
	}
	if err := exporter.Start(ctx, componenttest.NewNopHost()); err != nil {
		return nil, err
	}
	if err := exporter.ConsumeTraces(ctx, newCalls("bench-bare", 1)); err != nil {
		return nil, err
	}
	return bodies, exporter.Shutdown(ctx)
})

// What the fake calls the first run and the first experiment.
const (
	recordedRun        = `"00000000000000000000000000000001"`
	recordedExperiment = `"experiment_id":"1"`
)

// writeBare makes the three calls for each run, and does nothing else.
func writeBare(ctx context.Context, url string, runs int) (float64, error) {
	bodies, err := threeCalls()
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: concurrency}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	experiment, err := tracking.NewClient(client, url, "").CreateExperiment(ctx, "bare-"+rand.Text(), nil)
	if err != nil {
		return 0, err
	}
	create := bytes.ReplaceAll(bodies["create"], []byte(recordedExperiment), []byte(`"experiment_id":"`+experiment+`"`))
	begin := time.Now()
	var group errgroup.Group
	group.SetLimit(concurrency)
	for range runs {
		group.Go(func() error {
			answer, err := post(ctx, client, url, "create", create)
			if err != nil {
				return err
			}
			var out struct {
				Run struct {
					Info struct {
						ID string `json:"run_id"`
					} `json:"info"`
				} `json:"run"`
			}
			if err := json.Unmarshal(answer, &out); err != nil {
				return err
			}
			for _, call := range []string{"log-batch", "update"} {
				body := bytes.ReplaceAll(bodies[call], []byte(recordedRun), []byte(`"`+out.Run.Info.ID+`"`))
				if _, err := post(ctx, client, url, call, body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	return rate(runs, begin), err
}

func post(ctx context.Context, client *http.Client, url, call string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/2.0/mlflow/runs/"+call, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", call, resp.Status, answer)
	}
	return answer, err
}
