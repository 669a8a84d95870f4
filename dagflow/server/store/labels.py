"""
Limits on flow runs with a label, as those meet them that no agent was given: they ask when they begin.

Runs that agents take are held back by the claim, before any process starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import or_, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.orchestration.kinds import HELD
from dagflow.server.orchestration.rules import full_tags
from dagflow.server.text import loaded

__all__ = ["full_labels", "label_limits"]

_LIMIT, _RUN = tables.concurrency_limit, tables.flow_run


# Locked, so that of two servers on one PostgreSQL the second counts what the first lets begin.
_LIMITS = (
    select(_LIMIT.c.name, _LIMIT.c.limit)
    .where(_LIMIT.c.kind == "flow_label")
    .order_by(_LIMIT.c.name)
    .with_for_update()
)


def label_limits(tx: Tx) -> dict[str, int]:
    """Return how many runs with a label may go on at once, for the labels that have a limit."""
    return {row.name: row.limit for row in tx.execute(_LIMITS)}


def full_labels(tx: Tx, run_id: str, entered: Mapping[str, str]) -> list[str]:
    """Return those labels of a run that have no free slot; *entered* are states that are not in the database yet."""
    limits = label_limits(tx)
    if not limits:
        return []
    found = select(_RUN.c.id, _RUN.c.state, _RUN.c.labels)
    rows = tx.execute(found.where(or_(_RUN.c.state.in_(HELD), _RUN.c.id.in_([run_id, *entered])))).all()
    labels = {row.id: set(loaded(row.labels, [])) for row in rows}
    used = Counter(label for row in rows if entered.get(row.id, row.state) in HELD for label in labels[row.id])
    return full_tags(labels[run_id], limits, used)
