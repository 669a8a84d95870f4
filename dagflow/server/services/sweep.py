"""Signs of life written down, lost runs found, late ones marked, runs skipped that may not overlap."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, case, func, select, update

from dagflow.server.backend import Backend
from dagflow.server.clock import at, shifted
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Busy
from dagflow.server.orchestration.documents import state_document, wanted_state
from dagflow.server.orchestration.kinds import FINISHED, HELD
from dagflow.server.orchestration.staleness import is_lost
from dagflow.server.store import claims, groups, holds
from dagflow.server.store.batch import Batch
from dagflow.server.text import dumped, loaded
from dagflow.utilities.logging import get_logger

__all__ = ["run"]

_RUN, _GROUP = tables.flow_run, tables.flow_group
MOST_SKIPPED = 1_000
"""Runs skipped in one pass; the next one finds the others."""


def run(backend: Backend) -> None:
    """Do one pass."""
    try:
        _deal_with_lost(backend)
        _mark_late(backend)
        _skip_overlapping(backend)
    except Busy:
        backend.note_deafness()
        raise


def write_heartbeats(backend: Backend) -> None:
    """Write down the signs of life that this server has had; those that cannot be written now are kept."""
    beats = backend.unwritten_beats()
    if beats:
        backend.database.write(lambda tx: holds.beat(tx, beats))
        backend.forget_beats(beats)


def _deal_with_lost(backend: Backend) -> None:
    for row in backend.database.read(_held):
        settings = groups.DEFAULT_SETTINGS | loaded(row.settings, {})
        seen = max(at(row.heartbeat) if row.heartbeat else 0.0, backend.last_beat(row.id) or 0.0)
        now, lost_after = backend.clock.now(), backend.settings.lost_after
        since = backend.listening_since
        if not settings["heartbeat_enabled"] or not is_lost(now, seen, since, lost_after):
            continue
        reason = f"No heartbeat was seen for {now - max(seen, since):.0f} s: its process is taken for lost."
        limit = backend.settings.resurrection_attempt_limit
        try:
            state = backend.database.write(partial(_lose, row, reason, limit))
        except Busy:
            raise
        except Exception:
            # One run that cannot be dealt with must not keep the others from being taken up again.
            get_logger("server").exception("Flow run %s was lost and could not be dealt with.", row.id)
        else:
            get_logger("server").warning("Flow run %s: %s It is %s now.", row.id, reason, state)


def _lose(row: Any, reason: str, limit: int, tx: Tx) -> str:
    return holds.lose(tx, row.id, row.run_token, reason, limit)


def _held(connection: Connection) -> list[Any]:
    statement = select(_RUN.c.id, _RUN.c.heartbeat, _RUN.c.run_token, _GROUP.c.settings).join(
        _GROUP, _GROUP.c.id == _RUN.c.flow_group_id
    )
    return list(connection.execute(statement.where(_RUN.c.held.is_(True), _RUN.c.state.not_in(FINISHED))))


def _mark_late(backend: Backend) -> None:
    limit = shifted(backend.now, -backend.settings.late_after)
    late = (_RUN.c.state == "Scheduled", _RUN.c.state_start_time < limit, _RUN.c.late.is_(False))
    found = backend.database.read(
        lambda connection: connection.execute(select(_RUN.c.id).where(*late).limit(1)).first()
    )
    if found is not None:
        backend.database.write(lambda tx: tx.execute(update(_RUN).where(*late).values(late=True)).rowcount)


def _skip_overlapping(backend: Backend) -> None:
    """Cancel runs that became due while another one of their flow was active, if the policy says so."""
    now = backend.now
    rows = backend.database.read(lambda connection: list(connection.execute(_overlapping(now))))
    if rows:
        backend.database.write(lambda tx: _skip(tx, rows))


def _overlapping(now: str) -> Any:
    """Return the query for due runs whose policy is to be skipped while another run of their flow is active."""
    other = _RUN.alias()
    of_group = case((_GROUP.c.settings.contains(dumped({"overlap_policy": "skip"})[1:-1]), "skip"))
    is_active = other.c.flow_group_id == _RUN.c.flow_group_id, other.c.state.in_(HELD), other.c.id != _RUN.c.id
    return (
        claims.DUE_RUNS.where(_RUN.c.state == "Scheduled", _RUN.c.state_start_time <= now)
        .where(func.coalesce(tables.deployment.c.overlap_policy, of_group) == "skip")
        .where(select(other.c.id).where(*is_active).exists())
        .limit(MOST_SKIPPED)
    )


def _skip(tx: Tx, rows: list[Any]) -> None:
    batch = Batch(tx, actor="scheduler")
    for row in rows:
        if claims.overlap_policy(row) == "skip" and claims.is_active(tx, row.flow_group_id, row.id):
            batch.read_flow_runs([row.id])
            message = "Skipped: another run of this flow was active when this one became due (overlap policy `skip`)."
            document = state_document("Cancelled", message)
            batch.set_flow_run(wanted_state(row.id, document, reason="overlap policy"))
    batch.save()
