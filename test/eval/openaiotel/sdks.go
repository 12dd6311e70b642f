// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/responses"
	goopenai "github.com/sashabaranov/go-openai"

	"github.com/otelcol-mlflow/otelcol-mlflow/instrumentation/openaiotel"
)

// sdk makes the request of a recording. Without options it is not instrumented.
type sdk struct {
	name string
	call func(ctx context.Context, server *httptest.Server, r recording, opts ...openaiotel.Option) (outcome, error)
}

var sdks = []sdk{{"openai-go v3", callOpenAIGo}, {"go-openai", callGoOpenAI}}

// outcome is all that an application gets from a call.
type outcome struct {
	unsupported bool
	result      any
	failure     failure
}

// failure is an error without what differs between any two calls: the request, and the response that refers to it.
type failure struct {
	Text, Raw, Code, Type, Param string
	Status                       int
}

func callOpenAIGo(ctx context.Context, server *httptest.Server, r recording, opts ...openaiotel.Option) (outcome, error) {
	options := []option.RequestOption{
		option.WithBaseURL(server.URL + r.basePath()), option.WithAPIKey("none"), option.WithHTTPClient(server.Client()), option.WithMaxRetries(0),
	}
	if len(opts) > 0 {
		options = append(options, option.WithMiddleware(openaiotel.Middleware(opts...)))
	}
	client := openai.NewClient(options...)
	switch endpoint := r.endpoint(); {
	case endpoint == "chat/completions" && r.stream:
		return drain(client.Chat.Completions.NewStreaming(ctx, param.Override[openai.ChatCompletionNewParams](r.request)))
	case endpoint == "chat/completions":
		return result(client.Chat.Completions.New(ctx, param.Override[openai.ChatCompletionNewParams](r.request)))
	case endpoint == "completions" && r.stream:
		return drain(client.Completions.NewStreaming(ctx, param.Override[openai.CompletionNewParams](r.request)))
	case endpoint == "completions":
		return result(client.Completions.New(ctx, param.Override[openai.CompletionNewParams](r.request)))
	case endpoint == "responses" && r.stream:
		return drain(client.Responses.NewStreaming(ctx, param.Override[responses.ResponseNewParams](r.request)))
	case endpoint == "responses":
		return result(client.Responses.New(ctx, param.Override[responses.ResponseNewParams](r.request)))
	case endpoint == "embeddings":
		return result(client.Embeddings.New(ctx, param.Override[openai.EmbeddingNewParams](r.request)))
	default:
		var answer []byte
		err := client.Execute(ctx, r.method, strings.TrimPrefix(r.url.Path, "/"), bytes.NewReader(r.request), &answer)
		return result(&answer, err)
	}
}

// result is the outcome of a call whose answer is whole.
func result[T any](answer *T, err error) (outcome, error) {
	if err != nil {
		return outcome{failure: failureOf(err)}, nil
	}
	return outcome{result: *answer}, nil
}

// drain reads a stream of openai-go to its end.
func drain[T any](stream *ssestream.Stream[T]) (outcome, error) {
	var chunks []T
	for stream.Next() {
		chunks = append(chunks, stream.Current())
	}
	o := outcome{result: chunks}
	if err := stream.Err(); err != nil {
		o.failure = failureOf(err)
	}
	return o, stream.Close()
}

func failureOf(err error) failure {
	f := failure{Text: err.Error()}
	if e, ok := errors.AsType[*openai.Error](err); ok {
		f = failure{Text: f.Text, Raw: e.RawJSON(), Code: e.Code, Type: e.Type, Param: e.Param, Status: e.StatusCode}
	}
	if e, ok := errors.AsType[*goopenai.APIError](err); ok {
		code, _ := e.Code.(string)
		f = failure{Text: f.Text, Code: code, Type: e.Type, Status: e.HTTPStatusCode}
	}
	return f
}

func callGoOpenAI(ctx context.Context, server *httptest.Server, r recording, opts ...openaiotel.Option) (outcome, error) {
	config := goopenai.DefaultConfig("none")
	config.BaseURL = server.URL + r.basePath()[:len(r.basePath())-1]
	transport := server.Client().Transport
	if len(opts) > 0 {
		transport = openaiotel.NewTransport(transport, opts...)
	}
	config.HTTPClient = &http.Client{Transport: transport}
	client := goopenai.NewClientWithConfig(config)
	switch endpoint := r.endpoint(); {
	case endpoint == "chat/completions" && r.stream:
		return replayStream(r, func(req goopenai.ChatCompletionRequest) (receiver[goopenai.ChatCompletionStreamResponse], error) {
			return client.CreateChatCompletionStream(ctx, req)
		})
	case endpoint == "chat/completions":
		return replayCall(r, func(req goopenai.ChatCompletionRequest) (goopenai.ChatCompletionResponse, error) {
			return client.CreateChatCompletion(ctx, req)
		})
	case endpoint == "completions" && r.stream:
		return replayStream(r, func(req goopenai.CompletionRequest) (receiver[goopenai.CompletionResponse], error) {
			return client.CreateCompletionStream(ctx, req)
		})
	case endpoint == "completions":
		return replayCall(r, func(req goopenai.CompletionRequest) (goopenai.CompletionResponse, error) {
			return client.CreateCompletion(ctx, req)
		})
	case endpoint == "responses" && r.stream:
		return replayStream(r, func(req goopenai.CreateResponseRequest) (receiver[goopenai.ResponseStreamEvent], error) {
			return client.CreateResponseStream(ctx, req)
		})
	case endpoint == "responses":
		return replayCall(r, func(req goopenai.CreateResponseRequest) (goopenai.CreateResponseResponse, error) {
			return client.CreateResponse(ctx, req)
		})
	case endpoint == "embeddings":
		return replayCall(r, func(req goopenai.EmbeddingRequest) (goopenai.EmbeddingResponse, error) {
			return client.CreateEmbeddings(ctx, req)
		})
	default:
		return outcome{unsupported: true}, nil
	}
}

// replayCall makes a call of go-openai, whose requests are structs. What they cannot say is not replayed.
func replayCall[Request, Answer any](r recording, call func(Request) (Answer, error)) (outcome, error) {
	var req Request
	if err := json.Unmarshal(r.request, &req); err != nil {
		return outcome{unsupported: true}, nil //nolint:nilerr // the SDK has no such request
	}
	answer, err := call(req)
	// The headers of an answer have the time in them.
	if o, ok := any(&answer).(interface{ SetHeader(http.Header) }); ok {
		o.SetHeader(nil)
	}
	return result(&answer, err)
}

// receiver is a stream of go-openai.
type receiver[T any] interface {
	Recv() (T, error)
	Close() error
}

func replayStream[Request, Chunk any](r recording, call func(Request) (receiver[Chunk], error)) (outcome, error) {
	var req Request
	if err := json.Unmarshal(r.request, &req); err != nil {
		return outcome{unsupported: true}, nil //nolint:nilerr // the SDK has no such request
	}
	stream, err := call(req)
	if err != nil {
		return outcome{failure: failureOf(err)}, nil
	}
	var o outcome
	var chunks []Chunk
	for {
		chunk, err := stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				o.failure = failureOf(err)
			}
			break
		}
		chunks = append(chunks, chunk)
	}
	o.result = chunks
	return o, stream.Close()
}
