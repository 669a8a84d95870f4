"""
States of runs, as requests ask for them: the only place, with :mod:`~dagflow.server.store.batch`, where the state of a
run changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select, update

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.orchestration.rules import TaskRunNow, Wanted
from dagflow.server.store.batch import Batch
from dagflow.utilities.identities import task_run_id

__all__ = ["Request", "make_task_runs", "pending", "set_many"]


@dataclasses.dataclass
class Request:
    """States that one request wants to set."""

    flow_runs: list[Wanted]
    task_runs: list[Wanted]
    actor: str | None = None
    queue_interval: float = 30.0


def set_many(tx: Tx, requests: Sequence[Request]) -> list[dict[str, list[dict[str, Any]]]]:
    """Set the states of several requests, in order, and return the answers to each."""
    batch = Batch(tx, requests[0].queue_interval)
    flow_runs = [one for request in requests for one in request.flow_runs]
    task_runs = [one for request in requests for one in request.task_runs]
    if task_runs:
        batch.read_task_runs(one.run_id for one in task_runs)
        batch.read_known_of_task_runs(task_runs)
    if flow_runs:
        batch.read_known_of_flow_runs(flow_runs)
    there = batch.task_runs
    needed = [
        one.flow_run_id or there[one.run_id].flow_run_id for one in task_runs if one.flow_run_id or one.run_id in there
    ]
    batch.read_flow_runs([one.run_id for one in flow_runs] + needed)
    _make_missing(tx, batch, task_runs)
    answers = []
    for request in requests:
        batch.actor = request.actor
        answers.append(_set_one(batch, request))
    batch.save()
    return answers


def _set_one(batch: Batch, request: Request) -> dict[str, list[dict[str, Any]]]:
    """Set the states of one request: first flow runs that begin, then task runs, then other flow runs."""
    first = [one.kind == "Running" for one in request.flow_runs]
    outcomes: list[Any] = [None] * len(first)
    for place, one in enumerate(request.flow_runs):
        if first[place]:
            outcomes[place] = batch.set_flow_run(one)
    tasks = [batch.set_task_run(one) for one in request.task_runs]
    for place, one in enumerate(request.flow_runs):
        if not first[place]:
            outcomes[place] = batch.set_flow_run(one)
    return {"flow_runs": outcomes, "task_runs": tasks}


def _make_missing(tx: Tx, batch: Batch, wanted: Iterable[Wanted]) -> None:
    """Let the runs of mapped children be that are named by what they belong to and are not there yet."""
    missing = [
        one
        for one in wanted
        if one.run_id not in batch.task_runs and one.task_id is not None and one.flow_run_id in batch.flow_runs
    ]
    if not missing:
        return
    tasks = tables.task
    known = {
        (row.id, row.flow_id): row.cache_key
        for row in tx.execute(
            select(tasks.c.id, tasks.c.flow_id, tasks.c.cache_key).where(
                tasks.c.id.in_({one.task_id for one in missing if one.task_id})
            )
        )
    }
    for one in missing:
        flow_run = batch.flow_runs[one.flow_run_id or ""]
        if (one.task_id, flow_run.flow_id) in known and one.run_id not in batch.task_runs:
            run = pending(one.flow_run_id or "", one.task_id or "", one.map_index, known[one.task_id, flow_run.flow_id])
            batch.add_task_runs([run])


def pending(flow_run_id: str, task_id: str, map_index: int, cache_key: str | None = None) -> TaskRunNow:
    """Return a task run that nothing has happened to."""
    return TaskRunNow(
        id=task_run_id(flow_run_id, task_id, map_index),
        version=0,
        state="Pending",
        state_id=None,
        state_message=None,
        state_timestamp=None,
        state_start_time=None,
        state_result=None,
        serialized_state=None,
        start_time=None,
        end_time=None,
        flow_run_id=flow_run_id,
        task_id=task_id,
        map_index=map_index,
        name=None,
        run_count=0,
        cache_key=cache_key,
        tags=None,
        is_new=True,
    )


def make_task_runs(tx: Tx, batch: Batch, flow_run_id: str) -> None:
    """Let a flow run have the runs of its unmapped tasks, if it has none."""
    runs, tasks = tables.flow_run, tables.task
    columns = (runs.c.flow_id, runs.c.tasks_made, runs.c.state, runs.c.state_message)
    row = tx.execute(select(*columns).where(runs.c.id == flow_run_id)).first()
    if row is None or row.tasks_made:
        return
    found = tx.execute(select(tasks.c.id, tasks.c.cache_key).where(tasks.c.flow_id == row.flow_id)).all()
    new = [pending(flow_run_id, id, -1, key) for id, key in found]
    batch.read_task_runs(run.id for run in new)
    missing = [run for run in new if run.id not in batch.task_runs]
    batch.add_task_runs(missing)
    if row.state == "Cancelled":
        batch.cancel(missing, row.state_message)
    tx.execute(update(runs).where(runs.c.id == flow_run_id).values(tasks_made=True))
