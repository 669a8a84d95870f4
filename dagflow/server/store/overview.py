"""Flows at a glance: each group with its live version, when it runs next, and how its last runs went."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select

from dagflow.server.database import tables
from dagflow.server.database.statements import among
from dagflow.server.orchestration.kinds import FINISHED, SUCCESSFUL
from dagflow.server.store import records
from dagflow.server.store.records import Page

__all__ = ["flow_overview", "success_rate"]

_RUN, _FLOW, _GROUP, _PROJECT = tables.flow_run, tables.flow, tables.flow_group, tables.project

LAST_RUNS = 10
"""Runs shown of each flow."""
RATED_RUNS = 25
"""Runs that a success rate is made of."""

_GROUPS = select(
    _GROUP.c.id,
    _GROUP.c.flow_name,
    _GROUP.c.project_id,
    _PROJECT.c.name.label("project_name"),
    _GROUP.c.schedule,
    _GROUP.c.schedule_problem,
    _GROUP.c.labels,
    _GROUP.c.tags,
    _GROUP.c.description,
).join(_PROJECT, _PROJECT.c.id == _GROUP.c.project_id)

_OTHER = _FLOW.alias()
_NEWEST = select(func.max(_OTHER.c.version)).where(_OTHER.c.flow_group_id == _FLOW.c.flow_group_id).scalar_subquery()
_VERSIONS = (
    select(
        _FLOW.c.id,
        _FLOW.c.flow_group_id,
        _FLOW.c.version,
        _FLOW.c.archived,
        _FLOW.c.schedule,
        _FLOW.c.is_schedule_active,
        _FLOW.c.run_config,
        _FLOW.c.created,
    )
    .where(among(_FLOW.c.flow_group_id), or_(_FLOW.c.archived.is_(False), _FLOW.c.version == _NEWEST))
    .order_by(_FLOW.c.archived.desc(), _FLOW.c.version)
)

# The start of the last run that is wanted of a group; an index leads to it, and to the runs from there on.
_EARLIER = _RUN.alias()
_FROM = (
    select(_EARLIER.c.start_time)
    .where(_EARLIER.c.flow_group_id == _GROUP.c.id, _EARLIER.c.start_time.is_not(None))
    .order_by(_EARLIER.c.start_time.desc())
    .limit(1)
    .offset(RATED_RUNS - 1)
    .scalar_subquery()
)
_LAST = (
    select(_RUN.c.flow_group_id, _RUN.c.id, _RUN.c.name, _RUN.c.state, _RUN.c.start_time, _RUN.c.end_time)
    .join(_GROUP, _GROUP.c.id == _RUN.c.flow_group_id)
    .where(among(_GROUP.c.id), _RUN.c.start_time.is_not(None), _RUN.c.start_time >= func.coalesce(_FROM, ""))
    .order_by(_RUN.c.start_time.desc(), _RUN.c.id.desc())
)
_NEXT = (
    select(_RUN.c.flow_group_id, func.min(_RUN.c.state_start_time))
    .where(
        among(_RUN.c.flow_group_id), _RUN.c.state_start_time > bindparam("now"), _RUN.c.state == "Scheduled"
    )
    .group_by(_RUN.c.flow_group_id)
)


def flow_overview(
    connection: Connection, page: Page, now: str, project_id: str | None = None, text: str | None = None
) -> dict[str, Any]:
    """Return a page of flow groups by name; *text* is looked for in their names."""
    statement = _GROUPS
    if project_id is not None:
        statement = statement.where(_GROUP.c.project_id == project_id)
    if text:
        statement = statement.where(func.lower(_GROUP.c.flow_name).contains(text.lower(), autoescape=True))
    found = page.of(connection, statement, (_GROUP.c.flow_name, _GROUP.c.id), descending=False)
    ids: dict[str, Any] = {"ids": [one["id"] for one in found["items"]]}
    versions = {row.flow_group_id: records.record(row) for row in connection.execute(_VERSIONS, ids)}
    next_runs = dict(connection.execute(_NEXT, ids | {"now": now}).all())
    last: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(_LAST, ids):
        run = dict(row._mapping)
        last.setdefault(run.pop("flow_group_id"), []).append(run)
    found["items"] = [
        _item(group, versions.get(group["id"]), next_runs.get(group["id"]), last.get(group["id"], [])[:RATED_RUNS])
        for group in found["items"]
    ]
    return found


def _item(
    group: dict[str, Any], flow: dict[str, Any] | None, next_run: str | None, last: list[dict[str, Any]]
) -> dict[str, Any]:
    flow = flow or dict.fromkeys(("id", "version", "schedule", "run_config", "created"))
    labels = group["labels"]
    if labels is None:
        labels = (flow["run_config"] or {}).get("labels") or []
    return {
        "group_id": group["id"],
        "flow_id": flow["id"],
        "name": group["flow_name"],
        "project_id": group["project_id"],
        "project_name": group["project_name"],
        "description": group["description"],
        "tags": group["tags"],
        "version": flow["version"],
        "registered": flow["created"],
        "archived": bool(flow.get("archived", True)),
        "schedule": group["schedule"] or flow["schedule"],
        "is_schedule_active": bool(flow.get("is_schedule_active")),
        "schedule_problem": group["schedule_problem"],
        "next_run": next_run,
        "labels": sorted(labels),
        "success_rate": success_rate([run["state"] for run in last]),
        "last_runs": last[:LAST_RUNS],
    }


def success_rate(states: list[str]) -> float | None:
    """
    Return which part of the runs that have ended succeeded, ``None`` when none has ended.

    >>> success_rate(["Success", "Failed", "Running"])
    0.5
    """
    ended = [state for state in states if state in FINISHED]
    return sum(state in SUCCESSFUL for state in ended) / len(ended) if ended else None
