"""Requests that were answered: the same one, sent again because its answer was lost, acts once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from dagflow.server.clock import shifted
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.text import dumped, loaded

__all__ = ["answer_to", "forget_old", "keep", "once"]

_REQUEST = tables.request
_ANSWER = select(_REQUEST.c.answer).where(_REQUEST.c.id == bindparam("id"))
KEPT_SECONDS = 3_600.0
"""How long answers are kept; nobody sends a request again after that."""


def once(id: str, do: Callable[[Tx], Any], tx: Tx) -> Any:
    """Return what was answered to the request before; do it, and keep the answer, if it is new."""
    known = tx.execute(_ANSWER, {"id": id}).scalar()
    if known is not None:
        return loaded(known)
    outcome = do(tx)
    keep(tx, id, outcome)
    return outcome


def answer_to(tx: Tx, id: str | None) -> Any:
    """Return what was answered to a request, ``None`` when it is new."""
    return None if id is None else loaded(tx.execute(_ANSWER, {"id": id}).scalar())


def keep(tx: Tx, id: str | None, outcome: Any) -> None:
    """Keep the answer to a request."""
    if id is not None:
        tx.execute(insert(_REQUEST), {"id": id, "created": tx.stamp, "answer": dumped(outcome)})


def forget_old(tx: Tx) -> int:
    """Forget answers that nobody will ask for again."""
    return int(tx.execute(delete(_REQUEST).where(_REQUEST.c.created < shifted(tx.stamp, -KEPT_SECONDS))).rowcount)
