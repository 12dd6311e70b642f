// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command cost measures what instrumentation/openaiotel adds to a call, with a canned answer in place of SDK and network. The
// variants take turns within every round; a cost is the median of the differences to no middleware at all, in processor time, on
// which other programs have little effect. It prints tables and one line per bar, and fails when a bar is short.
//
// Allocations are exact. Times depend on the machine: read those of the row "no-op middleware" as the noise.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

type (
	next       = func(*http.Request) (*http.Response, error)
	middleware = func(*http.Request, next) (*http.Response, error)
)

// variant is one way to observe calls.
type variant struct {
	name string
	mw   middleware
}

func variants() []variant {
	provider := sdktrace.NewTracerProvider()
	recording := openaiotel.WithTracerProvider(provider)
	return []variant{
		{"none", func(req *http.Request, next next) (*http.Response, error) { return next(req) }},
		{"no-op middleware", func(req *http.Request, next next) (*http.Response, error) { return next(req) }},
		{"a span and nothing else", spanOnly(provider.Tracer("floor"))},
		{"otelhttp", func(req *http.Request, next next) (*http.Response, error) {
			return otelhttp.NewTransport(transport(next), otelhttp.WithTracerProvider(provider)).RoundTrip(req)
		}},
		{"openaiotel, not recording", openaiotel.Middleware(openaiotel.WithTracerProvider(noop.NewTracerProvider()))},
		{"openaiotel", openaiotel.Middleware(recording)},
		{"openaiotel, content on spans", openaiotel.Middleware(recording, openaiotel.WithContent(openaiotel.ContentSpan))},
	}
}

type transport next

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) { return t(req) }

// spanOnly makes a span with five attributes that ends with the body: what nobody can do without.
func spanOnly(tracer trace.Tracer) middleware {
	return func(req *http.Request, next next) (*http.Response, error) {
		ctx, span := tracer.Start(req.Context(), "chat gpt-4o-mini", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", "openai"),
			attribute.String("gen_ai.request.model", "gpt-4o-mini"), attribute.String("server.address", "api.openai.com"),
			attribute.Int("server.port", 443)))
		res, err := next(req.WithContext(ctx))
		if err == nil {
			res.Body = spanBody{res.Body, span}
		}
		return res, err
	}
}

type spanBody struct {
	io.ReadCloser
	span trace.Span
}

func (b spanBody) Close() error {
	b.span.End()
	return b.ReadCloser.Close()
}

// workload is one kind of call.
type workload struct {
	name    string
	request []byte
	header  http.Header
	body    func() io.ReadCloser
	calls   int // per round
}

const chunk = `data: {"id":"chatcmpl-BSp0KsGcSnxAUbDEGrqOnWgmBmGmP","object":"chat.completion.chunk","created":1746207632,` +
	`"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_0392822090","choices":[{"index":0,` +
	`"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"N1mXxLjLx0Jw2"}` + "\n\n"

func workloads() []workload {
	jsonType, streamType := http.Header{"Content-Type": {"application/json"}}, http.Header{"Content-Type": {"text/event-stream"}}
	whole := func(size int) func() io.ReadCloser {
		answer := answerOf(size)
		return func() io.ReadCloser { return io.NopCloser(bytes.NewReader(answer)) }
	}
	line := append(append([]byte(`data: {"choices":[{"index":0,"delta":{"content":"`), bytes.Repeat([]byte("x"), 2<<20)...), "\"}}]}\n\n"...)
	return []workload{
		{name: "1 KB call", request: requestBody(), header: jsonType, body: whole(400), calls: 400},
		{name: "64 KB call", request: requestBody(), header: jsonType, body: whole(64 << 10), calls: 40},
		{name: "streamed chunk", request: requestBody(), header: streamType, calls: 5, body: func() io.ReadCloser {
			return &repeated{chunk: []byte(chunk), left: 1000}
		}},
		{name: "2 MB line", request: requestBody(), header: streamType, calls: 3, body: func() io.ReadCloser { return io.NopCloser(bytes.NewReader(line)) }},
	}
}

func requestBody() []byte {
	return fmt.Appendf(nil, `{"messages":[{"role":"system","content":"You are a witty educator."},{"role":"user","content":%s}],`+
		`"model":"gpt-4o-mini","temperature":0.7,"max_completion_tokens":200}`, words(700))
}

func answerOf(size int) []byte {
	return fmt.Appendf(nil, `{"id":"chatcmpl-BSp0KsGcSnxAUbDEGrqOnWgmBmGmP","object":"chat.completion","created":1746207632,`+
		`"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":%s,"refusal":null,`+
		`"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":219,"completion_tokens":200,`+
		`"total_tokens":419,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{`+
		`"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},`+
		`"service_tier":"default","system_fingerprint":"fp_0392822090"}`, words(size))
}

// words is a JSON string with the escapes that text has.
func words(size int) []byte {
	const sentence = "It's a \"simple\" question, and the answer is four.\n"
	quoted, _ := json.Marshal(strings.Repeat(sentence, size/len(sentence)+1)[:size])
	return quoted
}

