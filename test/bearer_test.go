// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// MLflow itself takes no tokens: those who use them have a proxy before it, as here.
func TestTokenOpensTheProxyBeforeMLflow(t *testing.T) {
	mlflow := testbed.SharedMLflow(t)
	target, err := url.Parse(mlflow)
	require.NoError(t, err)
	behind := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer a-token" {
			http.Error(w, "no token, or another", http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)

	collector := startCollector(t, "otelcol-mlflow.yaml auth.yaml", proxy.URL,
		"OTELCOL_MLFLOW_AUTH=bearertokenauth", "MLFLOW_TRACKING_TOKEN=a-token")
	persona := newPersona()
	call := newCall(persona, "What is 2+2?")
	require.NoError(t, collector.SendHTTP(t.Context(), call))
	requireEachOnce(t, collector, mlflow, persona, []string{spanID(call)})
}
