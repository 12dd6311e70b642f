# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes runs with one of MLflow's Python APIs and prints how many it wrote a second.

usage: peers.py URL client|fluent RUNS THREADS
"""

import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import mlflow
from mlflow.entities import Metric, Param

PARAMS = {"persona_id": "bench", "model": "gpt-4o", "prompt": "word " * 40, "response": "word " * 160}
METRICS = {"prompt_tokens": 50, "completion_tokens": 200, "total_tokens": 250, "latency_ms": 1000}
TAGS = {"persona_id": "bench", "model": "gpt-4o", "otel.trace_id": "0", "otel.span_id": "0", "service.name": "bench"}


def with_client(experiment):
    client = mlflow.MlflowClient()
    now = int(time.time() * 1000)
    run = client.create_run(experiment, start_time=now, tags=TAGS)
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(key, value, now, 0) for key, value in METRICS.items()],
        params=[Param(key, value) for key, value in PARAMS.items()],
    )
    client.set_terminated(run.info.run_id)


def with_fluent(experiment):
    with mlflow.start_run(experiment_id=experiment, tags=TAGS):
        mlflow.log_params(PARAMS)
        mlflow.log_metrics(METRICS)


url, api, runs, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
mlflow.set_tracking_uri(url)
experiment = mlflow.create_experiment(f"python-{uuid.uuid4()}")
write = {"client": with_client, "fluent": with_fluent}[api]
with ThreadPoolExecutor(threads) as pool:
    begin = time.monotonic()
    for written in [pool.submit(write, experiment) for _ in range(runs)]:
        written.result()
    took = time.monotonic() - begin
sys.stdout.write(f"{runs / took}\n")
