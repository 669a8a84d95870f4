"""Many runs at once: which ones a filter means, and what may be done to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid
from dagflow.server.orchestration.kinds import expanded
from dagflow.server.store import control, flow_runs

__all__ = ["ACTIONS", "MOST_RUNS", "Action", "matching_runs"]

_RUN = tables.flow_run

MOST_RUNS = 10_000
"""Runs that one request acts on; who wants more asks again."""

Action = Callable[[Tx, str, str | None], Any]
"""Does something to a run, given by its id, for somebody."""


def _cancel(tx: Tx, id: str, actor: str | None) -> None:
    control.cancel(tx, id, actor)


def _delete(tx: Tx, id: str, actor: str | None) -> None:
    flow_runs.delete_flow_run(tx, id)


def _restart(tx: Tx, id: str, actor: str | None) -> None:
    control.restart(tx, id, None, actor)


ACTIONS: dict[str, Action] = {"cancel": _cancel, "delete": _delete, "restart": _restart}


def matching_runs(
    connection: Connection, wanted: dict[str, Any], states: list[str] | None, **others: Any
) -> list[str]:
    """
    Return the ids of runs that match a filter, the newest first; others are as for a list of runs.

    Raises:
        Invalid: for a filter that leaves nothing out, which would be a slip of the pen.
    """
    given = [one for one in (*wanted.values(), states, *others.values()) if one is not None]
    if not given:
        raise Invalid("The filter names nothing to go by, so it would mean all runs; name at least one thing.")
    conditions = flow_runs.conditions(connection, wanted, **others)
    if states:
        conditions.append(_RUN.c.state.in_(expanded(states)))
    statement = select(_RUN.c.id).where(*conditions).order_by(_RUN.c.created.desc(), _RUN.c.id.desc())
    return list(connection.execute(statement.limit(MOST_RUNS)).scalars())
