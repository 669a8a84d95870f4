"""
Slots of limits that tasks ask for by name while they run: some at once, or some in a time.

A slot belongs to a hold on a flow run. Whether it is in use is read off that run, never counted: when the run ends, is
lost or taken up by another process, its slots are free.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from sqlalchemy import Connection, delete, func, select

from dagflow.server.clock import at
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid
from dagflow.server.orchestration.kinds import HELD
from dagflow.server.orchestration.rates import Rate
from dagflow.server.store import records
from dagflow.server.store.holds import check_hold

__all__ = ["NAMED", "WantedSlots", "give_back", "holders", "take"]

NAMED = "named"
"""The kind of a limit that is asked for by its name."""

ASK_AGAIN_SECONDS = 1.0
"""When a task that found no free slot asks again: nobody knows when another task gives its slots back."""

_LIMIT, _SLOT, _RUN = tables.concurrency_limit, tables.limit_slot, tables.flow_run
_OF_HOLD = _SLOT.join(_RUN, (_RUN.c.id == _SLOT.c.flow_run_id) & (_RUN.c.run_token == _SLOT.c.run_token))
"""Slots with the run that has them; those of an earlier hold on it are left out."""


@dataclasses.dataclass(frozen=True)
class WantedSlots:
    """Slots that a run wants: of which limit, how many, and who it is. The id is made by the one who asks."""

    id: str
    name: str
    occupy: int
    flow_run_id: str
    run_token: int


def take(tx: Tx, wanted: WantedSlots) -> dict[str, Any]:
    """
    Take slots if they are free, and tell whether they were, and when to ask again if not.

    Nobody has to wait for a limit that is not there.

    Raises:
        Invalid: for more slots than the limit has.
        Conflict: when the run is in other hands.
    """
    check_hold(tx, wanted.flow_run_id, wanted.run_token)
    limit = select(_LIMIT).where(_LIMIT.c.kind == NAMED, _LIMIT.c.name == wanted.name)
    row = tx.execute(limit.with_for_update()).first()
    if row is None:
        return {"granted": True, "limit": None, "wait_seconds": 0.0}
    if 0 < row.limit < wanted.occupy:
        raise Invalid(f"The limit {wanted.name!r} has {row.limit} slots, so {wanted.occupy} of them are never free.")
    wait = _wait_for_rate(tx, row, wanted) if row.slots_per_second else _wait_for_slots(tx, row, wanted)
    return {"granted": wait == 0, "limit": row.limit, "wait_seconds": wait}


def _wait_for_slots(tx: Tx, limit: Any, wanted: WantedSlots) -> float:
    """Occupy slots until they are given back; return how long to wait if they are not free."""
    if tx.execute(select(_SLOT.c.id).where(_SLOT.c.id == wanted.id)).first() is not None:
        return 0.0
    if used(tx.connection, wanted.name) + wanted.occupy > limit.limit:
        return ASK_AGAIN_SECONDS
    _forget_ended(tx, wanted.name)
    records.add(
        tx, _SLOT, id=wanted.id, name=wanted.name, occupied=wanted.occupy,
        flow_run_id=wanted.flow_run_id, run_token=wanted.run_token,
    )  # fmt: skip
    return 0.0


def _wait_for_rate(tx: Tx, limit: Any, wanted: WantedSlots) -> float:
    """Use slots that come back by themselves; return how long to wait if there are too few."""
    since = 0.0 if limit.used_at is None else max(0.0, tx.now - at(limit.used_at))
    rate = Rate(limit.limit, limit.slots_per_second).after(limit.used or 0.0, since)
    wait = rate.wait_for(wanted.occupy)
    if wait == 0:
        records.change(tx, _LIMIT, limit.id, used=rate.used + wanted.occupy, used_at=tx.stamp)
    return wait


def give_back(tx: Tx, id: str) -> bool:
    """Give slots back; tell whether they were taken."""
    return records.remove(tx, _SLOT, id)


def used(connection: Connection, name: str) -> int:
    """Return how many slots of a limit are in use."""
    statement = select(func.coalesce(func.sum(_SLOT.c.occupied), 0)).select_from(_OF_HOLD)
    return int(connection.execute(statement.where(*_in_use(name))).scalar_one())


def holders(connection: Connection) -> list[tuple[str, str]]:
    """Return the flow runs that have slots, the longest first, each with the name of the limit."""
    statement = select(_SLOT.c.flow_run_id, _SLOT.c.name).select_from(_OF_HOLD).where(_RUN.c.state.in_(HELD))
    return [(row.flow_run_id, row.name) for row in connection.execute(statement.order_by(_SLOT.c.created))]


def _in_use(name: str) -> tuple[Any, ...]:
    return (_SLOT.c.name == name, _RUN.c.state.in_(HELD))


def _forget_ended(tx: Tx, name: str) -> None:
    """Delete slots whose run has ended, or is in other hands, without giving them back."""
    live = select(_SLOT.c.id).select_from(_OF_HOLD).where(*_in_use(name))
    tx.execute(delete(_SLOT).where(_SLOT.c.name == name, _SLOT.c.id.not_in(live)))
