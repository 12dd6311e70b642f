// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// bucket stands in for an S3 that is not Amazon's: it keeps objects of who has the access key, and gives them back.
type bucket struct {
	http.Server
	url     string
	objects sync.Map // content by path
}

func startBucket(ctx context.Context) (*bucket, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &bucket{url: "http://" + listener.Addr().String()}
	b.Handler, b.ReadHeaderTimeout = b, time.Minute
	go func() { _ = b.Serve(listener) }() // until Close
	return b, nil
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Authorization"), "Credential="+accessKey+"/") {
		http.Error(w, "not signed", http.StatusForbidden)
		return
	}
	w.Header().Set("ETag", `"1"`)
	if r.Method == http.MethodPut {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b.objects.Store(r.URL.Path, content)
		return
	}
	if r.URL.Query().Has("list-type") {
		// MLflow asks whether what it is to send is a folder.
		_, _ = io.WriteString(w, `<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>`)
		return
	}
	content, found := b.objects.Load(r.URL.Path)
	if !found {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content.([]byte)))
}

// prompt is the key of a prompt in the bucket that the values name.
func (b *bucket) prompt() (key string, err error) {
	var paths []string
	b.objects.Range(func(path, _ any) bool {
		paths = append(paths, path.(string))
		return true
	})
	for _, path := range paths {
		if key, found := strings.CutPrefix(path, "/mlflow/"); found && strings.HasSuffix(key, "/artifacts/prompt.txt") {
			return key, nil
		}
	}
	return "", fmt.Errorf("the object store has no prompt.txt in the bucket mlflow, but %q", paths)
}
