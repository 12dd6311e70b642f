#!/bin/sh
# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

# The queue stays in /var/lib/otelcol-mlflow: it may have spans that MLflow does not.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