type repeated struct {
	chunk []byte
	left  int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.left--
	return copy(p, r.chunk), nil
}

func (r *repeated) Close() error { return nil }

// call makes one call, as an SDK and a transport would.
func (w *workload) call(mw middleware, space []byte) {
	req, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://api.openai.com/v1/chat/completions", bytes.NewReader(w.request))
	res, _ := mw(req, func(req *http.Request) (*http.Response, error) {
		drain(req.Body, space)
		return &http.Response{StatusCode: http.StatusOK, Header: w.header, Body: w.body()}, nil
	})
	drain(res.Body, space)
}

func drain(body io.ReadCloser, space []byte) {
	for {
		if _, err := body.Read(space); err != nil {
			break
		}
	}
	_ = body.Close()
}

// cost is what a variant adds to a call, or to a chunk.
type cost struct{ nanoseconds, allocations, bytes float64 }

const rounds = 41

func measure(w *workload, all []variant) map[string]cost {
	space := make([]byte, 32<<10)
	times := make(map[string][]float64)
	for round := range rounds + 1 {
		elapsed := make([]float64, len(all))
		for i, v := range all {
			start := processorTime()
			for range w.calls {
				w.call(v.mw, space)
			}
			elapsed[i] = float64((processorTime() - start).Nanoseconds()) / float64(w.calls)
		}
		if round == 0 {
			continue // warms up
		}
		for i, v := range all {
			times[v.name] = append(times[v.name], elapsed[i]-elapsed[0])
		}
	}
	costs := make(map[string]cost)
	var baseline cost
	for i, v := range all {
		slices.Sort(times[v.name])
		c := allocatedBy(w, v.mw, 50)
		if i == 0 {
			baseline = c
		}
		c.nanoseconds = times[v.name][rounds/2]
		c.allocations -= baseline.allocations
		c.bytes -= baseline.bytes
		costs[v.name] = c
	}
	return costs
}

// processorTime is what this process has used of the processors, which other processes do not change much.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func allocatedBy(w *workload, mw middleware, calls int) cost {
	space := make([]byte, 32<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		w.call(mw, space)
	}
	runtime.ReadMemStats(&after)
	n := float64(calls)
	return cost{allocations: float64(after.Mallocs-before.Mallocs) / n, bytes: float64(after.TotalAlloc-before.TotalAlloc) / n}
}

// held is how much memory an open stream keeps between two chunks, in bytes.
func held(mw middleware) float64 {
	const streams = 2000
	open := make([]*http.Response, 0, streams)
	request := requestBody()
	space := make([]byte, 4096)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	for range streams {
		req, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://api.openai.com/v1/chat/completions", bytes.NewReader(request))
		res, _ := mw(req, func(req *http.Request) (*http.Response, error) {
			drain(req.Body, space)
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: &repeated{chunk: []byte(chunk), left: 1000}}, nil
		})
		for range 3 {
			_, _ = res.Body.Read(space)
		}
		open = append(open, res)
	}
	after := heap()
	for _, res := range open {
		_ = res.Body.Close()
	}
	return (float64(after) - float64(before)) / streams
}

// firstChunk is how much later than without a middleware the first chunk of a stream arrives, over loopback, and how much a call
// without one varies: half the range of its middle half.
func firstChunk(all []variant) (added map[string]time.Duration, noise time.Duration, err error) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, chunk)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	}))
	defer server.Close()
	request, space := requestBody(), make([]byte, 32<<10)
	const calls = 1000
	took, differences := make([]time.Duration, 0, calls), make(map[string][]time.Duration)
	for call := range calls + 50 {
		var bare time.Duration
		for i, v := range all {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL+"/v1/chat/completions", bytes.NewReader(request))
			if err != nil {
				return nil, 0, err
			}
			start := time.Now()
			res, err := v.mw(req, server.Client().Transport.RoundTrip)
			if err != nil {
				return nil, 0, err
			}
			n, err := res.Body.Read(space)
			elapsed := time.Since(start)
			if n == 0 {
				return nil, 0, err
			}
			drain(res.Body, space)
			if i == 0 {
				bare = elapsed
			}
			if call >= 50 { // the first ones warm up
				differences[v.name] = append(differences[v.name], elapsed-bare)
				if i == 0 {
					took = append(took, elapsed)
				}
			}
		}
	}
	added = make(map[string]time.Duration)
	for name, list := range differences {
		slices.Sort(list)
		added[name] = list[calls/2]
	}
	slices.Sort(took)
	return added, (took[calls*3/4] - took[calls/4]) / 2, nil
}

// huge is an answer of 100 MB, most of it one text.
func huge() io.ReadCloser {
	const megabyte = 1 << 20
	text := []byte(strings.Repeat("It is four. ", megabyte/12))
	parts := []io.Reader{strings.NewReader(`{"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"content":"`)}
	for range 100 {
		parts = append(parts, bytes.NewReader(text))
	}
	return io.NopCloser(io.MultiReader(append(parts, strings.NewReader(`"}}]}`))...))
}

