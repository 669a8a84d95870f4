"""Versions of flows, their tasks and edges."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import NotFound
from dagflow.server.store import records
from dagflow.server.store.records import Page
from dagflow.server.text import loaded

__all__ = [
    "delete_flow",
    "get_flow",
    "get_task",
    "list_edges",
    "list_flows",
    "list_tasks",
    "tasks_of_flow",
    "two_versions",
]

_FLOW, _GROUP, _PROJECT, _TASK, _EDGE = tables.flow, tables.flow_group, tables.project, tables.task, tables.edge

_COLUMNS = [column for column in _FLOW.c if column.name != "serialized_flow"]


def _select(*columns: Any) -> Select[Any]:
    return (
        select(
            *columns,
            _PROJECT.c.name.label("project_name"),
            _GROUP.c.name.label("version_group_id"),
            _GROUP.c.labels.label("flow_group_labels"),
        )
        .join(_PROJECT, _PROJECT.c.id == _FLOW.c.project_id)
        .join(_GROUP, _GROUP.c.id == _FLOW.c.flow_group_id)
    )


def _record(row: Any) -> dict[str, Any]:
    flow = records.record(row)
    labels = flow.pop("flow_group_labels")
    flow["flow_group_labels"] = None if labels is None else loaded(labels)
    return flow


def list_flows(connection: Connection, page: Page, wanted: dict[str, Any], *, latest: bool = False) -> dict[str, Any]:
    """Return a page of versions; with *latest* only the newest of each group."""
    statement = _select(*_COLUMNS)
    columns = {
        "name": _FLOW.c.name,
        "project_id": _FLOW.c.project_id,
        "project_name": _PROJECT.c.name,
        "version": _FLOW.c.version,
        "archived": _FLOW.c.archived,
        "flow_group_id": _FLOW.c.flow_group_id,
        "version_group_id": _GROUP.c.name,
    }
    for name, value in wanted.items():
        if value is not None:
            statement = statement.where(columns[name] == value)
    if latest:
        other = _FLOW.alias()
        newer = select(func.max(other.c.version)).where(other.c.flow_group_id == _FLOW.c.flow_group_id)
        statement = statement.where(_FLOW.c.version == newer.scalar_subquery())
    return page.of(connection, statement, (_FLOW.c.created, _FLOW.c.id), make=_record)


def get_flow(connection: Connection, id: str) -> dict[str, Any]:
    """Return a version with the whole description of the flow."""
    row = connection.execute(_select(*_FLOW.c).where(_FLOW.c.id == id)).first()
    if row is None:
        raise NotFound.of("flow", id)
    return _record(row)


def two_versions(connection: Connection, id: str, other: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two versions, each whole: of one flow, the earlier one first; else *other* first."""
    one, two = get_flow(connection, other), get_flow(connection, id)
    if one["flow_group_id"] == two["flow_group_id"] and one["version"] > two["version"]:
        one, two = two, one
    return one, two


def delete_flow(tx: Tx, id: str) -> None:
    """Delete a version with its runs."""
    if not records.remove(tx, _FLOW, id):
        raise NotFound.of("flow", id)


def tasks_of_flow(connection: Connection, flow_id: str) -> list[dict[str, Any]]:
    """Return all tasks of a version, by slug."""
    return [
        records.record(row)
        for row in connection.execute(select(_TASK).where(_TASK.c.flow_id == flow_id).order_by(_TASK.c.slug))
    ]


def list_edges(connection: Connection, flow_id: str) -> list[dict[str, Any]]:
    """Return all edges of a version, with the slugs of both ends."""
    up, down = _TASK.alias(), _TASK.alias()
    statement = (
        select(_EDGE, up.c.slug.label("upstream_slug"), down.c.slug.label("downstream_slug"))
        .join(up, up.c.id == _EDGE.c.upstream_task_id)
        .join(down, down.c.id == _EDGE.c.downstream_task_id)
        .where(_EDGE.c.flow_id == flow_id)
        .order_by(_EDGE.c.seq)
    )
    return [records.record(row) for row in connection.execute(statement)]


def list_tasks(connection: Connection, page: Page, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return a page of tasks of all versions."""
    statement = (
        select(_TASK, _FLOW.c.name.label("flow_name"), _FLOW.c.version.label("flow_version"))
        .join(_FLOW, _FLOW.c.id == _TASK.c.flow_id)
        .join(_PROJECT, _PROJECT.c.id == _FLOW.c.project_id)
    )
    columns = {
        "name": _TASK.c.name,
        "flow_name": _FLOW.c.name,
        "flow_version": _FLOW.c.version,
        "project_name": _PROJECT.c.name,
        "slug": _TASK.c.slug,
    }
    for name, value in wanted.items():
        if value is not None:
            statement = statement.where(columns[name] == value)
    return page.of(connection, statement, (_TASK.c.created, _TASK.c.id))


def get_task(connection: Connection, id: str) -> dict[str, Any]:
    """Return a task."""
    return records.fetch(connection, _TASK, id)
