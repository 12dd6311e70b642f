// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// The race detector allocates, makes pools forget, and slows all of this down ten times: make check-memory runs it without.
//go:build !race

package openaiotel_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// The bars of make bench-openaiotel that do not depend on the machine.
func TestMemoryOfACall(t *testing.T) {
	request := requestOf(t)
	small, big := answerOf(t, 400), answerOf(t, 64<<10)
	middlewares := benchmarkedMiddlewares()
	for _, test := range []struct {
		name, middleware string
		answer           []byte
		allocations      int64
		bytes            int64
	}{
		{"1 KB", "content=off", small, 30, 6 << 10},
		{"64 KB, which is not kept", "content=off", big, 30, 8 << 10},
		{"1 KB, not recording", "not recording", small, 15, 2 << 10},
		{"1 KB with content", "content=on", small, 70, 20 << 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			allocations, bytes := perCall(t, middlewares["baseline"], request, test.answer)
			gotAllocations, gotBytes := perCall(t, middlewares[test.middleware], request, test.answer)
			t.Logf("%d allocations, %d bytes", gotAllocations-allocations, gotBytes-bytes)
			require.LessOrEqual(t, gotAllocations-allocations, test.allocations, "allocations")
			require.LessOrEqual(t, gotBytes-bytes, test.bytes, "bytes")
		})
	}
}

// perCall is what a call allocates, once the pools have something.
func perCall(t *testing.T, middleware middleware, request, answer []byte) (allocations, bytes int64) {
	const calls = 100
	for range calls {
		call(t, middleware, request, answer, "application/json")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		call(t, middleware, request, answer, "application/json")
	}
	runtime.ReadMemStats(&after)
	return int64(after.Mallocs-before.Mallocs) / calls, int64(after.TotalAlloc-before.TotalAlloc) / calls
}

func TestMemoryOfAChunk(t *testing.T) {
	chunk := chunk("chatcmpl-1", `"choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]`)
	for name, middleware := range benchmarkedMiddlewares() {
		if name == "content=on" {
			continue // content is kept
		}
		t.Run(name, func(t *testing.T) {
			res := openEndless(t, middleware, chunk)
			p := make([]byte, 4096)
			require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = res.Body.Read(p) }))
			require.NoError(t, res.Body.Close())
		})
	}
}

func TestMemoryOfAnOpenStream(t *testing.T) {
	const streams = 2000
	chunk := chunk("chatcmpl-1", `"choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]`)
	middlewares := benchmarkedMiddlewares()
	held := func(middleware middleware) int64 {
		before := liveHeap()
		open := make([]*http.Response, 0, streams)
		for range streams {
			open = append(open, openEndless(t, middleware, chunk))
		}
		after := liveHeap()
		for _, res := range open {
			require.NoError(t, res.Body.Close())
		}
		return (int64(after) - int64(before)) / streams
	}
	span := held(middlewares["span only"])
	kept := held(middlewares["content=off"]) - span
	t.Logf("%d bytes, beside the span's %d", kept, span)
	require.LessOrEqual(t, kept, int64(2<<10))
}

// openEndless returns a stream of which three chunks were read.
func openEndless(t *testing.T, middleware middleware, chunk string) *http.Response {
	res, err := middleware(newRequest(t, requestOf(t)), func(req *http.Request) (*http.Response, error) {
		drain(t, req)
		return response("text/event-stream", &endless{chunk: []byte(chunk)}), nil
	})
	require.NoError(t, err)
	p := make([]byte, 4096)
	for range 3 {
		_, err := res.Body.Read(p)
		require.NoError(t, err)
	}
	return res
}

// large is a body of 100 MB: a beginning, something that repeats, and an end.
type large struct{ before, repeated, after string }

const largeSize = 100 * megabyte