// bar is a limit of the project.
type bar struct {
	name   string
	figure float64
	limit  float64
	unit   string
}

func main() {
	all := variants()
	costs := make(map[string]map[string]cost)
	fmt.Println("| added by | 1 KB call, µs | allocations / bytes | 64 KB call, µs | allocations / bytes | streamed chunk, ns | allocations / bytes per stream | 2 MB line, µs |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, w := range workloads() {
		costs[w.name] = measure(&w, all)
	}
	for _, v := range all[1:] {
		small, large, stream, line := costs["1 KB call"][v.name], costs["64 KB call"][v.name], costs["streamed chunk"][v.name], costs["2 MB line"][v.name]
		fmt.Printf("| %s | %.1f | %.0f / %.0f | %.1f | %.0f / %.0f | %.0f | %.0f / %.0f | %.0f |\n", v.name, small.nanoseconds/1e3, small.allocations, small.bytes,
			large.nanoseconds/1e3, large.allocations, large.bytes, stream.nanoseconds/1000, stream.allocations, stream.bytes, line.nanoseconds/1e3)
	}
	fmt.Printf("\n1 KB call: %.1f times what otelhttp costs, %.1f times a span\n", costs["1 KB call"]["openaiotel"].nanoseconds/costs["1 KB call"]["otelhttp"].nanoseconds,
		costs["1 KB call"]["openaiotel"].nanoseconds/costs["1 KB call"]["a span and nothing else"].nanoseconds)
	delays, noise, err := firstChunk(all)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-openaiotel: the first chunk:", err)
		os.Exit(1)
	}
	fmt.Printf("first chunk later by: no-op middleware %v, otelhttp %v, openaiotel %v, with content %v; a call without varies by ±%v\n",
		delays["no-op middleware"], delays["otelhttp"], delays["openaiotel"], delays["openaiotel, content on spans"], noise)
	large := workload{request: requestBody(), header: http.Header{"Content-Type": {"application/json"}}, body: huge}
	hugeBytes := make(map[string]float64)
	for _, i := range []int{0, 5, 6} {
		start := processorTime()
		hugeBytes[all[i].name] = allocatedBy(&large, all[i].mw, 3).bytes
		fmt.Printf("100 MB answer, %s: %d ms, %.1f MB allocated\n", all[i].name, (processorTime()-start).Milliseconds()/3, hugeBytes[all[i].name]/1e6)
	}
	floor := held(all[2].mw)
	kept := held(all[5].mw) - floor
	fmt.Printf("\nheld per open stream, beyond the span itself: %.0f bytes\n\n", kept)

	off, on, not := "openaiotel", "openaiotel, content on spans", "openaiotel, not recording"
	stream := costs["streamed chunk"]
	short := 0
	for _, b := range []bar{
		{"1 KB call", costs["1 KB call"][off].nanoseconds / 1e3, 15, "µs"},
		{"1 KB call, allocations", costs["1 KB call"][off].allocations, 30, "allocations"},
		{"1 KB call, bytes", costs["1 KB call"][off].bytes, 6 << 10, "bytes"},
		{"64 KB call", costs["64 KB call"][off].nanoseconds / 1e3, 150, "µs"},
		{"64 KB call, bytes", costs["64 KB call"][off].bytes, 8 << 10, "bytes"},
		{"streamed chunk", stream[off].nanoseconds / 1e6, 1.2, "µs"},
		{"streamed chunk, allocations", float64(int(stream[off].allocations) / 1000), 0, "allocations"},
		{"held per open stream", kept, 2 << 10, "bytes"},
		{"first chunk", float64(delays[off].Microseconds()), float64(max(noise.Microseconds(), 1)), "µs later"},
		{"100 MB answer, bytes", (hugeBytes[off] - hugeBytes["none"]) / (1 << 20), 1, "MiB"},
		{"100 MB answer with content, bytes", (hugeBytes[on] - hugeBytes["none"]) / (1 << 20), 32, "MiB"},
		{"2 MB line, bytes", costs["2 MB line"][off].bytes / (1 << 20), 8, "MiB"},
		{"not recording", costs["1 KB call"][not].nanoseconds / 1e3, 3, "µs"},
		{"1 KB call with content", costs["1 KB call"][on].nanoseconds / 1e3, 40, "µs"},
		{"streamed chunk with content", stream[on].nanoseconds / 1e6, 3, "µs"},
	} {
		verdict := "ok"
		if b.figure > b.limit {
			verdict = "short"
			short++
		}
		fmt.Printf("%s: %.2f %s, at most %g, %s\n", b.name, b.figure, b.unit, b.limit, verdict)
	}
	if short > 0 {
		fmt.Fprintf(os.Stderr, "bench-openaiotel: %d bars are short\n", short)
		os.Exit(1)
	}
}
