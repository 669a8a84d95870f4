"""What stands around the runs of the demo: projects, agents, pools, limits, values, automations, what tasks show."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import update

from dagflow.server.clock import stamp
from dagflow.server.database import tables
from dagflow.server.database.engine import Database, Tx
from dagflow.server.store import agents, automations, deployments, limits, pools, projects, records, schedules, values

__all__ = ["ARTIFACTS", "furnish", "living_agents", "project"]

_ABOUT = {
    "Shop": "What the shop sells, and for how much.",
    "Forecasts": "How much it will sell, by region.",
    "Operations": "Chores of the night.",
}

BEAT_SECONDS = 20.0
"""An agent that was not heard of for a minute counts as silent."""

HEALTHY_AGENTS: tuple[dict[str, Any], ...] = (
    {"name": "warehouse-1", "type": "LocalAgent", "labels": ["warehouse"], "host": "node-1", "limit": 4},
    {"name": "plain", "type": "DockerAgent", "labels": [], "host": "node-2", "limit": None},
)
SILENT_AGENTS: tuple[tuple[dict[str, Any], float], ...] = (
    ({"name": "gpu-1", "type": "KubernetesAgent", "labels": ["gpu"], "host": "node-7", "limit": 2}, 900.0),
    ({"name": "warehouse-2", "type": "LocalAgent", "labels": ["warehouse"], "host": "node-3", "limit": 4}, 60_000.0),
)


VALUES = {"last-export": "2026-11-30", "exchange-rates": {"USD": 1.09, "GBP": 0.84}, "threshold": 0.2}


def project(tx: Tx, name: str) -> None:
    """Let there be a project."""
    projects.create_project(tx, name, _ABOUT.get(name))


def furnish(tx: Tx, groups: dict[str, str]) -> list[str]:
    """Let there be all that is no run; *groups* are ids of flow groups by name. Return the ids of agents."""
    found = [agents.register(tx, None, core_version="0.1.0", **one) for one in HEALTHY_AGENTS]
    for one, silent in SILENT_AGENTS:
        found.append(agents.register(tx, None, core_version="0.1.0", **one))
        heard = update(tables.agent).where(tables.agent.c.id == found[-1])
        tx.execute(heard.values(last_queried=stamp(tx.now - silent)))
    pools.create_pool(tx, "batch", "kubernetes", limit=3, description="Large machines, by the hour.")
    pools.create_pool(tx, "night", "process", description="Only used at night.")
    pools.change_pool(tx, "night", {"paused": True})
    deployment = {"parameters": {"weeks": 12}, "pool": "batch", "description": "Far ahead, on large machines."}
    deployments.put_deployment(tx, groups["demand-forecast"], "quarter", deployment, schedules.DEFAULT_LIMITS)
    limits.set_limit(tx, "task_tag", "db", 2)
    limits.set_limit(tx, "flow_label", "gpu", 1)
    limits.set_limit(tx, "flow_label", "warehouse", 10)
    for key, value in VALUES.items():
        values.set_value(tx, key, value)
    _automations(tx, groups)
    return found


@contextlib.contextmanager
def living_agents(database: Database) -> Iterator[None]:
    """Let the healthy agents be heard of every few seconds, for a ``with`` block."""
    names = [one["name"] for one in HEALTHY_AGENTS]
    statement = update(tables.agent).where(tables.agent.c.name.in_(names))
    end = threading.Event()

    def work() -> None:
        while not end.wait(BEAT_SECONDS):
            database.write(lambda tx: tx.execute(statement.values(last_queried=tx.stamp)).rowcount)

    thread = threading.Thread(target=work, name="dagflow-demo-agents", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _automations(tx: Tx, groups: dict[str, str]) -> None:
    failed = {"type": "state", "states": ["Failed"], "flow_group_ids": [groups["daily-sales"]]}
    late = {"type": "not_finished", "seconds": 7200, "flow_group_ids": [groups["nightly-backup"]]}
    message = {"type": "message", "title": "{flow_run_name} is {state}", "text": "See what the run says."}
    for name, trigger, enabled in (("Sales report failed", failed, True), ("Backup takes too long", late, False)):
        automations.create_automation(
            tx, {"name": name, "trigger": trigger, "actions": [message], "enabled": enabled}
        )
    records.add(tx, tables.message, title="brisk-otter is Failed", text="See what the run says.", read=False)


# --- what tasks show -------------------------------------------------------------------------------------------

_Shown = tuple[str, str, Any]


def _report(chance: random.Random) -> list[_Shown]:
    orders = {name: chance.randint(50, 900) for name in ("Austria", "France", "Italy", "Spain")}
    lines = "\n".join(f"| {name} | {number} |" for name, number in orders.items())
    text = f"# Sales\n\n**{sum(orders.values())}** orders.\n\n| Country | Orders |\n|---|---:|\n{lines}\n"
    rows = {"columns": ["country", "orders"], "rows": [list(pair) for pair in orders.items()]}
    return [("markdown", "sales-report", {"markdown": text}), ("table", "sales-by-country", rows)]


def _models(chance: random.Random) -> list[_Shown]:
    link = f"https://example.com/models/{chance.randint(1000, 9999)}"
    return [("link", "model", {"link": link}), ("progress", "trained", {"progress": 100.0})]


ARTIFACTS: dict[str, Callable[[random.Random], list[_Shown]]] = {"write-report": _report, "publish": _models}
"""What tasks show, by slug: kind, key and data."""