// reader repeats pieces of a MB or so, so that making the body takes no time.
func (l large) reader() io.Reader {
	piece := strings.Repeat(l.repeated, megabyte/len(l.repeated))
	readers := []io.Reader{strings.NewReader(l.before)}
	for range largeSize/len(piece) + 1 {
		readers = append(readers, strings.NewReader(piece))
	}
	return io.MultiReader(append(readers, strings.NewReader(l.after))...)
}

// checksum is what is left of a body of any size.
func checksum(t testing.TB, body io.Reader) (sum uint32, length int64) {
	hash := crc32.NewIEEE()
	length, err := io.Copy(hash, body)
	require.NoError(t, err)
	return hash.Sum32(), length
}

// Of a body of any size the application gets every byte, and the instrumentation keeps little.
func TestMemoryOfLargeBodies(t *testing.T) {
	const (
		model   = `"model":"m-1","usage":{"prompt_tokens":24,"completion_tokens":9}`
		atMost  = 32 << 20 // allocated in all, by far more than is held at a time
		jsonOf  = "application/json"
		eventOf = "text/event-stream"
	)
	before, after, _ := strings.Cut(plainRequest, "What is 2+2?")
	content := large{`{"choices":[{"message":{"content":"`, "It is four. ", `"},"finish_reason":"stop"}],` + model + `}`}
	chunk := `data: {"choices":[{"index":0,"delta":{"content":" word"}}]}` + "\n\n"
	end := `data: {"choices":[],` + model + "}\n\ndata: [DONE]\n\n"
	for name, test := range map[string]struct {
		request, answer large
		contentType     string
		length          int64 // of the request; 0 for one that is not known
		status          int
		usage           bool // is on the span all the same
	}{
		"request":                   {request: large{before, "x", after}},
		"request of a known length": {request: large{before, "x", after}, length: largeSize},
		"request that is no JSON":   {request: large{"", "\x00\"[{,", ""}},
		"answer":                    {answer: content, contentType: jsonOf, usage: true},
		"vectors":                   {answer: large{`{"data":[{"embedding":[0`, ",-0.0123456789", "]}]," + model + "}"}, contentType: jsonOf, usage: true},
		"many small strings":        {answer: large{`{"a":[0`, `,"abcdefgh"`, "]," + model + "}"}, contentType: jsonOf},
		"deep":                      {answer: large{"", "[", ""}, contentType: jsonOf},
		"error":                     {answer: content, contentType: jsonOf, status: http.StatusInternalServerError},
		"line without an end":       {answer: large{"", "data: x", ""}, contentType: eventOf},
		"event without an end":      {answer: large{"", "data: x\n", ""}, contentType: eventOf},
		"line in a stream":          {answer: large{`data: {"a":"`, "x", "\"}\n\n" + end}, contentType: eventOf, usage: true},
		"stream of chunks":          {answer: large{"", chunk, end}, contentType: eventOf, usage: true},
		"blank lines":               {answer: large{"", "\n", end}, contentType: eventOf, usage: true},
	} {
		t.Run(name, func(t *testing.T) {
			if test.request.repeated == "" {
				test.request = large{repeated: " ", after: plainRequest}
			}
			wantSent, length := checksum(t, test.request.reader())
			wantAnswer, _ := uint32(0), int64(0)
			if test.answer.repeated != "" {
				wantAnswer, _ = checksum(t, test.answer.reader())
			}
			r := newRecorder(t)
			middleware := r.middleware(openaiotel.WithContent(openaiotel.ContentSpan))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.openai.com/v1/chat/completions", test.request.reader())
			require.NoError(t, err)
			req.ContentLength = -1
			if test.length > 0 {
				req.ContentLength = length
			}

			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			allocated := stats.TotalAlloc
			res, err := middleware(req, func(sent *http.Request) (*http.Response, error) {
				got, _ := checksum(t, sent.Body)
				require.Equal(t, wantSent, got)
				require.NoError(t, sent.Body.Close())
				body := io.Reader(http.NoBody)
				if test.answer.repeated != "" {
					body = test.answer.reader()
				}
				return &http.Response{
					StatusCode: max(test.status, http.StatusOK), Header: http.Header{"Content-Type": {test.contentType}}, Body: io.NopCloser(body),
				}, nil
			})
			require.NoError(t, err)
			got, _ := checksum(t, res.Body)
			require.NoError(t, res.Body.Close())
			runtime.ReadMemStats(&stats)
			require.Equal(t, wantAnswer, got)
			require.Less(t, stats.TotalAlloc-allocated, uint64(atMost))
			t.Logf("%d KB allocated", (stats.TotalAlloc-allocated)>>10)

			s := r.recordedOne(t)
			if test.usage {
				require.Equal(t, int64(24), s.Attributes["gen_ai.usage.input_tokens"])
			}
			if output, found := s.Attributes["gen_ai.output.messages"]; found {
				require.Equal(t, `[{"role":"assistant","parts":[],"finish_reason":"error"}]`, output, "there is no content of what is too large")
			}
		})
	}
}

