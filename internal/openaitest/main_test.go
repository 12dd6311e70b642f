// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest_test

import (
	"net/http"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/openaitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a server and makes a client that closes its connections before the server stops.
func start(t *testing.T, opts ...openaitest.Option) (*openaitest.Server, openai.Client) {
	t.Helper()
	server := openaitest.NewServer(opts...)
	t.Cleanup(server.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return server, openai.NewClient(
		option.WithBaseURL(server.BaseURL()),
		option.WithAPIKey("test"),
		option.WithHTTPClient(&http.Client{Transport: transport}),
	)
}

func ask(model, system, user string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(system), openai.UserMessage(user)},
	}
}
