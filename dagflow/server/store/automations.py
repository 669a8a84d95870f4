"""Automations, what they have yet to do and have done, and messages."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid, NotFound
from dagflow.server.orchestration.automations import check_actions, check_trigger, fires
from dagflow.server.store import records
from dagflow.server.text import loaded

__all__ = [
    "change_automation",
    "create_automation",
    "list_automations",
    "list_deliveries",
    "list_messages",
    "queue_for",
]

_AUTOMATION, _DELIVERY, _MESSAGE = tables.automation, tables.delivery, tables.message


def create_automation(tx: Tx, values: dict[str, Any]) -> str:
    """Make an automation and return its id."""
    if not values["name"].strip():
        raise Invalid("An automation needs a name.")
    check_trigger(values["trigger"])
    check_actions(values["actions"])
    return records.add(tx, _AUTOMATION, **values)


def change_automation(tx: Tx, id: str, changes: dict[str, Any]) -> None:
    """Change an automation."""
    if not changes.get("name", "unchanged").strip():
        raise Invalid("An automation needs a name.")
    if "trigger" in changes:
        check_trigger(changes["trigger"])
    if "actions" in changes:
        check_actions(changes["actions"])
    if not records.change(tx, _AUTOMATION, id, **changes):
        raise NotFound.of("automation", id)


def list_automations(connection: Connection) -> list[dict[str, Any]]:
    """Return all automations, oldest first."""
    return [records.record(row) for row in connection.execute(select(_AUTOMATION).order_by(_AUTOMATION.c.created))]


def list_deliveries(connection: Connection, automation_id: str) -> list[dict[str, Any]]:
    """Return what an automation has done and has yet to do, newest first."""
    records.fetch(connection, _AUTOMATION, automation_id)
    statement = select(_DELIVERY).where(_DELIVERY.c.automation_id == automation_id)
    return [
        records.record(row) for row in connection.execute(statement.order_by(_DELIVERY.c.created.desc()).limit(200))
    ]


def list_messages(connection: Connection) -> list[dict[str, Any]]:
    """Return messages, newest first."""
    statement = select(_MESSAGE).order_by(_MESSAGE.c.created.desc()).limit(200)
    return [records.record(row) for row in connection.execute(statement)]


def triggers(tx: Tx) -> list[tuple[str, dict[str, Any], str]]:
    """Return the automations that are enabled: id, trigger, actions as text."""
    statement = select(_AUTOMATION.c.id, _AUTOMATION.c.trigger, _AUTOMATION.c.actions).where(
        _AUTOMATION.c.enabled.is_(True)
    )
    return [(row.id, loaded(row.trigger), row.actions) for row in tx.execute(statement)]


def queue_for(tx: Tx, automation_id: str, actions: str, event: dict[str, Any]) -> None:
    """Note what an automation has to do; it is done after the commit."""
    for action in loaded(actions):
        records.add(
            tx, _DELIVERY, automation_id=automation_id, action=action, event=event, status="waiting", attempts=0,
            next_attempt=tx.stamp,
        )  # fmt: skip


def queue_state_change(
    tx: Tx, enabled: list[tuple[str, dict[str, Any], str]], row: dict[str, Any], flow_group_id: str
) -> None:
    """Note, in the transaction of a flow run's change of state, what automations have to do about it."""
    for id, trigger, actions in enabled:
        if fires(trigger, flow_group_id, row["state"]):
            event = {
                "event_name": "flow_run_state",
                "id": row["id"],
                "timestamp": row["timestamp"],
                "flow_run_id": row["run_id"],
                "state": row["state"],
                "state_message": row["message"],
                "message": row["message"],
            }
            queue_for(tx, id, actions, event)


def settle(tx: Tx, id: str, **values: Any) -> None:
    """Note how a delivery went."""
    tx.execute(_DELIVERY.update().where(_DELIVERY.c.id == id).values(updated=tx.stamp, **values))


def due(connection: Connection, now: str) -> list[dict[str, Any]]:
    """Return the deliveries whose time has come."""
    statement = (
        select(_DELIVERY)
        .where(_DELIVERY.c.status == "waiting", _DELIVERY.c.next_attempt <= now)
        .order_by(_DELIVERY.c.next_attempt)
        .limit(100)
    )
    return [records.record(row) for row in connection.execute(statement)]


def add_message(tx: Tx, title: str, text: str) -> None:
    """Leave a message for people."""
    records.add(tx, _MESSAGE, title=title, text=text, read=False)
