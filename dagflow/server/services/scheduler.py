"""Making the runs that schedules ask for."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select

from dagflow.server.backend import Backend
from dagflow.server.clock import stamp
from dagflow.server.database import tables
from dagflow.server.database.engine import Bulk, Tx
from dagflow.server.errors import Refusal
from dagflow.server.orchestration.upcoming import MOST_RUNS
from dagflow.server.store import schedules
from dagflow.utilities.logging import get_logger

__all__ = ["run"]

_RUN = tables.flow_run


def run(backend: Backend) -> None:
    """Make runs for each live version that has a schedule and too few runs ahead."""
    database, limits = backend.database, backend.limits
    covered_until = stamp(backend.clock.now() + limits.ahead)
    flows = database.read(lambda connection: _needing(connection, limits.count, covered_until))
    waiting = [(flow, database.submit(_PLAN, (flow, limits))) for flow in flows]
    for flow_id, future in waiting:
        try:
            future.result()
        except Exception as error:
            # One flow's bad schedule must not stop the others; the reason is shown with its group.
            text = error.message if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
            get_logger("server").warning("The schedule of flow %s could not be followed: %s", flow_id, text)
            database.submit(partial(_note, flow_id, text))


def _note(flow_id: str, problem: str, tx: Tx) -> None:
    schedules.note_problem(tx, flow_id, problem)


def _plan(tx: Tx, wanted: list[tuple[str, schedules.Limits]]) -> list[Any]:
    return schedules.plan_many(tx, [flow_id for flow_id, _ in wanted], wanted[0][1])


_PLAN: Bulk[Any] = Bulk(_plan)


def _needing(connection: Connection, count: int, covered_until: str) -> list[str]:
    """Return the versions that have too few runs ahead; those with several schedules are always looked at."""
    planned = (
        select(_RUN.c.flow_id, func.count(), func.max(_RUN.c.scheduled_start_time))
        .where(_RUN.c.state == "Scheduled", _RUN.c.auto_scheduled.is_(True), _RUN.c.deployment_id.is_(None))
        .group_by(_RUN.c.flow_id)
    )
    ahead: dict[str, Any] = {flow: (number, last) for flow, number, last in connection.execute(planned)}
    deployed = set(
        connection.execute(
            select(tables.flow.c.id)
            .join(tables.deployment, tables.deployment.c.flow_group_id == tables.flow.c.flow_group_id)
            .where(tables.deployment.c.schedule.is_not(None))
        ).scalars()
    )
    needing = []
    for flow in schedules.scheduled_flows(connection):
        number, last = ahead.get(flow, (0, ""))
        if flow in deployed or not _has_enough(number, last, count, covered_until):
            needing.append(flow)
    return needing


def _has_enough(number: int, last: str, count: int, covered_until: str) -> bool:
    # Near the most there may be, a pass for each run that begins would be wasted.
    return number >= count and (last >= covered_until or number > MOST_RUNS * 0.9)
