"""What automations have to do: deadlines that passed, and actions that wait."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from dagflow.server.backend import Backend
from dagflow.server.clock import shifted
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.orchestration.kinds import FINISHED
from dagflow.server.services.actions import perform
from dagflow.server.store import automations as store
from dagflow.utilities.logging import get_logger

__all__ = ["run"]

_RUN, _BREACH, _AGENT = tables.flow_run, tables.sla_breach, tables.agent
FIRST_PAUSE = 5.0
"""Seconds before the second attempt of an action; each further one waits twice as long."""


def run(backend: Backend) -> None:
    """Look for deadlines that have passed, then do what waits."""
    backend.database.write(_note_breaches)
    for delivery in backend.database.read(lambda connection: store.due(connection, backend.now)):
        _deliver(backend, delivery)


def _deliver(backend: Backend, delivery: dict[str, Any]) -> None:
    attempts = delivery["attempts"] + 1
    try:
        answer = perform(backend, delivery["action"], delivery["event"])
    except Exception as error:
        get_logger("server").warning("An action of an automation failed: %s", error)
        values: dict[str, Any] = {"answer": f"{type(error).__name__}: {error}"[:2000], "attempts": attempts}
        if attempts > backend.settings.delivery_retries:
            values["status"] = "failed"
        else:
            values["next_attempt"] = shifted(backend.now, FIRST_PAUSE * 2 ** (attempts - 1))
    else:
        values = {"status": "done", "answer": answer[:2000], "attempts": attempts}
    backend.database.write(lambda tx: store.settle(tx, delivery["id"], **values))


# --- deadlines -------------------------------------------------------------------------------------------------


def _note_breaches(tx: Tx) -> None:
    """Queue the actions of automations whose deadline has passed for a run, once for each run."""
    for id, trigger, actions in store.triggers(tx):
        if trigger["type"] == "agents":
            _note_agents(tx, id, trigger, actions)
        elif trigger["type"] in ("not_running", "not_finished"):
            for run in _breaching(tx, id, trigger):
                event = {
                    "event_name": "flow_sla",
                    "id": f"{id}:{run.id}",
                    "timestamp": tx.stamp,
                    "flow_run_id": run.id,
                    "state": run.state,
                    "state_message": run.state_message,
                    "kind": trigger["type"],
                    "duration_seconds": trigger["seconds"],
                    "message": _sentence(trigger, run),
                }
                _fire(tx, id, actions, run.id, event)


def _sentence(trigger: dict[str, Any], run: Any) -> str:
    if trigger["type"] == "not_running":
        return f"Run {run.name!r} was not running {trigger['seconds']:g} s after it should have started."
    return f"Run {run.name!r} had not finished {trigger['seconds']:g} s after it started."


def _breaching(tx: Tx, automation_id: str, trigger: dict[str, Any]) -> list[Any]:
    limit = shifted(tx.stamp, -trigger["seconds"])
    if trigger["type"] == "not_running":
        conditions = [_RUN.c.start_time.is_(None), _RUN.c.scheduled_start_time < limit]
    else:
        conditions = [_RUN.c.start_time < limit]
    if trigger.get("flow_group_ids"):
        conditions.append(_RUN.c.flow_group_id.in_(trigger["flow_group_ids"]))
    noted = select(_BREACH.c.subject).where(_BREACH.c.automation_id == automation_id)
    return list(
        tx.execute(
            select(_RUN.c.id, _RUN.c.name, _RUN.c.state, _RUN.c.state_message)
            .where(_RUN.c.state.not_in(FINISHED), _RUN.c.id.not_in(noted.scalar_subquery()), *conditions)
            .limit(500)
        )
    )


def _note_agents(tx: Tx, id: str, trigger: dict[str, Any], actions: str) -> None:
    config = trigger.get("agent_config_id")
    mine = [] if config is None else [_AGENT.c.agent_config_id == config]
    since = shifted(tx.stamp, -trigger["seconds"])
    healthy = tx.execute(select(func.count()).where(_AGENT.c.last_queried >= since, *mine)).scalar_one()
    wanted = int(trigger.get("min_healthy", 1))
    known = tx.execute(
        select(_BREACH.c.seq).where(_BREACH.c.automation_id == id, _BREACH.c.subject == "agents")
    ).scalar()
    if healthy >= wanted:
        if known is not None:
            tx.execute(_BREACH.delete().where(_BREACH.c.seq == known))
    elif known is None:
        event = {
            "event_name": "agent_sla",
            "id": f"{id}:{tx.stamp}",
            "timestamp": tx.stamp,
            "agent_config_id": config,
            "sla_min_healthy": wanted,
            "healthy": healthy,
            "message": f"{healthy} agents are healthy, and at least {wanted} should be.",
        }
        _fire(tx, id, actions, "agents", event)


def _fire(tx: Tx, id: str, actions: str, subject: str, event: dict[str, Any]) -> None:
    tx.execute(_BREACH.insert().values(created=tx.stamp, automation_id=id, subject=subject))
    store.queue_for(tx, id, actions, event)
