"""Archiving versions of flows, and bringing them back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.orchestration.documents import state_document, wanted_state
from dagflow.server.store import records
from dagflow.server.store.batch import Batch

__all__ = ["archive", "delete_planned_runs", "unarchive"]

_FLOW, _RUN = tables.flow, tables.flow_run


def archive(tx: Tx, flow_id: str) -> dict[str, Any]:
    """
    Archive a version: its planned runs go, runs that somebody asked for and that wait are cancelled, others go on.

    Archiving twice does nothing the second time.
    """
    flow = records.fetch(tx.connection, _FLOW, flow_id)
    records.change(tx, _FLOW, flow_id, archived=True)
    deleted = delete_planned_runs(tx, _RUN.c.flow_id == flow_id)
    waiting = (
        tx.execute(select(_RUN.c.id).where(_RUN.c.flow_id == flow_id, _RUN.c.state == "Scheduled")).scalars().all()
    )
    batch = Batch(tx, actor="archive")
    batch.read_flow_runs(waiting)
    message = f"Version {flow['version']} of flow {flow['name']!r} was archived."
    for id in waiting:
        batch.set_flow_run(wanted_state(id, state_document("Cancelled", message)))
    batch.save()
    return {"archived": True, "deleted_runs": deleted, "cancelled_runs": len(waiting)}


def unarchive(tx: Tx, flow_id: str) -> None:
    """
    Let a version be live again; its schedule, if it was active, makes runs from now on.

    The one that was live until now is archived: a group has one live version at most.
    """
    flow = records.fetch(tx.connection, _FLOW, flow_id)
    others = select(_FLOW.c.id).where(
        _FLOW.c.flow_group_id == flow["flow_group_id"], _FLOW.c.archived.is_(False), _FLOW.c.id != flow_id
    )
    for other in tx.execute(others).scalars().all():
        archive(tx, other)
    records.change(tx, _FLOW, flow_id, archived=False)


def delete_planned_runs(tx: Tx, *conditions: Any) -> int:
    """Delete runs that a schedule made and that have not begun; return how many."""
    # One that was lost or restarted is Scheduled too, and its history is not to be thrown away.
    untouched = (_RUN.c.state == "Scheduled", _RUN.c.start_time.is_(None), _RUN.c.auto_scheduled.is_(True))
    done = tx.execute(delete(_RUN).where(*untouched, *conditions))
    return int(done.rowcount)
