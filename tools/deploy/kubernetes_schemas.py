# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

"""Copies Kubernetes' JSON schemas out of the package kubernetes-validate, changed so that kubeconform finds each reference
in the same folder.

    kubernetes_schemas.py TARGET VERSION...    writes TARGET/VERSION/{kind}-{group}-{version}.json
"""

import importlib.util
import json
import pathlib
import sys

target, *versions = sys.argv[1:]
# Not imported: it would want packages for validating, which is not done here.
(package,) = importlib.util.find_spec("kubernetes_validate").submodule_search_locations
schemas = pathlib.Path(package, "kubernetes-json-schema")
for version in versions:
    folder = pathlib.Path(target, version)
    folder.mkdir(parents=True, exist_ok=True)
    for file in (schemas / f"v{version}.0-local-strict").glob("*.json"):
        schema = json.loads(file.read_text().replace("/api/_definitions.json#", "_definitions.json#"))
        schema.pop("$id", None)
        (folder / file.name).write_text(json.dumps(schema))
