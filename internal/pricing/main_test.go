// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package pricing_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
