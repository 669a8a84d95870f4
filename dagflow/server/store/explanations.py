"""What people ask of a run: why nobody takes it, and how it looks as a picture."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from dagflow.server.database import tables
from dagflow.server.errors import Conflict, NotFound
from dagflow.server.store import flows, groups
from dagflow.server.store.flow_runs import get_flow_run
from dagflow.server.store.reasons import Surroundings, reasons_for
from dagflow.server.text import loaded

__all__ = ["graph", "hold_of", "stale_token", "why_not_taken"]

_RUN, _TASK_RUN, _GROUP = tables.flow_run, tables.task_run, tables.flow_group


def hold_of(connection: Connection, run_id: str) -> dict[str, Any]:
    """Return state and token of a run, and whether its group wants heartbeats."""
    row = connection.execute(
        select(_RUN.c.state, _RUN.c.run_token, _GROUP.c.settings)
        .join(_GROUP, _GROUP.c.id == _RUN.c.flow_group_id)
        .where(_RUN.c.id == run_id)
    ).first()
    if row is None:
        raise NotFound.of("flow run", run_id)
    settings = groups.DEFAULT_SETTINGS | loaded(row.settings, {})
    return {"state": row.state, "run_token": row.run_token, "heartbeat_enabled": settings["heartbeat_enabled"]}


def stale_token(run_id: str, token: int, found: dict[str, Any]) -> Conflict:
    """Return the refusal for a heartbeat of somebody who holds the run no more."""
    return Conflict(
        f"Flow run {run_id} is in other hands by now: token {token} was given, {found['run_token']} is current.",
        code="STALE_TOKEN",
        detail={"run_token": found["run_token"], "state": found["state"]},
    )


def graph(connection: Connection, run_id: str, *, edges: bool = True) -> dict[str, Any]:
    """Return the tasks of a run with their states, how many children are in which, and the edges if they are wanted."""
    run = get_flow_run(connection, run_id)
    # Written out, because to PostgreSQL two expressions with parameters are never the same.
    of_child = _TASK_RUN.c.map_index >= literal_column("0")
    counted = select(_TASK_RUN.c.task_id, of_child, _TASK_RUN.c.state, func.count()).where(
        _TASK_RUN.c.flow_run_id == run_id
    )
    whole: dict[str, str] = {}
    children: dict[str, dict[str, int]] = {}
    for task_id, is_child, state, number in connection.execute(
        counted.group_by(_TASK_RUN.c.task_id, of_child, _TASK_RUN.c.state)
    ):
        if is_child:
            children.setdefault(task_id, {})[state] = number
        else:
            whole[task_id] = state
    tasks = [
        {
            "id": one["id"],
            "slug": one["slug"],
            "name": one["name"],
            "mapped": one["mapped"],
            "state": whole.get(one["id"], "Pending"),
            "children": children.get(one["id"], {}),
        }
        for one in flows.tasks_of_flow(connection, run["flow_id"])
    ]
    found = {"flow_run_id": run_id, "tasks": tasks}
    return found | {"edges": flows.list_edges(connection, run["flow_id"])} if edges else found


def why_not_taken(connection: Connection, run_id: str, now: str) -> dict[str, Any]:
    """Return the reasons why a run is not being executed, with its labels and the agents that could."""
    run = get_flow_run(connection, run_id)
    around = Surroundings(connection, now)
    reasons = reasons_for(around, [run])[run_id]
    return {
        "reasons": [one.text for one in reasons],
        "codes": [one.code for one in reasons],
        "labels": sorted(run["labels"]),
        "agents": around.agents_of(run["pool"]),
        "state": run["state"],
    }
