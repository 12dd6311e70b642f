// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel/attribute"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// batchNames are the fields of a batch that name something, by their attribute.
var batchNames = map[string]attribute.Key{
	"id":             semconv.OpenAIBatchID,
	"endpoint":       semconv.OpenAIBatchEndpoint,
	"status":         semconv.OpenAIBatchStatus,
	"input_file_id":  semconv.OpenAIBatchInputFileID,
	"output_file_id": semconv.OpenAIBatchOutputFileID,
	"error_file_id":  semconv.OpenAIBatchErrorFileID,
}

// readBatchRequest reads the request to create a batch. The answer says the rest.
func readBatchRequest(body gjson.Result, to *request) {
	to.attributes = appendName(to.attributeSpace[:0], semconv.OpenAIBatchEndpoint, name(body.Get("endpoint")))
}

// readBatchAnswer reads a batch.
func readBatchAnswer(answer gjson.Result, to *response) bool {
	if answer.Get("object").Str != "batch" {
		return false
	}
	var attrs []attribute.KeyValue
	answer.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "model":
			set(&to.model, value)
		case "request_counts":
			attrs = readCount(value.Get("total")).appendTo(attrs, semconv.OpenAIBatchRequestsTotal)
			attrs = readCount(value.Get("completed")).appendTo(attrs, semconv.OpenAIBatchRequestsCompleted)
			attrs = readCount(value.Get("failed")).appendTo(attrs, semconv.OpenAIBatchRequestsFailed)
		case "usage":
			u := readUsage(value)
			attrs = u.input.appendTo(attrs, semconv.OpenAIBatchUsageInputTokens)
			attrs = u.output.appendTo(attrs, semconv.OpenAIBatchUsageOutputTokens)
			attrs = u.cacheRead.appendTo(attrs, semconv.OpenAIBatchUsageCacheReadTokens)
			attrs = u.reasoning.appendTo(attrs, semconv.OpenAIBatchUsageReasoningTokens)
		default:
			if attr, ok := batchNames[key.Str]; ok {
				attrs = appendName(attrs, attr, name(value))
			}
		}
		return true
	})
	to.batch = attrs
	return false
}

// Batch is a batch that is over.
type Batch struct {
	// ID is the id of the batch.
	ID string
	// Endpoint is the path that its requests are for, "/v1/chat/completions".
	Endpoint string
	// CreatedAt and CompletedAt are the beginning and the end of every span.
	CreatedAt, CompletedAt time.Time
	// Persona tells the persona of a line from its custom_id; "" means that it does not say. It is asked where the metadata of
	// the request names none under persona.id or persona_id. Nil means never. What remains is the persona of the context.
	Persona func(customID string) string
}

