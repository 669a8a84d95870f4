"""The last runs of a flow beside each other: which task had which state in which run, and how long tasks took."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, case, func, literal_column, select

from dagflow.server.clock import at
from dagflow.server.database import tables
from dagflow.server.database.statements import among
from dagflow.server.orchestration.kinds import FAILED
from dagflow.server.orchestration.rates import percentile
from dagflow.server.store import groups
from dagflow.server.store.overview import success_rate
from dagflow.server.store.timelines import edges_of, tasks_in_order

__all__ = ["durations", "grid"]

_RUN, _FLOW, _TASK_RUN, _TASK = tables.flow_run, tables.flow, tables.task_run, tables.task

_LAST_RUNS = (
    select(
        _RUN.c.id,
        _RUN.c.name,
        _RUN.c.state,
        _FLOW.c.version.label("flow_version"),
        _RUN.c.scheduled_start_time,
        _RUN.c.start_time,
        _RUN.c.end_time,
    )
    .join(_FLOW, _FLOW.c.id == _RUN.c.flow_id)
    .where(_RUN.c.flow_group_id == bindparam("group_id"), _RUN.c.start_time.is_not(None))
    .order_by(_RUN.c.start_time.desc(), _RUN.c.id.desc())
    .limit(bindparam("limit"))
)
# Written out, because to PostgreSQL two expressions with parameters are never the same.
_IS_CHILD = (_TASK_RUN.c.map_index >= literal_column("0")).label("is_child")
_CELLS = (
    select(_TASK_RUN.c.flow_run_id, _TASK_RUN.c.task_id, _IS_CHILD, _TASK_RUN.c.state, func.count().label("number"))
    .where(among(_TASK_RUN.c.flow_run_id))
    .group_by(_TASK_RUN.c.flow_run_id, _TASK_RUN.c.task_id, _IS_CHILD, _TASK_RUN.c.state)
)
_TIMES = (
    select(
        _TASK_RUN.c.flow_run_id, _TASK_RUN.c.task_id, _TASK_RUN.c.state, _TASK_RUN.c.start_time, _TASK_RUN.c.end_time
    )
    .where(among(_TASK_RUN.c.flow_run_id), _TASK_RUN.c.map_index < 0, _TASK_RUN.c.end_time.is_not(None))
    .order_by(_TASK_RUN.c.end_time)
)
# A mapped task takes as long as its children do together.
_TIMES_OF_CHILDREN = (
    select(
        _TASK_RUN.c.flow_run_id,
        _TASK_RUN.c.task_id,
        func.min(_TASK_RUN.c.start_time).label("start_time"),
        func.max(_TASK_RUN.c.end_time).label("end_time"),
        func.sum(case((_TASK_RUN.c.state.in_(FAILED), 1), else_=0)).label("failed"),
    )
    .where(among(_TASK_RUN.c.flow_run_id), _TASK_RUN.c.map_index >= 0)
    .group_by(_TASK_RUN.c.flow_run_id, _TASK_RUN.c.task_id)
)
_SLUGS = select(_TASK.c.id, _TASK.c.slug, _TASK.c.name).where(among(_TASK.c.id))
_NEWEST = (
    select(_FLOW.c.id)
    .where(_FLOW.c.flow_group_id == bindparam("group_id"))
    .order_by(_FLOW.c.archived, _FLOW.c.version.desc())
    .limit(1)
)


def _last_runs(connection: Connection, group: str, limit: int) -> tuple[str, list[dict[str, Any]]]:
    """Return the id of a group, given by that or its name, and the last of its runs that have begun."""
    group_id: str = groups.get_group(connection, group)["id"]
    rows = connection.execute(_LAST_RUNS, {"group_id": group_id, "limit": limit})
    return group_id, [dict(row._mapping) for row in rows]


def _tasks(connection: Connection, group_id: str, ids: set[str]) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Return the tasks of the live version in order, those with *ids* of other versions behind them; slugs by id."""
    flow_id = connection.execute(_NEWEST, {"group_id": group_id}).scalar()
    rows = [] if flow_id is None else tasks_in_order(connection, flow_id, edges_of(connection, flow_id))
    missing = ids - {row.id for row in rows}
    if missing:
        rows += sorted(connection.execute(_SLUGS, {"ids": sorted(missing)}), key=lambda row: str(row.slug))
    shown: dict[str, dict[str, str]] = {}
    for row in rows:
        shown.setdefault(row.slug, {"slug": row.slug, "name": row.name})
    return list(shown.values()), {row.id: row.slug for row in rows}


def grid(connection: Connection, group: str, limit: int) -> dict[str, Any]:
    """Return the states of all tasks in the last runs of a group, the newest run first."""
    group_id, runs = _last_runs(connection, group, limit)
    place = {run["id"]: number for number, run in enumerate(runs)}
    found = connection.execute(_CELLS, {"ids": list(place)}).all()
    tasks, slugs = _tasks(connection, group_id, {row.task_id for row in found})
    cells: dict[str, list[str | None]] = {task["slug"]: [None] * len(runs) for task in tasks}
    children: dict[str, list[dict[str, int] | None]] = {}
    for row in found:
        slug, number = slugs[row.task_id], place[row.flow_run_id]
        if row.is_child:
            counts = children.setdefault(slug, [None] * len(runs))
            counts[number] = {**(counts[number] or {}), row.state: row.number}
        else:
            cells[slug][number] = row.state
    return {"runs": runs, "tasks": tasks, "cells": cells, "children": children}


def durations(connection: Connection, group: str, limit: int) -> dict[str, Any]:
    """Return how long the last runs of a group took, the newest first, and how long their tasks did."""
    group_id, runs = _last_runs(connection, group, limit)
    ids = {"ids": [run["id"] for run in runs]}
    found = connection.execute(_TIMES, ids).all()
    children = {(row.flow_run_id, row.task_id): row for row in connection.execute(_TIMES_OF_CHILDREN, ids)}
    tasks, slugs = _tasks(connection, group_id, {row.task_id for row in found})
    of_slug: dict[str, list[_Took]] = {task["slug"]: [] for task in tasks}
    for row in found:
        child = children.get((row.flow_run_id, row.task_id))
        times = row if child is None else child
        has_failed = row.state in FAILED if child is None else child.failed > 0
        of_slug[slugs[row.task_id]].append((_seconds(times.start_time, times.end_time), has_failed))
    shown = ("id", "name", "state", "start_time")
    return {
        "runs": [{name: run[name] for name in shown} | {"seconds": _seconds(**_times(run))} for run in runs],
        "tasks": [task | _statistics(of_slug[task["slug"]]) for task in tasks],
        "success_rate": success_rate([run["state"] for run in runs]),
    }


_Took = tuple[float | None, bool]
"""How many seconds a task took in a run, ``None`` when it did not run; and whether it failed."""


def _statistics(rows: list[_Took]) -> dict[str, Any]:
    known = [seconds for seconds, _ in rows if seconds is not None]
    ordered = sorted(known)
    return {
        "count": len(rows),
        "failed": sum(has_failed for _, has_failed in rows),
        "p50": percentile(ordered, 0.5),
        "p95": percentile(ordered, 0.95),
        "last": known[-1] if known else None,
    }


def _times(run: dict[str, Any]) -> dict[str, Any]:
    return {"start": run["start_time"], "end": run["end_time"]}


def _seconds(start: str | None, end: str | None) -> float | None:
    return None if start is None or end is None else round(max(0.0, at(end) - at(start)), 6)
