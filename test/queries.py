# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

"""Asks MLflow's database, and prints the answers as JSON: for each statement a list of rows, the first with the names.

    queries.py URI < statements.json

What a user does with sqlite3 and psql, which not everybody has.
"""

import json
import sqlite3
import sys
from decimal import Decimal

import psycopg2


def connect(uri):
    scheme, _, rest = uri.partition("://")
    if scheme == "sqlite":
        return sqlite3.connect(f"file:{rest[1:]}?mode=ro", uri=True)
    return psycopg2.connect(uri)


def plain(value):
    return float(value) if isinstance(value, (int, Decimal)) else value


def ask(cursor, statement):
    cursor.execute(statement)
    if cursor.description is None:
        return []
    return [[column[0] for column in cursor.description]] + [[plain(v) for v in row] for row in cursor]


cursor = connect(sys.argv[1]).cursor()
json.dump([ask(cursor, statement) for statement in json.load(sys.stdin)], sys.stdout)
