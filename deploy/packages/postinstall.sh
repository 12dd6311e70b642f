#!/bin/sh
# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

# The first install starts nothing: /etc/otelcol-mlflow/environment must say where MLflow is. An upgrade goes on.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart otelcol-mlflow.service
fi