// RecordBatch makes a span of every line of a batch's output file, or of its error file. Each is the span that the call would
// have had, with openai.batch.id, openai.batch.custom_id and the service tier batch; there is no duration metric, because
// nobody waited. input is the file that the batch was made from; without it, nil, the request model, the parameters and the
// prompts are not known.
//
// It reads input and output once, line by line, and looks up the line of input that each line of output answers. Of an input it
// keeps 16 bytes a line, of an output nothing; an input of more than a million lines is an error. It returns how many spans it
// made. Lines that are no results are skipped, and make an error once all others are recorded.
func RecordBatch(ctx context.Context, batch Batch, input io.ReaderAt, output io.Reader, opts ...Option) (int, error) {
	in := newInstrumentation(opts)
	requests, err := indexBatch(input)
	if err != nil {
		return 0, fmt.Errorf("reading the input of batch %q: %w", batch.ID, err)
	}
	lines := newLineReader(64 << 10)
	lines.source.Reset(output)
	recorded, malformed := 0, 0
	for ctx.Err() == nil {
		line, err := lines.next()
		if len(bytes.TrimSpace(line)) > 0 {
			if in.recordLine(ctx, &batch, requests, parseObject(line)) {
				recorded++
			} else {
				malformed++
			}
		}
		if err == io.EOF { //nolint:errorlint // only io.EOF itself is the end of a file
			break
		}
		if err != nil {
			return recorded, fmt.Errorf("reading the output of batch %q: %w", batch.ID, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return recorded, err
	}
	if malformed > 0 {
		return recorded, fmt.Errorf("%d lines of the output of batch %q are no results", malformed, batch.ID)
	}
	return recorded, nil
}

// recordLine makes the span of one line, and reports whether it is one.
func (in *instrumentation) recordLine(ctx context.Context, batch *Batch, requests *batchIndex, line gjson.Result) (recorded bool) {
	defer recovered("recording a line of a batch")
	customID := name(line.Get("custom_id"))
	if customID == "" {
		return false
	}
	asked := parseObject(requests.line(customID))
	path := cmp.Or(asked.Get("url").Str, batch.Endpoint)
	e := matchEndpoint(&http.Request{Method: http.MethodPost, URL: &url.URL{Path: path}})
	if e == nil {
		e = &endpoint{operation: semconv.OperationChat, readAnswer: readChatAnswer}
	}

	r := in.requests.get()
	defer in.requests.put(r)
	body := asked.Get("body")
	in.readRequest(r, e, body)
	said := labelsFrom(ctx)
	said.conversation = cmp.Or(said.conversation, r.conversation)
	if said.prompt.name == "" {
		said.prompt = r.prompt
	}
	said.persona = cmp.Or(batch.persona(body.Get("metadata"), customID), said.persona)

	c := in.newRecord(ctx, e, batch.CreatedAt, batch.CompletedAt)
	c.queued = true
	c.model = r.model
	c.provider = cmp.Or(in.provider, semconv.ProviderOpenAI)
	c.readLine(line)
	c.response.serviceTier = semconv.ServiceTierBatch
	attrs := appendName(r.attributes, semconv.OpenAIBatchID, batch.ID)
	attrs = appendName(attrs, semconv.OpenAIBatchCustomID, customID)
	var content input
	if in.content.mode != ContentNone {
		content = r.input(e, said.prompt.variables)
	}
	c.write(ctx, &said, attrs, content)
	return true
}

// readLine reads the answer, or the failure, of a line.
func (c *call) readLine(line gjson.Result) {
	status := readCount(line.Get("response.status_code")).n
	body := line.Get("response.body")
	if status < http.StatusBadRequest && body.IsObject() {
		c.endpoint.readAnswer(body, &c.response)
	} else {
		c.response.errorType, c.response.errorText = httpError(int(status), body)
	}
	if lineError := line.Get("error"); lineError.IsObject() {
		c.response.errorType = cmp.Or(apiErrorType(lineError), semconv.ErrorTypeOther)
		c.response.errorText = c.response.errorType
	}
	c.failure, c.description = c.response.errorType, cmp.Or(c.response.errorText, c.response.errorType)
}

func (b *Batch) persona(metadata gjson.Result, customID string) string {
	said := ""
	metadata.ForEach(func(key, value gjson.Result) bool {
		if key.Str == semconv.PersonaID || key.Str == "persona_id" {
			said = name(value)
		}
		return said == ""
	})
	if said == "" && b.Persona != nil {
		said = b.Persona(customID)
	}
	return said
}

// maxBatchLines is how many lines of an input are looked up. OpenAI allows 50,000 in a batch, Azure 100,000.
const maxBatchLines = 1 << 20

// batchIndex finds the line of an input file that has a custom_id. An output may have its lines in any order, so there must be
// something to find each line by, and this is the least that does without a file of its own: 16 bytes a line.
type batchIndex struct {
	file  io.ReaderAt
	seed  maphash.Seed
	lines []indexedLine // by their hash
	found lineReader
}

type indexedLine struct {
	hash   uint64 // of the custom_id
	offset int64
}

func indexBatch(file io.ReaderAt) (*batchIndex, error) {
	b := &batchIndex{file: file, seed: maphash.MakeSeed(), found: newLineReader(4 << 10)}
	if file == nil {
		return b, nil
	}
	lines := newLineReader(64 << 10)
	lines.source.Reset(io.NewSectionReader(file, 0, math.MaxInt64))
	for {
		start := lines.read
		line, err := lines.next()
		if id := parseObject(line).Get("custom_id").Str; id != "" {
			if len(b.lines) == maxBatchLines {
				return nil, fmt.Errorf("it has more than %d lines: record it in parts", maxBatchLines)
			}
			b.lines = append(b.lines, indexedLine{maphash.String(b.seed, id), start})
		}
		if err == io.EOF { //nolint:errorlint // only io.EOF itself is the end of a file
			slices.SortFunc(b.lines, func(a, b indexedLine) int { return cmp.Compare(a.hash, b.hash) })
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// line returns the line with the custom_id, which is valid until the next call, and nil when there is none.
func (b *batchIndex) line(customID string) []byte {
	hash := maphash.String(b.seed, customID)
	at, _ := slices.BinarySearchFunc(b.lines, hash, func(l indexedLine, hash uint64) int { return cmp.Compare(l.hash, hash) })
	for ; at < len(b.lines) && b.lines[at].hash == hash; at++ {
		offset := b.lines[at].offset
		b.found.source.Reset(io.NewSectionReader(b.file, offset, math.MaxInt64-offset))
		if line, _ := b.found.next(); parseObject(line).Get("custom_id").Str == customID {
			return line
		}
	}
	return nil
}

// lineReader reads lines of any length. Of a line that is too long it gives what a [shrinker] leaves of it.
type lineReader struct {
	source *bufio.Reader
	read   int64
	line   bytes.Buffer
	shrunk bytes.Buffer
}

func newLineReader(buffer int) lineReader {
	return lineReader{source: bufio.NewReaderSize(nil, buffer)}
}

// next returns the next line, which is valid until the next call, also beside the error that ended it.
func (l *lineReader) next() ([]byte, error) {
	l.line.Reset()
	var long *shrinker
	for {
		piece, err := l.source.ReadSlice('\n')
		l.read += int64(len(piece))
		switch {
		case long != nil:
			long.write(piece)
		case l.line.Len()+len(piece) > maxAnswer:
			l.shrunk.Reset()
			long = &shrinker{out: &l.shrunk}
			long.write(l.line.Bytes())
			long.write(piece)
		default:
			l.line.Write(piece)
		}
		if err == bufio.ErrBufferFull { //nolint:errorlint // ReadSlice does not wrap it
			continue
		}
		if long != nil {
			return long.document(), err
		}
		return l.line.Bytes(), err
	}
}
