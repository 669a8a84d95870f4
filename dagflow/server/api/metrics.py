"""Figures for Prometheus."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from sqlalchemy import Connection, func, select

from dagflow.server.api.answers import Here, router
from dagflow.server.clock import at
from dagflow.server.database import tables
from dagflow.server.orchestration.kinds import FINISHED

metrics = router("/metrics", "health")


@metrics.get("", include_in_schema=False)
async def tell_metrics(here: Here) -> Response:
    """Return the figures of this server as text."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

    now = here.now
    found = await here.read(lambda connection: _figures(connection, now))
    registry = CollectorRegistry()
    runs = Gauge("dagflow_flow_runs", "Flow runs that have not finished, by state.", ["state"], registry=registry)
    for state, number in found["states"].items():
        runs.labels(state).set(number)
    for name, help_text in _HELP.items():
        Gauge(f"dagflow_{name}", help_text, registry=registry).set(found[name])
    up = Gauge("dagflow_up_seconds", "Seconds since the server started.", registry=registry)
    up.set(here.clock.now() - here.started)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


_HELP = {
    "late_flow_runs": "Flow runs that should have started and have not.",
    "oldest_ready_seconds": "How long the oldest due flow run has been waiting for an agent.",
    "agents": "Agents heard of within a minute.",
    "task_runs_running": "Task runs that are Running.",
    "deliveries_waiting": "Actions of automations that have yet to be done.",
}


def _figures(connection: Connection, now: str) -> dict[str, Any]:
    from dagflow.server.clock import shifted
    from dagflow.server.orchestration.kinds import READY

    runs, tasks, agents = tables.flow_run, tables.task_run, tables.agent
    open_runs = select(runs.c.state, func.count()).where(runs.c.state.not_in(FINISHED)).group_by(runs.c.state)
    oldest = select(func.min(runs.c.state_start_time)).where(runs.c.state.in_(READY), runs.c.state_start_time <= now)
    first = connection.execute(oldest).scalar()
    counts = {
        "late_flow_runs": select(func.count()).where(runs.c.late.is_(True), runs.c.state.not_in(FINISHED)),
        "agents": select(func.count()).where(agents.c.last_queried >= shifted(now, -60)),
        "task_runs_running": select(func.count()).where(tasks.c.state == "Running"),
        "deliveries_waiting": select(func.count()).where(tables.delivery.c.status == "waiting"),
    }
    return {
        "states": {row[0]: row[1] for row in connection.execute(open_runs)},
        "oldest_ready_seconds": at(now) - at(first) if first else 0.0,
        **{name: connection.execute(statement).scalar_one() for name, statement in counts.items()},
    }
