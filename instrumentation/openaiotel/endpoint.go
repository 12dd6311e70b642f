// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/otel/attribute"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

// endpoint is one API operation: how to recognise it, and how to read its request and its answer.
type endpoint struct {
	pathSuffix string
	operation  string
	apiType    string

	// readRequest reads a request body.
	readRequest func(body gjson.Result) request
	// readAnswer adds a whole answer, or one chunk of a streamed answer, to what is known.
	readAnswer func(answer gjson.Result, to *response)
}

var endpoints = []endpoint{{
	pathSuffix:  "/chat/completions",
	operation:   semconv.OperationChat,
	apiType:     semconv.APITypeChatCompletions,
	readRequest: readChatRequest,
	readAnswer:  readChatAnswer,
}}

// matchEndpoint returns nil for a request that is not observed.
func matchEndpoint(req *http.Request) *endpoint {
	if req == nil || req.URL == nil || req.Method != http.MethodPost {
		return nil
	}
	for i := range endpoints {
		if strings.HasSuffix(req.URL.Path, endpoints[i].pathSuffix) {
			return &endpoints[i]
		}
	}
	return nil
}

var azureHosts = []string{".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"}

func providerOf(host string) string {
	host = strings.ToLower(host)
	for _, suffix := range azureHosts {
		if strings.HasSuffix(host, suffix) {
			return semconv.ProviderAzureOpenAI
		}
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
	return strings.ToValidUTF8(deployment, "\uFFFD")
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
