"""Limits on how much goes on at once: tasks with a tag, flows with a label, what tasks do under a name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid, NotFound
from dagflow.server.orchestration.kinds import HELD
from dagflow.server.store import records, slots
from dagflow.server.text import loaded

__all__ = ["get_limit", "list_limits", "set_limit"]

_LIMIT = tables.concurrency_limit
KINDS = ("task_tag", "flow_label", slots.NAMED)


def check_kind(kind: str) -> None:
    """Refuse what is no kind of limit."""
    if kind not in KINDS:
        raise Invalid(f"A limit's kind is one of {', '.join(KINDS)}, found {kind!r}.")


def set_limit(tx: Tx, kind: str, name: str, limit: int, slots_per_second: float | None = None) -> str:
    """Set how many may run at once, or how many slots come back a second, and return the limit's id."""
    check_kind(kind)
    if not name:
        raise Invalid("A limit needs a name: of a tag, of a label, or its own.")
    if slots_per_second is not None and kind != slots.NAMED:
        raise Invalid(f"Only limits of the kind {slots.NAMED!r} have slots that come back by themselves, not {kind!r}.")
    values: dict[str, Any] = {"limit": limit, "slots_per_second": slots_per_second}
    found = tx.execute(select(_LIMIT.c.id).where(_LIMIT.c.kind == kind, _LIMIT.c.name == name)).scalar()
    if found is not None:
        records.change(tx, _LIMIT, found, **values)
        return str(found)
    return records.add(tx, _LIMIT, kind=kind, name=name, **values)


def list_limits(connection: Connection, kind: str | None) -> list[dict[str, Any]]:
    """Return all limits with how many slots are in use."""
    statement = select(_LIMIT).order_by(_LIMIT.c.kind, _LIMIT.c.name)
    if kind is not None:
        check_kind(kind)
        statement = statement.where(_LIMIT.c.kind == kind)
    return [_with_use(connection, records.record(row)) for row in connection.execute(statement).all()]


def get_limit(connection: Connection, kind: str, name: str) -> dict[str, Any]:
    """Return a limit with who holds its slots and who waits for one."""
    check_kind(kind)
    row = connection.execute(select(_LIMIT).where(_LIMIT.c.kind == kind, _LIMIT.c.name == name)).first()
    if row is None:
        raise NotFound.of("limit on", name)
    return _with_use(connection, records.record(row))


def _with_use(connection: Connection, limit: dict[str, Any]) -> dict[str, Any]:
    name = limit["name"]
    if limit["kind"] == "task_tag":
        runs = tables.task_run
        running = select(runs.c.id, runs.c.tags).where(runs.c.state == "Running", runs.c.tags.is_not(None))
        holders = [id for id, tags in connection.execute(running) if name in tags.split("\n")]
        queued = select(runs.c.id, runs.c.serialized_state).where(runs.c.state == "Queued")
        waiting = [
            id for id, text in connection.execute(queued) if name in (loaded(text).get("context") or {}).get("tags", ())
        ]
    elif limit["kind"] == slots.NAMED:
        holders, waiting = slots.holders(connection, name), []
        return limit | {"in_use": slots.used(connection, name), "holders": holders, "waiting": 0, "waiters": waiting}
    else:
        flow_runs = tables.flow_run
        active = select(flow_runs.c.id, flow_runs.c.labels).where(flow_runs.c.state.in_(HELD))
        holders = [id for id, labels in connection.execute(active) if name in loaded(labels, [])]
        waiting = []
    return limit | {"in_use": len(holders), "holders": holders, "waiting": len(waiting), "waiters": waiting}
