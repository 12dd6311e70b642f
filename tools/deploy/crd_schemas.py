# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

"""Makes JSON schemas for kubeconform, in which an unknown field is an error, from custom resource definitions.

    crd_schemas.py TARGET CRD.json...    writes TARGET/{kind}.json
"""

import json
import pathlib
import sys

# What validates nothing here.
SKIPPED = {"description", "default", "format"}


def strict(schema):
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    result = {
        key: {name: strict(field) for name, field in value.items()} if key == "properties" else strict(value)
        for key, value in schema.items()
        if key not in SKIPPED and not key.startswith("x-kubernetes-")
    }
    if "properties" in result:
        result.setdefault("additionalProperties", False)
    return result


target, *files = sys.argv[1:]
for file in files:
    crd = json.loads(pathlib.Path(file).read_text())["spec"]
    (stored,) = (version for version in crd["versions"] if version["storage"])
    schema = strict(stored["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    pathlib.Path(target, crd["names"]["singular"] + ".json").write_text(json.dumps(schema, indent=1) + "\n")
