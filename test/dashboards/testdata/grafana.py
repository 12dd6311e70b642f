# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

"""Reads dashboards with Grafana's own types, writes them again, and prints what these do not know or have otherwise."""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def differences(ours, theirs, path):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from differences(value, theirs[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is unknown"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, (a, b) in enumerate(zip(ours, theirs)):
            yield from differences(a, b, f"{path}[{i}]")
    elif ours != theirs:
        yield f"{path} is {ours!r}, to Grafana {theirs!r}"


register_default_plugins()
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        ours = json.load(file)
    theirs = json.loads(json.dumps(Dashboard.from_json(ours), cls=JSONEncoder))
    for difference in differences(ours, theirs, name):
        print(difference)
