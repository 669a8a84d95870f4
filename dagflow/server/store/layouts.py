"""Where the tasks of a version stand in a picture: worked out once for each version, and kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import NotFound
from dagflow.server.text import dumped, loaded

__all__ = ["find_layout", "keep_layout", "parts"]

_LAYOUT, _FLOW, _TASK, _EDGE = tables.flow_layout, tables.flow, tables.task, tables.edge

_KEPT = select(_LAYOUT.c.document).where(_LAYOUT.c.flow_id == bindparam("flow_id"))
_THERE = select(_FLOW.c.id).where(_FLOW.c.id == bindparam("flow_id"))
_TASKS = (
    select(_TASK.c.id, _TASK.c.slug, _TASK.c.name, _TASK.c.mapped, _TASK.c.auto_generated)
    .where(_TASK.c.flow_id == bindparam("flow_id"))
    .order_by(_TASK.c.slug)
)
_EDGES = (
    select(_EDGE.c.upstream_task_id, _EDGE.c.downstream_task_id, _EDGE.c.key, _EDGE.c.mapped)
    .where(_EDGE.c.flow_id == bindparam("flow_id"))
    .order_by(_EDGE.c.seq)
)


def find_layout(connection: Connection, flow_id: str) -> dict[str, Any] | None:
    """Return the layout of a version, ``None`` when it was not made yet."""
    found: dict[str, Any] | None = loaded(connection.execute(_KEPT, {"flow_id": flow_id}).scalar())
    return found


def parts(connection: Connection, flow_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """
    Return the tasks and edges of a version.

    Raises:
        NotFound: when there is no such version.
    """
    given = {"flow_id": flow_id}
    if connection.execute(_THERE, given).first() is None:
        raise NotFound.of("flow", flow_id)
    tasks = [dict(row._mapping) for row in connection.execute(_TASKS, given)]
    return tasks, [dict(row._mapping) for row in connection.execute(_EDGES, given)]


def keep_layout(tx: Tx, flow_id: str, layout: dict[str, Any]) -> None:
    """Keep the layout of a version, unless that is gone by now."""
    if tx.execute(_THERE, {"flow_id": flow_id}).first() is not None:
        statement = tx.insert(_LAYOUT).values(flow_id=flow_id, document=dumped(layout))
        tx.execute(statement.on_conflict_do_nothing())
