"""Pools of work, as an agent that serves one sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.client.connection import in_path
from dagflow.exceptions import ObjectNotFoundError

if TYPE_CHECKING:
    from dagflow.agent.agent import Agent
    from dagflow.client.client import Client

__all__ = ["check_pool", "pool_named"]


def pool_named(client: Client, name: str, create: str | None = None) -> dict[str, Any]:
    """
    Return the record of a pool.

    Args:
        client: of the server.
        name: of the pool.
        create: make it with this type if it does not exist.

    Raises:
        ObjectNotFoundError: when there is none.
    """
    path = f"work_pools/{in_path(name)}"
    try:
        found: dict[str, Any] = client.get(path)
    except ObjectNotFoundError:
        if create is None:
            raise ObjectNotFoundError(
                f"There is no pool {name!r}. Make it with `dagflow work-pool create {name} --type process`, or start "
                f"the worker with `dagflow worker start --pool {name} --create`."
            ) from None
        client.post("work_pools", {"name": name, "type": create})
        found = client.get(path)
    return found


def check_pool(agent: Agent) -> None:
    """
    Refuse to let *agent* serve a pool that does not exist or is of another type.

    Raises:
        ObjectNotFoundError: with the command that makes the pool.
        ValueError: with both types, or for a queue that the pool does not have.
    """
    if agent.pool is None:
        return
    pool = pool_named(agent.client, agent.pool)
    if agent.pool_type is not None and pool["type"] != agent.pool_type:
        raise ValueError(
            f"Pool {agent.pool!r} is of type {pool['type']}, but a {type(agent).__name__} serves pools of type "
            f"{agent.pool_type}. Serve it with `dagflow worker start --pool {agent.pool}`, which takes the right kind."
        )
    unknown = sorted(set(agent.queues) - {queue["name"] for queue in pool.get("queues", ())})
    if unknown:
        raise ValueError(f"Pool {agent.pool!r} has no queue {', '.join(map(repr, unknown))}.")