// manyLines is a file of many lines, all of one length, that is never in memory.
type manyLines struct {
	line  func(i int) string
	count int
	read  int64
}

func (m *manyLines) ReadAt(p []byte, offset int64) (int, error) {
	n, length := 0, int64(len(m.line(0)))
	for n < len(p) {
		i := offset / length
		if i == int64(m.count) {
			return n, io.EOF
		}
		copied := copy(p[n:], m.line(int(i))[offset%length:])
		n, offset = n+copied, offset+int64(copied)
	}
	return n, nil
}

func (m *manyLines) Read(p []byte) (int, error) {
	n, err := m.ReadAt(p, m.read)
	m.read += int64(n)
	return n, err
}

// peak is the largest heap that was live when a span ended, of every 10,000th.
type peak struct {
	ended     int
	bytes     uint64
	withInput int
}

func (p *peak) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (p *peak) Shutdown(context.Context) error                  { return nil }
func (p *peak) ForceFlush(context.Context) error                { return nil }

func (p *peak) OnEnd(span sdktrace.ReadOnlySpan) {
	if attributeOf(span, "gen_ai.input.messages") != nil {
		p.withInput++
	}
	if p.ended++; p.ended%10_000 == 1 {
		p.bytes = max(p.bytes, liveHeap())
	}
}

func liveHeap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what a pool holds survives one
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// A batch of 100 MB and as much of answers, in any order: what is held is an index of the input, and no line.
func TestMemoryOfRecordBatch(t *testing.T) {
	const lines = 50_000
	content := strings.Repeat("x", 2000)
	input := &manyLines{count: lines, line: func(i int) string {
		return fmt.Sprintf(`{"custom_id":"%05d","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"`, i) + content + `"}]}}` + "\n"
	}}
	output := &manyLines{count: lines, line: func(i int) string {
		return fmt.Sprintf(`{"custom_id":"%05d","response":{"status_code":200,"body":{"model":"m","choices":[{"message":{"content":"`, i*7919%lines) + content + `"}}]}}}` + "\n"
	}}
	for name, test := range map[string]struct {
		input io.ReaderAt
		want  int // spans that have their input
		limit int64
	}{
		"without its input": {nil, 0, 256 << 10},
		"with its input":    {input, lines, 256<<10 + lines*16*5/4}, // a slice that grows has up to a quarter to spare
	} {
		t.Run(name, func(t *testing.T) {
			spans := new(peak)
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
			output.read = 0
			before := liveHeap()
			n, err := openaiotel.RecordBatch(t.Context(), openaiotel.Batch{ID: "b", Endpoint: "/v1/chat/completions"}, test.input, output,
				openaiotel.WithTracerProvider(provider), openaiotel.WithContent(openaiotel.ContentSpan))
			require.NoError(t, err)
			require.Equal(t, lines, n)
			require.Equal(t, test.want, spans.withInput)
			held := int64(spans.bytes) - int64(before)
			t.Logf("%d bytes held", held)
			require.Less(t, held, test.limit)
		})
	}
}
