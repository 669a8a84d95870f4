"""Deleting what is older than it is to be kept."""

from __future__ import annotations

from sqlalchemy import delete, select

from dagflow.server.backend import Backend
from dagflow.server.clock import shifted
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.orchestration.kinds import FINISHED
from dagflow.server.store import requests

__all__ = ["run"]

AT_ONCE = 200
"""Runs deleted in one transaction, so that others need not wait long."""

_RUN, _LOG = tables.flow_run, tables.log


def run(backend: Backend) -> None:
    """Delete finished runs and log lines that are older than the settings say, and answers that nobody waits for."""
    settings = backend.settings
    backend.database.write(requests.forget_old)
    if settings.keep_finished_days is not None:
        limit = shifted(backend.now, -86_400 * settings.keep_finished_days)
        while backend.database.write(lambda tx: _delete_runs(tx, limit)):
            pass
    if settings.keep_logs_days is not None:
        limit = shifted(backend.now, -86_400 * settings.keep_logs_days)
        while backend.database.write(lambda tx: _delete_logs(tx, limit)):
            pass


def _delete_runs(tx: Tx, limit: str) -> int:
    old = select(_RUN.c.id).where(_RUN.c.state.in_(FINISHED), _RUN.c.end_time < limit).limit(AT_ONCE)
    return int(tx.execute(delete(_RUN).where(_RUN.c.id.in_(old.scalar_subquery()))).rowcount)


def _delete_logs(tx: Tx, limit: str) -> int:
    old = select(_LOG.c.seq).where(_LOG.c.timestamp < limit).limit(20 * AT_ONCE)
    return int(tx.execute(delete(_LOG).where(_LOG.c.seq.in_(old.scalar_subquery()))).rowcount)
