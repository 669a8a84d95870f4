"""Work pools, and the queues in them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Conflict, Invalid, NotFound
from dagflow.server.orchestration.kinds import FINISHED, HELD
from dagflow.server.store import agents, records

__all__ = ["change_pool", "create_pool", "delete_pool", "delete_queue", "get_pool", "list_pools", "set_queue"]

_POOL, _QUEUE, _RUN = tables.work_pool, tables.work_queue, tables.flow_run
TYPES = ("process", "docker", "kubernetes")


def create_pool(tx: Tx, name: str, type: str, **values: Any) -> dict[str, Any]:
    """Make a pool with its queue ``default``, or return the one of that name."""
    if type not in TYPES:
        raise Invalid(f"A pool's type is one of {', '.join(TYPES)}, found {type!r}.")
    if not name.strip() or any(sign in name for sign in "/:"):
        raise Invalid(f"A pool's name is not empty and has no '/' or ':', found {name!r}.")
    found = tx.execute(select(_POOL).where(_POOL.c.name == name)).first()
    if found is not None:
        if found.type != type:
            raise Conflict(f"The pool {name!r} is there already, of type {found.type}.")
        return {"id": found.id, "created": False}
    id = records.add(tx, _POOL, name=name, type=type, paused=False, **values)
    records.add(tx, _QUEUE, work_pool_id=id, name="default", priority=0)
    return {"id": id, "created": True}


def list_pools(connection: Connection) -> list[dict[str, Any]]:
    """Return all pools, by name."""
    rows = connection.execute(select(_POOL).order_by(_POOL.c.name)).all()
    return [_with_use(connection, records.record(row)) for row in rows]


def _with_use(connection: Connection, pool: dict[str, Any]) -> dict[str, Any]:
    counted = select(func.count()).where(_RUN.c.pool == pool["name"], _RUN.c.state.in_(HELD))
    return pool | {"in_use": connection.execute(counted).scalar_one()}


def get_pool(connection: Connection, name: str, now: str) -> dict[str, Any]:
    """Return a pool with its queues and agents."""
    row = connection.execute(select(_POOL).where(_POOL.c.name == name)).first()
    if row is None:
        raise NotFound.of("work pool", name)
    queues = select(_QUEUE).where(_QUEUE.c.work_pool_id == row.id).order_by(_QUEUE.c.priority, _QUEUE.c.name)
    return _with_use(connection, records.record(row)) | {
        "queues": [records.record(one) for one in connection.execute(queues)],
        "agents": agents.agents_like(connection, now, name),
    }


def change_pool(tx: Tx, name: str, changes: dict[str, Any]) -> None:
    """Change a pool."""
    id = _id(tx, name)
    records.change(tx, _POOL, id, **changes)
    tx.news.append(("ready",))


def _id(tx: Tx, name: str) -> str:
    found: str | None = tx.execute(select(_POOL.c.id).where(_POOL.c.name == name)).scalar()
    if found is None:
        raise NotFound.of("work pool", name)
    return found


def delete_pool(tx: Tx, name: str) -> None:
    """Delete a pool that nothing uses."""
    id = _id(tx, name)
    users = tx.execute(select(tables.deployment.c.name).where(tables.deployment.c.pool == name).limit(1)).scalar()
    waiting = tx.execute(select(func.count()).where(_RUN.c.pool == name, _RUN.c.state.not_in(FINISHED))).scalar_one()
    if users is not None or waiting:
        by = f"deployment {users!r}" if users is not None else f"{waiting} runs that have not finished"
        raise Conflict(f"The pool {name!r} is used by {by}.")
    records.remove(tx, _POOL, id)


def set_queue(tx: Tx, pool: str, name: str, priority: int, limit: int | None) -> str:
    """Make a queue in a pool, or change the one of that name; lower numbers go first."""
    pool_id = _id(tx, pool)
    found = tx.execute(select(_QUEUE.c.id).where(_QUEUE.c.work_pool_id == pool_id, _QUEUE.c.name == name)).scalar()
    if found is not None:
        records.change(tx, _QUEUE, found, priority=priority, limit=limit)
        return str(found)
    return records.add(tx, _QUEUE, work_pool_id=pool_id, name=name, priority=priority, limit=limit)


def delete_queue(tx: Tx, pool: str, name: str) -> None:
    """Delete a queue; ``default`` stays."""
    if name == "default":
        raise Conflict("The queue 'default' of a pool cannot be deleted.")
    done = tx.execute(_QUEUE.delete().where(_QUEUE.c.work_pool_id == _id(tx, pool), _QUEUE.c.name == name))
    if not done.rowcount:
        raise NotFound.of("queue", name)
