"""What goes on between two moments, and what happened lately."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from dagflow.server.database import tables
from dagflow.server.orchestration.kinds import HELD
from dagflow.server.store.records import Page

__all__ = ["activity", "runs_between"]

_RUN, _FLOW, _PROJECT, _STATE = tables.flow_run, tables.flow, tables.project, tables.flow_run_state

_SELECT = (
    select(
        _RUN.c.id,
        _RUN.c.name,
        _FLOW.c.name.label("flow_name"),
        _RUN.c.flow_group_id,
        _PROJECT.c.name.label("project_name"),
        _RUN.c.state,
        _RUN.c.scheduled_start_time,
        _RUN.c.start_time,
        _RUN.c.end_time,
    )
    .join(_FLOW, _FLOW.c.id == _RUN.c.flow_id)
    .join(_PROJECT, _PROJECT.c.id == _FLOW.c.project_id)
    .limit(bindparam("limit"))
)
_HELD = select(_RUN.c.id).where(
    _RUN.c.state.in_(HELD), func.coalesce(_RUN.c.start_time, _RUN.c.created) <= bindparam("until")
)
_GOING_ON = _SELECT.where(_RUN.c.id.in_(_HELD))
_ENDED = _SELECT.where(_RUN.c.end_time >= bindparam("since"), _RUN.c.start_time <= bindparam("until")).order_by(
    _RUN.c.end_time.desc()
)
_PLANNED = _SELECT.where(
    _RUN.c.state_start_time >= bindparam("since"), _RUN.c.state_start_time <= bindparam("until")
).order_by(_RUN.c.state_start_time)

_HAPPENED: Select[Any] = (
    select(
        _STATE.c.seq,
        _STATE.c.run_id,
        _RUN.c.name.label("run_name"),
        _FLOW.c.name.label("flow_name"),
        _STATE.c.state,
        _STATE.c.message,
        _STATE.c.timestamp,
        _STATE.c.actor,
        _STATE.c.reason,
    )
    .join(_RUN, _RUN.c.id == _STATE.c.run_id)
    .join(_FLOW, _FLOW.c.id == _RUN.c.flow_id)
)


def runs_between(connection: Connection, since: str, until: str, limit: int) -> list[dict[str, Any]]:
    """
    Return the runs that go on between two moments, or are planned for then, in the order in which they begin.

    When there are more than *limit*, those that go on come before those that ended, the latest of these first, and
    these before those that are planned.
    """
    found: dict[str, dict[str, Any]] = {}
    for statement in (_GOING_ON, _ENDED, _PLANNED):
        given = {"since": since, "until": until, "limit": limit - len(found)}
        if len(found) < limit:
            for row in connection.execute(statement, given):
                found.setdefault(row.id, dict(row._mapping))
    return sorted(found.values(), key=lambda run: (run["start_time"] or run["scheduled_start_time"] or "", run["id"]))


def activity(connection: Connection, page: Page, flow_run_id: str | None) -> dict[str, Any]:
    """Return a page of the states that flow runs entered, or one of them did, the latest first."""
    statement = _HAPPENED if flow_run_id is None else _HAPPENED.where(_STATE.c.run_id == flow_run_id)
    return page.of(connection, statement, (_STATE.c.seq,), make=lambda row: dict(row._mapping))
