#!/usr/bin/env python3
# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0
"""Deletes what the collector has written into MLflow about a persona or a user, or before a day.

    forget.py persona tech_educator            says what there is
    forget.py persona tech_educator --delete   deletes it
    forget.py user ada --delete
    forget.py before 2026-08-01 --delete       experiments of earlier days

Runs and experiments are then MLflow's "deleted" ones, which `mlflow gc` removes. MLFLOW_TRACKING_URI says where MLflow is, and
other variables of MLflow's clients who asks. docs/operations.md says what else there is to delete.
"""

import argparse

from mlflow import MlflowClient

RUNS = {"persona": "tags.persona_id", "user": "tags.`mlflow.user`"}
TRACES = {"persona": "tag.persona_id", "user": "metadata.`mlflow.trace.user`"}
AT_ONCE = 100  # traces that MLflow deletes in a request


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=[*RUNS, "before"])
    parser.add_argument("name")
    parser.add_argument("--delete", action="store_true")
    arguments = parser.parse_args()
    if "'" in arguments.name and '"' in arguments.name:
        parser.error("MLflow's filters cannot express a name with both kinds of quotes")

    client = MlflowClient()
    quoted = f'"{arguments.name}"' if "'" in arguments.name else f"'{arguments.name}'"
    for experiment in every(client.search_experiments):
        if arguments.kind == "before":
            forget_experiment(client, experiment, arguments.name, arguments.delete)
        else:
            forget(client, experiment, arguments.kind, quoted, arguments.name, arguments.delete)


def forget_experiment(client: MlflowClient, experiment, day: str, delete: bool) -> None:
    """With its runs and traces. Only the collector's own have both tags."""
    if "persona_id" in experiment.tags and experiment.tags.get("date", day) < day:
        print(f"{experiment.name}: the experiment")
        if delete:
            client.delete_experiment(experiment.experiment_id)


def forget(client: MlflowClient, experiment, kind: str, quoted: str, name: str, delete: bool) -> None:
    where = experiment.experiment_id
    runs = every(client.search_runs, experiment_ids=[where], filter_string=f"{RUNS[kind]} = {quoted}")
    ids = {run.info.run_id for run in runs}
    traces = set()
    # Also those that are linked to the runs: an application's own trace may not say whose it is.
    for condition in [f"{TRACES[kind]} = {quoted}", *(f"attributes.run_id = '{run}'" for run in ids)]:
        traces |= {t.info.trace_id for t in every(client.search_traces, locations=[where], filter_string=condition)}
    whole = kind == "persona" and experiment.tags.get("persona_id") == name
    if not ids and not traces and not whole:
        return
    print(f"{experiment.name}: {len(ids)} runs, {len(traces)} traces{', and the experiment' if whole else ''}")
    if not delete:
        return
    traces = sorted(traces)
    for first in range(0, len(traces), AT_ONCE):
        client.delete_traces(where, trace_ids=traces[first : first + AT_ONCE])
    for run in ids:
        client.delete_run(run)
    if whole:
        client.delete_experiment(where)


def every(search, **arguments) -> list:
    """All pages of a search."""
    found, token = [], None
    while True:
        page = search(page_token=token, **arguments)
        found += page
        token = page.token
        if not token:
            return found


if __name__ == "__main__":
    main()
