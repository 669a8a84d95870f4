"""A run over time: its attempts, its states, and when each of its tasks was queued, ran and waited."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from dagflow.server.database import tables
from dagflow.server.orchestration.graph import critical_path, topological
from dagflow.server.orchestration.kinds import FINISHED
from dagflow.server.orchestration.spans import attempts_in, span, spans_in
from dagflow.server.store.flow_runs import get_flow_run

__all__ = ["edges_of", "tasks_in_order", "timeline"]

_RUN, _TASK, _EDGE, _TASK_RUN = tables.flow_run, tables.task, tables.edge, tables.task_run
_FLOW_STATE, _TASK_STATE = tables.flow_run_state, tables.task_run_state

_TASKS = (
    select(_TASK.c.id, _TASK.c.slug, _TASK.c.name, _TASK.c.mapped, _TASK.c.auto_generated)
    .where(_TASK.c.flow_id == bindparam("flow_id"))
    .order_by(_TASK.c.slug)
)
_EDGES = select(_EDGE.c.upstream_task_id, _EDGE.c.downstream_task_id).where(_EDGE.c.flow_id == bindparam("flow_id"))
_STATES = (
    select(_FLOW_STATE.c.state, _FLOW_STATE.c.timestamp, _FLOW_STATE.c.message)
    .where(_FLOW_STATE.c.run_id == bindparam("run_id"))
    .order_by(_FLOW_STATE.c.version)
)
_WHOLE = select(
    _TASK_RUN.c.task_id, _TASK_RUN.c.id, _TASK_RUN.c.state, _TASK_RUN.c.start_time, _TASK_RUN.c.end_time
).where(_TASK_RUN.c.flow_run_id == bindparam("run_id"), _TASK_RUN.c.map_index < 0)
_CHILDREN = (
    select(
        _TASK_RUN.c.task_id,
        _TASK_RUN.c.state,
        func.count().label("number"),
        func.min(_TASK_RUN.c.start_time).label("start"),
        func.max(_TASK_RUN.c.end_time).label("end"),
    )
    .where(_TASK_RUN.c.flow_run_id == bindparam("run_id"), _TASK_RUN.c.map_index >= 0)
    .group_by(_TASK_RUN.c.task_id, _TASK_RUN.c.state)
)
_HISTORIES = (
    select(_TASK_RUN.c.task_id, _TASK_STATE.c.state, _TASK_STATE.c.timestamp)
    .join(_TASK_STATE, _TASK_STATE.c.run_id == _TASK_RUN.c.id)
    .where(_TASK_RUN.c.flow_run_id == bindparam("run_id"), _TASK_RUN.c.map_index < 0)
    .order_by(_TASK_STATE.c.run_id, _TASK_STATE.c.version)
)


def edges_of(connection: Connection, flow_id: str) -> list[tuple[str, str]]:
    """Return the edges of a version as pairs of ids of tasks."""
    return [(up, down) for up, down in connection.execute(_EDGES, {"flow_id": flow_id})]


def tasks_in_order(connection: Connection, flow_id: str, edges: list[tuple[str, str]]) -> list[Any]:
    """Return the tasks of a version, each behind those that it depends on."""
    tasks = {row.id: row for row in connection.execute(_TASKS, {"flow_id": flow_id})}
    return [tasks[id] for id in topological(list(tasks), edges)]


def timeline(connection: Connection, run_id: str) -> dict[str, Any]:
    """Return how the time of a run went: attempts, states, and the spans of its tasks, mapped ones as a whole."""
    run = get_flow_run(connection, run_id)
    of_run = {"run_id": run_id}
    states = [dict(row._mapping) for row in connection.execute(_STATES, of_run)]
    attempts = attempts_in(states)
    whole = {row.task_id: row for row in connection.execute(_WHOLE, of_run)}
    children: dict[str, list[Any]] = {}
    for row in connection.execute(_CHILDREN, of_run):
        children.setdefault(row.task_id, []).append(row)
    histories: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(_HISTORIES, of_run):
        histories.setdefault(row.task_id, []).append(dict(row._mapping))
    edges = edges_of(connection, run["flow_id"])
    tasks = [
        _row(task, whole.get(task.id), children.get(task.id, []), histories.get(task.id, []), attempts)
        for task in tasks_in_order(connection, run["flow_id"], edges)
    ]
    return {
        "start": run["start_time"],
        "end": run["end_time"],
        "state": run["state"],
        "attempts": attempts,
        "states": states,
        "tasks": tasks,
        "critical_path": _critical_path(tasks, whole, edges),
    }


def _row(
    task: Any, whole: Any, children: list[Any], history: list[dict[str, Any]], attempts: list[dict[str, Any]]
) -> dict[str, Any]:
    state = "Pending" if whole is None else whole.state
    spans = spans_in(history, attempts)
    if children:
        spans = _of_children(spans, children, state, attempts)
    elif not any(one["kind"] == "running" for one in spans) and whole is not None and whole.start_time is not None:
        spans.append(span("running", whole.start_time, whole.end_time, state, attempts))
    return {
        "task_id": task.id,
        "slug": task.slug,
        "name": task.name,
        "task_run_id": None if whole is None else whole.id,
        "map_index": -1,
        "state": state,
        "mapped": task.mapped,
        "auto_generated": task.auto_generated,
        "children": {one.state: one.number for one in children} if children or task.mapped else None,
        "spans": spans,
    }


def _of_children(
    spans: list[dict[str, Any]], children: list[Any], state: str, attempts: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the spans of a mapped task: it runs from its first child's begin to its last one's end."""
    starts = [one.start for one in children if one.start is not None]
    if not starts:
        return spans
    all_ended = all(one.state in FINISHED for one in children)
    end = max((one.end for one in children if one.end is not None), default=None) if all_ended else None
    start = min(starts)
    queued = [one for one in spans if one["kind"] != "running" and one["start"] < start]
    return [*queued, span("running", start, end, state, attempts)]


def _critical_path(
    tasks: list[dict[str, Any]], whole: dict[str, Any], edges: list[tuple[str, str]]
) -> list[str]:
    slugs = {task["task_id"]: task["slug"] for task in tasks}
    ends = {}
    for task in tasks:
        row = whole.get(task["task_id"])
        # What did not run, because of what stands before it, ended too: the chain leads on through it.
        end = task["spans"][-1]["end"] if task["children"] and task["spans"] else row and row.end_time
        if end is not None:
            ends[task["slug"]] = end
    return critical_path(ends, [(slugs[up], slugs[down]) for up, down in edges if up in slugs and down in slugs])
