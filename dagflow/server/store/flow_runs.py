"""Flow runs as they are read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, update

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid, NotFound
from dagflow.server.orchestration.kinds import expanded
from dagflow.server.store import records
from dagflow.server.store.records import Page
from dagflow.server.text import dumped

__all__ = ["delete_flow_run", "get_flow_run", "list_flow_runs", "list_states", "rename"]

_RUN, _FLOW, _PROJECT, _DEPLOYMENT = tables.flow_run, tables.flow, tables.project, tables.deployment

_COLUMNS = [column for column in _RUN.c if column.name not in ("tasks_made",)]
_SELECT: Select[Any] = (
    select(
        *_COLUMNS,
        _FLOW.c.name.label("flow_name"),
        _FLOW.c.version.label("flow_version"),
        _FLOW.c.project_id,
        _PROJECT.c.name.label("project_name"),
        _DEPLOYMENT.c.name.label("deployment_name"),
    )
    .join(_FLOW, _FLOW.c.id == _RUN.c.flow_id)
    .join(_PROJECT, _PROJECT.c.id == _FLOW.c.project_id)
    .outerjoin(_DEPLOYMENT, _DEPLOYMENT.c.id == _RUN.c.deployment_id)
)
_ORDERS = {
    "created": (_RUN.c.created, _RUN.c.id),
    "scheduled": (_RUN.c.scheduled_start_time, _RUN.c.id),
    "start": (_RUN.c.start_time, _RUN.c.id),
}


def get_flow_run(connection: Connection, id: str) -> dict[str, Any]:
    """Return a flow run."""
    row = connection.execute(_SELECT.where(_RUN.c.id == id)).first()
    if row is None:
        raise NotFound.of("flow run", id)
    return records.record(row)


def list_flow_runs(
    connection: Connection,
    page: Page,
    wanted: dict[str, Any],
    *,
    states: list[str] | None = None,
    started: bool | None = None,
    label: str | None = None,
    since: str | None = None,
    until: str | None = None,
    order: str = "created",
) -> dict[str, Any]:
    """Return a page of flow runs, newest first."""
    columns = {
        "flow_id": _RUN.c.flow_id,
        "flow_group_id": _RUN.c.flow_group_id,
        "flow_name": _FLOW.c.name,
        "project_id": _FLOW.c.project_id,
        "project_name": _PROJECT.c.name,
        "name": _RUN.c.name,
        "late": _RUN.c.late,
        "deployment_id": _RUN.c.deployment_id,
        "agent_id": _RUN.c.agent_id,
        "parent_task_run_id": _RUN.c.parent_task_run_id,
        "idempotency_key": _RUN.c.idempotency_key,
    }
    conditions = [columns[name] == value for name, value in wanted.items() if value is not None]
    if states:
        conditions.append(_RUN.c.state.in_(expanded(states)))
    if started is not None:
        conditions.append(_RUN.c.start_time.is_not(None) if started else _RUN.c.start_time.is_(None))
    if label is not None:
        conditions.append(_RUN.c.labels.contains(dumped(label), autoescape=True))
    if order not in _ORDERS:
        raise Invalid(f"order is one of {', '.join(_ORDERS)}, found {order!r}.")
    keys = _ORDERS[order]
    if since is not None:
        conditions.append(keys[0] >= since)
    if until is not None:
        conditions.append(keys[0] <= until)
    if order == "start":
        conditions.append(_RUN.c.start_time.is_not(None))
    return page.of(connection, _SELECT.where(*conditions), keys)


def list_states(connection: Connection, run_id: str, of: str = "flow_run") -> list[dict[str, Any]]:
    """Return all states that a run has had, in order."""
    table = tables.flow_run_state if of == "flow_run" else tables.task_run_state
    statement = select(table).where(table.c.run_id == run_id).order_by(table.c.version)
    return [records.record(row) for row in connection.execute(statement)]


def rename(tx: Tx, run_id: str, name: str, table: Any = _RUN) -> None:
    """Give a run another name."""
    if not name.strip():
        raise Invalid("A run needs a name that is not empty.")
    if not tx.execute(update(table).where(table.c.id == run_id).values(name=name, updated=tx.stamp)).rowcount:
        raise NotFound.of(table.name.replace("_", " "), run_id)


def delete_flow_run(tx: Tx, run_id: str) -> None:
    """Delete a flow run with all that belongs to it."""
    if not records.remove(tx, _RUN, run_id):
        raise NotFound.of("flow run", run_id)


def search(connection: Connection, text: str, limit: int = 20) -> list[dict[str, Any]]:
    """Return what has *text* in its name, or for its id: projects, flows, deployments, flow runs."""
    found: list[dict[str, Any]] = []
    for kind, table, name in (
        ("project", _PROJECT, _PROJECT.c.name),
        ("flow", _FLOW, _FLOW.c.name),
        ("deployment", _DEPLOYMENT, _DEPLOYMENT.c.name),
        ("flow_run", _RUN, _RUN.c.name),
        ("task_run", tables.task_run, tables.task_run.c.name),
    ):
        by_name = func.lower(name).contains(text.lower(), autoescape=True)
        condition = or_(table.c.id == text, by_name) if kind != "task_run" else table.c.id == text
        statement = (
            select(table.c.id, name.label("name")).where(condition).order_by(table.c.created.desc()).limit(limit)
        )
        if kind == "flow":
            statement = statement.where(_FLOW.c.archived.is_(False))
        found += [{"kind": kind, "id": row.id, "name": row.name} for row in connection.execute(statement)]
    return found[:limit]
