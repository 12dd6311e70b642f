// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package trackingtest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/trackingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFakeConforms(t *testing.T) {
	fake := trackingtest.NewFake()
	t.Cleanup(fake.Close)
	trackingtest.Suite(t, fake.URL)
}

func TestMLflowConforms(t *testing.T) {
	trackingtest.Suite(t, testbed.SharedMLflow(t))
}
