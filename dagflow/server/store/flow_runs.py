"""Flow runs as they are read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, or_, select, union_all, update

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid, NotFound
from dagflow.server.orchestration.kinds import expanded
from dagflow.server.store import records
from dagflow.server.store.parameters import has_parameter
from dagflow.server.store.records import Page
from dagflow.server.text import dumped

__all__ = ["conditions", "delete_flow_run", "get_flow_run", "list_flow_runs", "list_states", "rename"]

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
_SELECT_ONE = _SELECT.where(_RUN.c.id == bindparam("id"))
_ORDERS = {
    "created": (_RUN.c.created, _RUN.c.id),
    "scheduled": (_RUN.c.scheduled_start_time, _RUN.c.id),
    "start": (_RUN.c.start_time, _RUN.c.id),
}


def get_flow_run(connection: Connection, id: str) -> dict[str, Any]:
    """Return a flow run."""
    row = connection.execute(_SELECT_ONE, {"id": id}).first()
    if row is None:
        raise NotFound.of("flow run", id)
    return records.record(row)


def list_flow_runs(
    connection: Connection,
    page: Page,
    wanted: dict[str, Any],
    *,
    states: list[str] | None = None,
    order: str = "created",
    **others: Any,
) -> dict[str, Any]:
    """Return a page of flow runs, newest first; *others* are as for :func:`conditions`."""
    if order not in _ORDERS:
        raise Invalid(f"order is one of {', '.join(_ORDERS)}, found {order!r}.")
    keys = _ORDERS[order]
    found_by = conditions(connection, wanted, time=keys[0], **others)
    if order == "start":
        found_by.append(_RUN.c.start_time.is_not(None))
    found = page.of(connection, _narrowed(page, found_by, states, keys), keys)
    if page.count:
        every = [*found_by, _RUN.c.state.in_(expanded(states))] if states else found_by
        counted = select(func.count()).select_from(select(_RUN.c.id).where(*every).limit(10_000).subquery())
        found["count"] = connection.execute(counted).scalar_one()
    return found


def conditions(
    connection: Connection,
    wanted: dict[str, Any],
    *,
    started: bool | None = None,
    label: str | None = None,
    parameter: str | None = None,
    since: str | None = None,
    until: str | None = None,
    time: Any = _RUN.c.created,
) -> list[Any]:
    """
    Return the conditions of runs that are wanted.

    Args:
        connection: to the database.
        wanted: values by the names of columns, of the run or its flow and project.
        started: whether they have begun.
        label: that they have.
        parameter: that they have, with its value: ``name=value``.
        since: the least value of *time*.
        until: the greatest value of *time*.
        time: a column of moments.
    """
    columns = {
        "flow_id": _RUN.c.flow_id,
        "flow_group_id": _RUN.c.flow_group_id,
        "name": _RUN.c.name,
        "late": _RUN.c.late,
        "deployment_id": _RUN.c.deployment_id,
        "agent_id": _RUN.c.agent_id,
        "parent_task_run_id": _RUN.c.parent_task_run_id,
        "idempotency_key": _RUN.c.idempotency_key,
    }
    found = [columns[name] == wanted[name] for name in columns if wanted.get(name) is not None]
    groups = _groups(connection, wanted)
    if groups is not None:
        found.append(_RUN.c.flow_group_id == groups[0] if len(groups) == 1 else _RUN.c.flow_group_id.in_(groups))
    if wanted.get("parent_flow_run_id") is not None:
        task_run = tables.task_run
        started_by = select(task_run.c.id).where(task_run.c.flow_run_id == wanted["parent_flow_run_id"])
        found.append(_RUN.c.parent_task_run_id.in_(started_by))
    if started is not None:
        found.append(_RUN.c.start_time.is_not(None) if started else _RUN.c.start_time.is_(None))
    if label is not None:
        found.append(_RUN.c.labels.contains(dumped(label), autoescape=True))
    if parameter is not None:
        found.append(has_parameter(connection, parameter))
    if since is not None:
        found.append(time >= since)
    if until is not None:
        found.append(time <= until)
    return found


def _narrowed(page: Page, conditions: list[Any], states: list[str] | None, keys: Any) -> Select[Any]:
    """Return the query for a page, narrowed to the few runs that an index finds in order, one state after the other."""
    parts = [[_RUN.c.state == state] for state in expanded(states)] if states else [[]]
    few = [page.part(select(_RUN.c.id).where(*conditions, *part), keys).subquery() for part in parts]
    ids = union_all(*(select(one.c.id) for one in few))
    return _SELECT.where(_RUN.c.id.in_(select(ids.subquery().c.id)))


def _groups(connection: Connection, wanted: dict[str, Any]) -> list[str] | None:
    """Return the flow groups that names of flow and project stand for, ``None`` without such names."""
    group = tables.flow_group
    columns = {"flow_name": group.c.flow_name, "project_id": group.c.project_id, "project_name": _PROJECT.c.name}
    conditions = [columns[name] == wanted[name] for name in columns if wanted.get(name) is not None]
    if not conditions:
        return None
    found = select(group.c.id).join(_PROJECT, _PROJECT.c.id == group.c.project_id).where(*conditions)
    return list(connection.execute(found).scalars())


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
