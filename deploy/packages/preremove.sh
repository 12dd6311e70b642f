#!/bin/sh
# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

# Debian says "remove", RPM the number of versions that stay. An upgrade leaves it running until the new one restarts it.
set -e
if [ -d /run/systemd/system ] && { [ "$1" = remove ] || [ "$1" = 0 ]; }; then
	systemctl disable --now otelcol-mlflow.service
fi
