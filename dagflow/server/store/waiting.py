"""Runs that wait to be executed: those that are due, in the order in which they are taken, and those to come."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from dagflow.server.database import tables
from dagflow.server.orchestration.kinds import READY
from dagflow.server.store import records
from dagflow.server.store.reasons import Surroundings, reasons_for

__all__ = ["count_waiting", "late_runs", "queue_of_runs", "upcoming_runs"]

_RUN, _FLOW, _PROJECT = tables.flow_run, tables.flow, tables.project

_SELECT = (
    select(
        _RUN.c.id,
        _RUN.c.name,
        _FLOW.c.name.label("flow_name"),
        _RUN.c.flow_group_id,
        _PROJECT.c.name.label("project_name"),
        _RUN.c.state,
        _RUN.c.state_start_time,
        _RUN.c.labels,
        _RUN.c.pool,
        _RUN.c.queue,
        _RUN.c.late,
    )
    .join(_FLOW, _FLOW.c.id == _RUN.c.flow_id)
    .join(_PROJECT, _PROJECT.c.id == _FLOW.c.project_id)
)
_ORDER = (_RUN.c.state_start_time, _RUN.c.id)
_BEFORE = (_RUN.c.state_start_time <= bindparam("before"), _RUN.c.state.in_(READY))
_DUE = _SELECT.where(*_BEFORE).order_by(*_ORDER).limit(bindparam("limit"))
_PAUSED = (
    _SELECT.where(_RUN.c.state == "Paused", _RUN.c.state_start_time.is_(None))
    .order_by(_RUN.c.created, _RUN.c.id)
    .limit(bindparam("limit"))
)
_UPCOMING = (
    _SELECT.where(_RUN.c.state_start_time > bindparam("now"), _RUN.c.state == "Scheduled")
    .order_by(*_ORDER)
    .limit(bindparam("limit"))
)
# Only runs that wait have a moment, so their states need not be looked at one by one.
_COUNT_DUE = select(func.count()).where(_RUN.c.state_start_time <= bindparam("before"))
_COUNT_PAUSED = select(func.count()).where(_RUN.c.state == "Paused", _RUN.c.state_start_time.is_(None))


def _record(row: Any) -> dict[str, Any]:
    run = records.record(row)
    run["start_time"] = run.pop("state_start_time")
    return run


def _with_reasons(connection: Connection, rows: list[Any], now: str) -> list[dict[str, Any]]:
    found = reasons_for(Surroundings(connection, now), [records.record(row) for row in rows])
    return [_record(row) | {"reasons": [one._asdict() for one in found[row.id]]} for row in rows]


def queue_of_runs(connection: Connection, now: str, limit: int) -> dict[str, Any]:
    """Return the runs that wait for somebody, the longest first, each with the reasons; those that are paused last."""
    rows = list(connection.execute(_DUE, {"before": now, "limit": limit}))
    if len(rows) < limit:
        rows += connection.execute(_PAUSED, {"limit": limit - len(rows)})
    return {"runs": _with_reasons(connection, rows, now), "total": count_waiting(connection, now)}


def count_waiting(connection: Connection, now: str) -> int:
    """Return how many runs wait for somebody."""
    due = connection.execute(_COUNT_DUE, {"before": now}).scalar_one()
    return int(due + connection.execute(_COUNT_PAUSED).scalar_one())


def late_runs(connection: Connection, now: str, before: str, limit: int) -> list[dict[str, Any]]:
    """Return runs that should have begun before a moment, the longest overdue first, each with the reasons."""
    return _with_reasons(connection, list(connection.execute(_DUE, {"before": before, "limit": limit})), now)


def upcoming_runs(connection: Connection, now: str, limit: int) -> list[dict[str, Any]]:
    """Return the runs that begin next."""
    return [_record(row) for row in connection.execute(_UPCOMING, {"now": now, "limit": limit})]
