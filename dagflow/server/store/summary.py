"""What happens on the whole server: what has ended, goes on, failed; how large its database is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, func, literal_column, select, text

from dagflow.server.clock import shifted
from dagflow.server.database import tables
from dagflow.server.orchestration.kinds import BEGUN, FAILED
from dagflow.server.store import agents
from dagflow.server.store.waiting import count_waiting, late_runs, upcoming_runs

__all__ = ["describe_database", "summary"]

_RUN, _FLOW = tables.flow_run, tables.flow
MOST_SHOWN = 20
"""Runs of each kind in a summary; the pages of runs have all."""

# The moment narrows runs down best; SQLite, which does not know that, is kept from going by the index of states.
_STATE = func.coalesce(_RUN.c.state, literal_column("''"))

_FINISHED = select(_STATE, func.count()).where(_RUN.c.end_time >= bindparam("since")).group_by(_STATE)
_RUNNING = select(func.count()).where(_RUN.c.state.in_(BEGUN))
_LATELY_FAILED = (
    select(
        _RUN.c.id,
        _RUN.c.name,
        _FLOW.c.name.label("flow_name"),
        _RUN.c.flow_group_id,
        _RUN.c.state,
        _RUN.c.state_message.label("message"),
        _RUN.c.end_time,
    )
    .join(_FLOW, _FLOW.c.id == _RUN.c.flow_id)
    .where(_RUN.c.end_time >= bindparam("since"), _STATE.in_(FAILED))
    .order_by(_RUN.c.end_time.desc(), _RUN.c.id)
    .limit(MOST_SHOWN)
)


def summary(connection: Connection, now: str, hours: float, late_after: float) -> dict[str, Any]:
    """Return what ended in the last *hours*, what goes on and what waits; late are runs overdue for *late_after* s."""
    since = {"since": shifted(now, -3600 * hours)}
    healthy = [one["healthy"] for one in agents.agents_heard_of(connection, now)]
    return {
        "agents": {"healthy": sum(healthy), "silent": len(healthy) - sum(healthy)},
        "finished": dict(connection.execute(_FINISHED, since).all()),
        "running": connection.execute(_RUNNING).scalar_one(),
        "waiting": count_waiting(connection, now),
        "late": late_runs(connection, now, shifted(now, -late_after), MOST_SHOWN),
        "failed": [dict(row._mapping) for row in connection.execute(_LATELY_FAILED, since)],
        "upcoming": upcoming_runs(connection, now, MOST_SHOWN),
    }


def describe_database(connection: Connection) -> dict[str, Any]:
    """Return which database it is, how many bytes it takes, and which schema it has."""
    kind = connection.dialect.name
    if kind == "sqlite":
        pages, size = (connection.exec_driver_sql(f"PRAGMA page_{what}").scalar_one() for what in ("count", "size"))
        taken = pages * size
    else:
        taken = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return {"kind": kind, "bytes": int(taken), "revision": revision}
