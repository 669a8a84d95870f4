"""Limits on how much goes on at once: tasks with a tag, flows with a label, what tasks do under a name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid, NotFound
from dagflow.server.orchestration.kinds import HELD, READY
from dagflow.server.orchestration.rules import tags_in
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


def list_limits(connection: Connection, kind: str | None, now: str) -> list[dict[str, Any]]:
    """Return all limits with who holds their slots and who waits for one."""
    statement = select(_LIMIT).order_by(_LIMIT.c.kind, _LIMIT.c.name)
    if kind is not None:
        check_kind(kind)
        statement = statement.where(_LIMIT.c.kind == kind)
    return _with_use(connection, [records.record(row) for row in connection.execute(statement)], now)


def get_limit(connection: Connection, kind: str, name: str, now: str) -> dict[str, Any]:
    """Return a limit with who holds its slots and who waits for one."""
    check_kind(kind)
    row = connection.execute(select(_LIMIT).where(_LIMIT.c.kind == kind, _LIMIT.c.name == name)).first()
    if row is None:
        raise NotFound.of("limit on", name)
    return _with_use(connection, [records.record(row)], now)[0]


def _with_use(connection: Connection, limits: list[dict[str, Any]], now: str) -> list[dict[str, Any]]:
    """Add to *limits* the runs that hold a slot and those that wait, the longest first; each list is read once."""
    kinds = {one["kind"] for one in limits}
    finders = {"task_tag": _of_tags, "flow_label": _of_labels, slots.NAMED: _of_names}
    users = {kind: finders[kind](connection, now) for kind in kinds}
    found = []
    for one in limits:
        holders, waiters = (by_name.get(one["name"], []) for by_name in users[one["kind"]])
        # Of the slots of a named limit one holder may have several.
        in_use = slots.used(connection, one["name"]) if one["kind"] == slots.NAMED else len(holders)
        found.append(one | {"in_use": in_use, "holders": holders, "waiting": len(waiters), "waiters": waiters})
    return found


def _of_tags(connection: Connection, now: str) -> tuple[_ByName, _ByName]:
    runs = tables.task_run
    running = select(runs.c.id, runs.c.tags).where(runs.c.state == "Running", runs.c.tags.is_not(None))
    queued = select(runs.c.id, runs.c.serialized_state).where(runs.c.state == "Queued")
    holders, waiters = connection.execute(running), connection.execute(queued.order_by(runs.c.state_timestamp))
    return (
        _by_name((id, tags.split("\n")) for id, tags in holders),
        _by_name((id, tags_in(loaded(text)) or ()) for id, text in waiters),
    )


def _of_labels(connection: Connection, now: str) -> tuple[_ByName, _ByName]:
    runs = tables.flow_run
    held = select(runs.c.id, runs.c.labels).where(runs.c.state.in_(HELD))
    due = select(runs.c.id, runs.c.labels).where(runs.c.state.in_(READY), runs.c.state_start_time <= now)
    holders, waiters = connection.execute(held), connection.execute(due.order_by(runs.c.state_start_time))
    return (
        _by_name((id, loaded(labels, [])) for id, labels in holders),
        _by_name((id, loaded(labels, [])) for id, labels in waiters),
    )


def _of_names(connection: Connection, now: str) -> tuple[_ByName, _ByName]:
    """Return who has slots; those who wait for one ask again and again, and are not written down."""
    return _by_name((id, (name,)) for id, name in slots.holders(connection)), {}


_ByName = dict[str, list[str]]
"""Ids of runs by the tag or label that they have."""


def _by_name(runs: Iterable[tuple[str, Iterable[str]]]) -> _ByName:
    found: _ByName = {}
    for id, names in runs:
        for name in names:
            found.setdefault(name, []).append(id)
    return found
