"""What people ask of a run: why nobody takes it, and how it looks as a picture."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from dagflow.server.database import tables
from dagflow.server.errors import Conflict, NotFound
from dagflow.server.orchestration.kinds import HELD, READY
from dagflow.server.store import agents, flows, groups, limits
from dagflow.server.store.claims import matches
from dagflow.server.store.flow_runs import get_flow_run
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


def graph(connection: Connection, run_id: str) -> dict[str, Any]:
    """Return the tasks of a run with their states, how many children are in which, and the edges."""
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
    return {"flow_run_id": run_id, "tasks": tasks, "edges": flows.list_edges(connection, run["flow_id"])}


def why_not_taken(connection: Connection, run_id: str, now: str) -> dict[str, Any]:
    """Return the reasons why a run is not being executed, with its labels and the agents that could."""
    run = get_flow_run(connection, run_id)
    labels = set(run["labels"])
    fitting_to_pool = agents.agents_like(connection, now, run["pool"])
    reasons = _of_state(run, now)
    if not reasons:
        reasons = [*_of_agents(run, labels, fitting_to_pool), *_of_limits(connection, run, now)]
        reasons = reasons or ["An agent that fits is there; it is expected to take the run at once."]
    return {"reasons": reasons, "labels": sorted(labels), "agents": fitting_to_pool, "state": run["state"]}


def _of_state(run: dict[str, Any], now: str) -> list[str]:
    state, start = run["state"], run["state_start_time"]
    if state in HELD:
        return [f"The run is {state}."]
    if state not in READY:
        return [f"The run has ended as {state}."]
    if start is None:
        return ["The run is paused until somebody approves it."]
    return [f"The run is planned for {start}."] if start > now else []


def _of_agents(run: dict[str, Any], labels: set[str], here: list[dict[str, Any]]) -> list[str]:
    where = "without a pool" if run["pool"] is None else f"of pool {run['pool']!r}"
    has = f"The run has {_listed(labels)}."
    if not here:
        start = "dagflow agent local start" if run["pool"] is None else f"dagflow worker start --pool {run['pool']}"
        flags = "".join(f" -l {label}" for label in sorted(labels) if not label.startswith("pool:"))
        return [f"{has} No agent {where} was heard of today. Start one with `{start}{flags}`."]
    served = {f"pool:{run['pool']}"} if run["pool"] else set()
    fitting = [one for one in here if _fits(run, labels, {*one["labels"], *served})]
    if any(one["healthy"] for one in fitting):
        return []
    if fitting:
        names = ", ".join(repr(one["name"]) for one in fitting[:5])
        return [f"{has} The agents that fit were not heard of lately: {names}."]
    return [f"{has} {_missing(one, labels)}" for one in here[:5]]


def _fits(run: dict[str, Any], labels: set[str], has: set[str]) -> bool:
    return labels <= has if run["pool"] else matches(labels, has)


def _missing(agent: dict[str, Any], labels: set[str]) -> str:
    name = f"Agent {agent['name']!r}"
    if not labels:
        return f"{name} has {_listed(agent['labels'])}, and an agent with labels takes no run without."
    lacking = labels - set(agent["labels"])
    return f"{name} has {_listed(agent['labels'])}; it lacks {', '.join(map(repr, sorted(lacking)))}."


def _listed(labels: Any) -> str:
    return "the labels " + ", ".join(map(repr, sorted(labels))) if labels else "no labels"


def _of_limits(connection: Connection, run: dict[str, Any], now: str) -> list[str]:
    reasons = [
        f"The limit of {one['limit']} on the label {one['name']!r} is reached."
        for one in limits.list_limits(connection, "flow_label", now)
        if one["name"] in run["labels"] and one["in_use"] >= one["limit"]
    ]
    if run["pool"] is None:
        return reasons
    from dagflow.server.store import pools

    pool = next((one for one in pools.list_pools(connection) if one["name"] == run["pool"]), None)
    if pool is None:
        return [*reasons, f"The pool {run['pool']!r} is gone."]
    if pool["paused"]:
        reasons.append(f"The pool {run['pool']!r} is paused: `dagflow work-pool resume {run['pool']}`.")
    if pool["limit"] is not None and pool["in_use"] >= pool["limit"]:
        reasons.append(f"The pool {run['pool']!r} is full: {pool['in_use']} of {pool['limit']} runs.")
    return reasons
