// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv/semconvtest"
)

// check is one comparison of the table. Both sides are text, so that a difference can be shown.
type check struct{ want, got string }

func (c check) equal() bool { return c.want == c.got }

func (t *tally) replay(ctx context.Context, sdk sdk, r recording) error {
	line := row{sdk: sdk.name, endpoint: r.endpoint(), form: r.form()}
	if line.endpoint == "" {
		line.endpoint = "others"
	}
	var sent []byte // the request of the last call
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		sent, _ = io.ReadAll(req.Body) // never nil
		maps.Copy(w.Header(), r.header)
		w.WriteHeader(r.status)
		for event := range strings.SplitAfterSeq(string(r.body), "\n\n") {
			_, _ = io.WriteString(w, event)
			w.(http.Flusher).Flush()
		}
	}))
	defer server.Close()

	without, err := sdk.call(ctx, server, r)
	if without.unsupported || sent == nil {
		t.skip(line) // the SDK has no such call, or refuses to send it
		return nil
	}
	if err != nil {
		return err
	}
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	with, err := sdk.call(ctx, server, r, openaiotel.WithTracerProvider(provider),
		openaiotel.WithContent(openaiotel.ContentSpan), openaiotel.WithProvider("recorded"))
	if err != nil {
		return err
	}
	checks := map[string]check{"result": compare(without, with)}
	spans := recorder.Ended()
	switch {
	case r.endpoint() == "" && len(spans) == 0:
	case r.endpoint() != "" && len(spans) == 1:
		compareSpan(checks, r, sent, spans[0])
	default:
		checks["model"] = check{"a span where the endpoint is observed", fmt.Sprintf("%d spans", len(spans))}
	}
	t.add(line, r.name, checks)
	return nil
}

// compare holds the two outcomes to deep equality.
func compare(without, with outcome) check {
	if reflect.DeepEqual(without, with) {
		return check{}
	}
	return check{fmt.Sprintf("%+v", without), fmt.Sprintf("%+v", with)}
}

func compareSpan(checks map[string]check, r recording, sent []byte, span sdktrace.ReadOnlySpan) {
	attrs := make(map[string]any)
	for _, a := range span.Attributes() {
		attrs[string(a.Key)] = a.Value.AsInterface()
	}
	var request map[string]any
	_ = json.Unmarshal(sent, &request)
	want := r.expected()

	checks["conventions"] = check{"", ""}
	if err := semconvtest.CheckSpan(span); err != nil {
		checks["conventions"] = check{"nothing wrong", err.Error()}
	}
	checks["model"] = check{
		fmt.Sprintf("%s → %s", str(request["model"]), want.model),
		fmt.Sprintf("%s → %s", str(attrs["gen_ai.request.model"]), str(attrs["gen_ai.response.model"])),
	}
	checks["error type"] = check{
		fmt.Sprintf("%q, error %t", want.errorType, want.errorType != ""),
		fmt.Sprintf("%q, error %t", str(attrs["error.type"]), span.Status().Code.String() == "Error"),
	}
	if want.errorType != "" && r.status >= http.StatusBadRequest {
		return
	}
	checks["usage"] = check{expectedUsage(r.usage), spanUsage(attrs)}
	if r.endpoint() == "embeddings" {
		return
	}
	reasons, _ := attrs["gen_ai.response.finish_reasons"].([]string)
	checks["finish reasons"] = check{strings.Join(want.finishReasons, ","), strings.Join(reasons, ",")}
	lines := spanLines(str(attrs["gen_ai.system_instructions"]), true)
	lines = append(lines, spanLines(str(attrs["gen_ai.input.messages"]), false)...)
	lines = append(lines, spanLines(str(attrs["gen_ai.output.messages"]), false)...)
	checks["messages"] = check{strings.Join(append(input(request), want.output...), "\n"), strings.Join(lines, "\n")}
}

// usageNames are the attributes of the numbers of a usage object, under the names of the chat and of the Responses API.
var usageNames = []struct {
	attribute string
	chat      []string
	responses []string
}{
	{"gen_ai.usage.input_tokens", []string{"prompt_tokens"}, []string{"input_tokens"}},
	{"gen_ai.usage.output_tokens", []string{"completion_tokens"}, []string{"output_tokens"}},
	{"gen_ai.usage.cache_read.input_tokens", []string{"prompt_tokens_details", "cached_tokens"}, []string{"input_tokens_details", "cached_tokens"}},
	{"gen_ai.usage.reasoning.output_tokens", []string{"completion_tokens_details", "reasoning_tokens"}, []string{"output_tokens_details", "reasoning_tokens"}},
	{"gen_ai.usage.audio.input_tokens", []string{"prompt_tokens_details", "audio_tokens"}, []string{"input_tokens_details", "audio_tokens"}},
	{"gen_ai.usage.audio.output_tokens", []string{"completion_tokens_details", "audio_tokens"}, []string{"output_tokens_details", "audio_tokens"}},
}

func expectedUsage(usage map[string]any) string {
	var all []string
	for _, n := range usageNames {
		value := any("absent")
		for _, path := range [][]string{n.chat, n.responses} {
			if v, ok := at(usage, path); ok {
				value = int64(v)
			}
		}
		all = append(all, fmt.Sprintf("%s=%v", n.attribute, value))
	}
	return strings.Join(all, " ")
}

func at(usage map[string]any, path []string) (float64, bool) {
	for _, key := range path[:len(path)-1] {
		usage = object(usage[key])
	}
	v, ok := usage[path[len(path)-1]].(float64)
	return v, ok
}

func spanUsage(attrs map[string]any) string {
	var all []string
	for _, n := range usageNames {
		value, ok := attrs[n.attribute]
		if !ok {
			value = "absent"
		}
		all = append(all, fmt.Sprintf("%s=%v", n.attribute, value))
	}
	return strings.Join(all, " ")
}

// spanLines are the lines of messages in the conventions' form.
func spanLines(attribute string, instructions bool) []string {
	if attribute == "" {
		return nil
	}
	type part struct {
		Type, Content, ID, Name, Modality string
		Arguments, Response               json.RawMessage
	}
	var messages []struct {
		Role  string
		Parts []part
	}
	if instructions {
		attribute = `[{"role":"instructions","parts":` + attribute + `}]`
	}
	if err := json.Unmarshal([]byte(attribute), &messages); err != nil {
		return []string{"malformed: " + err.Error()}
	}
	var lines []string
	for _, m := range messages {
		for _, p := range m.Parts {
			switch {
			case instructions:
				lines = append(lines, "instructions: "+p.Content)
			case p.Type == "text" || p.Type == "refusal":
				lines = append(lines, m.Role+" "+p.Type+": "+p.Content)
			case p.Type == "reasoning":
				lines = append(lines, "reasoning: "+p.Content)
			case p.Type == "blob" || p.Type == "uri" || p.Type == "file":
				lines = append(lines, m.Role+" media: "+p.Modality)
			case p.Type == "tool_call":
				lines = append(lines, callLine(p.ID, p.Name, argumentText(p.Arguments)))
			case p.Type == "tool_call_response":
				lines = append(lines, fmt.Sprintf("tool %s: %s", p.ID, argumentText(p.Response)))
			case p.Type == "server_tool_call":
				lines = append(lines, "item "+p.Name+"_call")
			default:
				lines = append(lines, m.Role+" "+p.Type)
			}
		}
	}
	return lines
}

// argumentText is the text of a JSON string, and other JSON as it is.
func argumentText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
