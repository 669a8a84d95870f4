"""Agents, and the configurations that group them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from dagflow.server.clock import at, shifted
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import NotFound
from dagflow.server.store import records
from dagflow.server.store.records import Page
from dagflow.utilities.identities import new_id

__all__ = ["agents_heard_of", "agents_like", "beat", "list_agents", "register"]

_AGENT = tables.agent
HEALTHY_SECONDS = 60.0
"""An agent that was heard of within this time counts as healthy."""


def register(tx: Tx, id: str | None, **values: Any) -> str:
    """Note an agent, or note again what it is; return its id."""
    values["labels"] = sorted(set(values.get("labels") or ()))
    values["last_queried"] = tx.stamp
    id = id or new_id()
    if not records.change(tx, _AGENT, id, **values):
        records.add(tx, _AGENT, id=id, **values)
    return id


def beat(tx: Tx, id: str) -> None:
    """Note that an agent lives."""
    if not tx.execute(update(_AGENT).where(_AGENT.c.id == id).values(last_queried=tx.stamp)).rowcount:
        raise NotFound.of("agent", id)


def list_agents(connection: Connection, page: Page, now: str, since_minutes: float | None) -> dict[str, Any]:
    """Return a page of agents, the newest first."""
    statement = select(_AGENT)
    if since_minutes is not None:
        statement = statement.where(_AGENT.c.last_queried >= shifted(now, -60 * since_minutes))
    return page.of(connection, statement, (_AGENT.c.created, _AGENT.c.id), make=lambda row: with_health(row, now))


def with_health(row: Any, now: str) -> dict[str, Any]:
    """Return an agent's record with whether it was heard of lately."""
    agent = records.record(row)
    seen = agent["last_queried"]
    agent["healthy"] = seen is not None and at(now) - at(seen) <= HEALTHY_SECONDS
    return agent


def get_agent(connection: Connection, id: str, now: str) -> dict[str, Any]:
    """Return an agent."""
    row = connection.execute(select(_AGENT).where(_AGENT.c.id == id)).first()
    if row is None:
        raise NotFound.of("agent", id)
    return with_health(row, now)


_HEARD_OF = select(_AGENT).where(_AGENT.c.last_queried >= bindparam("since")).order_by(_AGENT.c.last_queried.desc())


def agents_heard_of(connection: Connection, now: str) -> list[dict[str, Any]]:
    """Return the agents heard of within a day, the latest first."""
    return [with_health(row, now) for row in connection.execute(_HEARD_OF, {"since": shifted(now, -86_400)})]


def agents_like(connection: Connection, now: str, pool: str | None) -> list[dict[str, Any]]:
    """Return the agents heard of within a day that serve a pool, or that serve none."""
    return [one for one in agents_heard_of(connection, now) if one["pool"] == pool]
