// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel/attribute"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// endpoint is one API operation: how to recognise it, and how to read its request and its answer.
type endpoint struct {
	method    string
	path      string // how the path ends; a last segment of {id} stands for any
	operation string
	apiType   string // "" where the conventions have none
	content   string // the key of the request that holds what the model is asked

	// readRequest reads a request body that calls no model; nil for the others.
	readRequest func(body gjson.Result, to *request)
	// readContent gives the content in the form of the conventions; nil where there is none.
	readContent func(content gjson.Result) []message
	// readAnswer adds a whole answer, or one event of a streamed answer, to what is known. It reports whether the event is
	// the last one.
	readAnswer func(answer gjson.Result, to *response) bool

	noChoices bool // an answer has no choices that could have a finish reason
	noUsage   bool // usage was reported by another call
	noModel   bool // no model is called
}

var endpoints = []*endpoint{{
	method: http.MethodPost, path: "/chat/completions",
	operation: semconv.OperationChat, apiType: semconv.APITypeChatCompletions,
	content: "messages", readContent: inputMessages, readAnswer: readChatAnswer,
}, {
	method: http.MethodPost, path: "/responses",
	operation: semconv.OperationChat, apiType: semconv.APITypeResponses,
	content: "input", readContent: inputItems, readAnswer: readResponsesAnswer,
}, {
	method: http.MethodGet, path: "/responses/{id}",
	operation: semconv.OperationFetchResponse, apiType: semconv.APITypeResponses,
	readAnswer: readResponsesAnswer, noUsage: true,
}, {
	method: http.MethodPost, path: "/embeddings",
	operation: semconv.OperationEmbeddings,
	content:   "input", readContent: promptMessages, readAnswer: readChatAnswer, noChoices: true,
}, {
	method: http.MethodPost, path: "/completions",
	operation: semconv.OperationTextCompletion,
	content:   "prompt", readContent: promptMessages, readAnswer: readChatAnswer,
}, {
	method: http.MethodPost, path: "/batches",
	operation: semconv.OperationCreateBatch, readRequest: readBatchRequest, readAnswer: readBatchAnswer,
	noChoices: true, noModel: true,
}, {
	method: http.MethodGet, path: "/batches/{id}",
	operation: semconv.OperationRetrieveBatch, readAnswer: readBatchAnswer, noChoices: true, noModel: true,
}}

// matchEndpoint returns nil for a request that is not observed.
func matchEndpoint(req *http.Request) *endpoint {
	if req == nil || req.URL == nil {
		return nil
	}
	for _, e := range endpoints {
		if e.matches(req.Method, req.URL.Path) {
			return e
		}
	}
	return nil
}

func (e *endpoint) matches(method, path string) bool {
	if method != e.method {
		return false
	}
	if parent, anyID := strings.CutSuffix(e.path, "/{id}"); anyID {
		last := strings.LastIndexByte(path, '/')
		return last >= 0 && last < len(path)-1 && strings.HasSuffix(path[:last], parent)
	}
	return strings.HasSuffix(path, e.path)
}

// messages gives the content of a request in the form of the conventions.
func (e *endpoint) messages(content gjson.Result) []message {
	if e.readContent == nil {
		return nil
	}
	return e.readContent(content)
}

var azureHosts = []string{".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"}

// azureDeployments begins the paths that only Azure OpenAI has, also behind a gateway with a host of its own.
const azureDeployments = "/openai/deployments/"

func providerOf(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	isAzure := func(suffix string) bool { return strings.HasSuffix(host, suffix) }
	if slices.ContainsFunc(azureHosts, isAzure) || strings.Contains(u.Path, azureDeployments) {
		return semconv.ProviderAzureOpenAI
	}
	return semconv.ProviderOpenAI
}

// azureDeployment returns the deployment that the path names, and "" for a path without one. On Azure it stands for the
// model, which the body need not repeat: /openai/deployments/{deployment}/chat/completions.
func azureDeployment(path string) string {
	_, rest, _ := strings.Cut(path, "/deployments/")
	deployment, _, _ := strings.Cut(rest, "/")
	if len(deployment) > maxNameLength {
		return ""
	}
	return validText(deployment)
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

func appendServer(attrs []attribute.KeyValue, u *url.URL) []attribute.KeyValue {
	host := u.Hostname()
	if host == "" {
		return attrs
	}
	attrs = appendName(attrs, semconv.ServerAddress, host)
	port := u.Port()
	if port == "" {
		port = defaultPorts[u.Scheme]
	}
	if n, err := strconv.Atoi(port); err == nil {
		attrs = append(attrs, attribute.Int(semconv.ServerPort, n))
	}
	return attrs
}

// resendCount is how many attempts openai-go made before this one.
func resendCount(h http.Header) int {
	attempt := h.Get("X-Stainless-Retry-Count")
	if attempt == "" {
		return 0
	}
	n, _ := strconv.Atoi(attempt) // 0 for what is no number
	return n
}
