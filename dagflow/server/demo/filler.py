"""Writing the demo into a database: quickly, past the rules, as if it had all happened."""

from __future__ import annotations

import dataclasses
import functools
import random
import uuid
from typing import Any

from sqlalchemy import insert, update

from dagflow.server.clock import stamp
from dagflow.server.database import tables
from dagflow.server.database.engine import Database, Tx
from dagflow.server.demo import surroundings
from dagflow.server.demo.flows import FLOWS, DemoFlow
from dagflow.server.demo.stories import Step, Story, TaskStory, tell
from dagflow.server.orchestration.documents import state_document
from dagflow.server.orchestration.names import run_name
from dagflow.server.store import registration
from dagflow.server.text import dumped
from dagflow.utilities.identities import task_run_id

__all__ = ["fill"]

DAY = 86_400.0
AT_ONCE = 100
"""Runs written in one transaction."""

OUTCOMES = ("Success", "Failed", "Restarted", "Cancelled")
WAITING = ("Scheduled", "Paused", "Queued", "Submitted", "Pending", "Scheduled", "Retrying", "Cancelling")
"""Runs that have not ended, besides those that run; one in thirty."""


@dataclasses.dataclass
class _Version:
    """A registered version of a flow: its ids, and the ids of its tasks by slug."""

    flow: DemoFlow
    id: str
    group_id: str
    tasks: dict[str, str]
    since: float


def fill(database: Database, runs: int = 300, seed: int = 1, days: float = 14, logs: bool = True) -> None:
    """
    Fill a database, which is up to date and empty, with the demo.

    Args:
        database: to be written to.
        runs: how many flow runs there are to be, besides those that schedules make.
        seed: what everything follows from.
        days: how far back the runs reach.
        logs: whether runs have log lines.
    """
    chance = random.Random(seed)
    flows = database.write(lambda tx: _register(tx, days))
    groups = {versions[0].flow.name: versions[0].group_id for versions in flows}
    agents = database.write(lambda tx: surroundings.furnish(tx, groups))
    weights = [versions[0].flow.weight for versions in flows]
    for begin in range(0, runs, AT_ONCE):
        chosen = chance.choices(flows, weights, k=min(AT_ONCE, runs - begin))
        part = functools.partial(_write, begin=begin, chance=chance, agents=agents, days=days, logs=logs)
        database.write(functools.partial(part, flows=chosen))


def _register(tx: Tx, days: float) -> list[list[_Version]]:
    """Register all versions of all flows, and return them, by flow."""
    found = []
    for flow in FLOWS:
        surroundings.project(tx, flow.project)
        made: list[_Version] = []
        found.append(made)
        for version in range(1, flow.versions + 1):
            answer = registration.register(tx, flow.document(version), None, flow.project, None, True, None)
            ago = days * DAY * (1 - (version - 1) / flow.versions) + DAY
            changed = update(tables.flow).where(tables.flow.c.id == answer["id"])
            tx.execute(changed.values(created=stamp(tx.now - ago)))
            table = tables.task
            rows = tx.execute(table.select().where(table.c.flow_id == answer["id"]))
            ids = {row.slug: row.id for row in rows}
            made.append(_Version(flow, answer["id"], answer["flow_group_id"], ids, tx.now - ago))
    return found


def _write(
    tx: Tx,
    *,
    flows: list[list[_Version]],
    begin: int,
    chance: random.Random,
    agents: list[str],
    days: float,
    logs: bool,
) -> None:
    rows = _Rows(tx.now)
    for number, versions in enumerate(flows, begin):
        version = versions[-1]
        agent = chance.choice(agents)
        if number % 30 == 29:
            rows.add_waiting(version, chance, WAITING[number // 30 % len(WAITING)], agent)
            continue
        running = number % 50 == 7
        fails = chance.random() < version.flow.fails
        outcome = "Running" if running else chance.choices(OUTCOMES, (0, 8, 2, 1) if fails else (97, 0, 0, 3))[0]
        # Recent times are livelier than those long gone.
        ago = chance.uniform(5, 40) if running else chance.betavariate(1, 2.2) * days * DAY + 900
        version = next((one for one in reversed(versions) if one.since < tx.now - ago), versions[0])
        rows.add_run(version, chance, outcome, tx.now - ago, agent, logs)
    rows.insert(tx)


class _Rows:
    """Rows that are to be inserted, by table."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.of: dict[str, list[dict[str, Any]]] = {
            name: []
            for name in ("flow_run", "flow_run_state", "task_run", "task_run_state", "log", "task_run_artifact")
        }

    def insert(self, tx: Tx) -> None:
        """Insert them."""
        for name, rows in self.of.items():
            if rows:
                tx.execute(insert(tables.metadata.tables[name]), rows)

    # --- flow runs ---------------------------------------------------------------------------------------------

    def add_run(
        self, version: _Version, chance: random.Random, outcome: str, start: float, agent: str, logs: bool
    ) -> None:
        """Add a run that has begun, with its tasks."""
        flow = version.flow
        story = tell(flow, list(version.tasks), chance, outcome)
        if outcome == "Running":
            # So that it is where its story ends now.
            latest = max((step.at for task in story.tasks for step in task.steps), default=0.0)
            start = self.now - latest - 2
        else:
            start = min(start, self.now - story.steps[-1].at - 1)
        asked = start - chance.uniform(1, 8)
        before = [Step(asked - start, "Scheduled", "Flow run scheduled."), Step(-0.6, "Submitted", "Submitted.")]
        run_id = self._flow_run(version, chance, [*before, *story.steps], start, asked, agent)
        for task in story.tasks:
            self._task_run(version, run_id, task, start)
            if logs:
                self._logs(version, run_id, task, start)
        self._artifacts(version, run_id, chance, story, start)

    def add_waiting(self, version: _Version, chance: random.Random, state: str, agent: str) -> None:
        """Add a run that has not begun, or is about to end."""
        asked = self.now - chance.uniform(20, 900)
        steps = [Step(0.0, "Scheduled", "Flow run scheduled.")]
        if state == "Cancelling":
            steps += [Step(1.0, "Running", "Running flow."), Step(15.0, state, "Its process is asked to stop.")]
        elif state == "Retrying":
            steps += [Step(1.0, "Running", "Running flow."), Step(9.0, state, "Retrying in 10 minutes.")]
        elif state != "Scheduled":
            steps.append(Step(2.0, state, {"Paused": "Waits to be approved.", "Queued": "Limit reached."}.get(state)))
        self._flow_run(version, chance, steps, asked, asked, agent)

    def _flow_run(
        self, version: _Version, chance: random.Random, steps: list[Step], start: float, asked: float, agent: str
    ) -> str:
        id = _id(chance, asked)
        histories = self._histories("flow_run_state", id, steps, start)
        last, state = histories[-1], steps[-1].state
        begun = [step.at for step in steps if step.state == "Running"]
        held = state in ("Submitted", "Running", "Cancelling")
        self.of["flow_run"].append(
            {
                "id": id,
                "created": stamp(asked),
                "updated": last["timestamp"],
                "flow_id": version.id,
                "flow_group_id": version.group_id,
                "name": run_name(chance),
                "parameters": dumped(_parameters(version.flow, chance)),
                "labels": dumped(sorted(version.flow.labels)),
                "scheduled_start_time": stamp(asked),
                "start_time": stamp(start + begun[0]) if begun else None,
                "end_time": last["timestamp"] if state in ("Success", "Failed", "Cancelled") else None,
                "heartbeat": stamp(self.now) if held else None,
                "auto_scheduled": version.flow.cron is not None and chance.random() < 0.9,
                "agent_id": agent if begun or held else None,
                "run_token": len(begun),
                "held": held,
                "late": state == "Scheduled",
                "tasks_made": bool(begun) and state not in ("Cancelling", "Retrying"),
                **_current(last, len(histories)),
            }
        )
        return id

    def _histories(self, table: str, run_id: str, steps: list[Step], start: float) -> list[dict[str, Any]]:
        found = []
        for number, step in enumerate(steps):
            moment = stamp(start + step.at)
            waits = step.state in ("Scheduled", "Queued", "Retrying")
            due = stamp(start + step.at + (600 if step.state == "Retrying" else 0)) if waits else None
            document = state_document(step.state, step.message, **({"start_time": due} if due else {}))
            found.append(
                {
                    "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{run_id}:{number}")),
                    "run_id": run_id,
                    "version": number + 1,
                    "state": step.state,
                    "timestamp": moment,
                    "message": step.message,
                    "start_time": due,
                    "serialized_state": dumped(document),
                    "actor": "key ada" if step.message in ("Cancelled by hand.", "Restarted.") else None,
                }
            )
        self.of[table] += found
        return found

    # --- tasks -------------------------------------------------------------------------------------------------

    def _task_run(self, version: _Version, run_id: str, task: TaskStory, start: float) -> None:
        id = task_run_id(run_id, version.tasks[task.slug], task.index)
        histories = self._histories("task_run_state", id, task.steps, start)
        current = _current(histories[-1], len(histories)) if histories else {**_NOTHING, "state": "Pending"}
        self.of["task_run"].append(
            {
                "id": id,
                "created": stamp(start),
                "updated": histories[-1]["timestamp"] if histories else stamp(start),
                "flow_run_id": run_id,
                "task_id": version.tasks[task.slug],
                "map_index": task.index,
                "start_time": None if task.start is None else stamp(start + task.start),
                "end_time": None if task.end is None else stamp(start + task.end),
                "run_count": task.tries,
                **current,
            }
        )

    def _logs(self, version: _Version, run_id: str, task: TaskStory, start: float) -> None:
        named = f"{task.slug}[{task.index}]" if task.index >= 0 else task.slug
        for step in task.steps:
            if step.state == "Running":
                self._log(version, run_id, task, start + step.at, "INFO", f"Task {named!r}: starting task run...")
                self._log(version, run_id, task, start + step.at + 0.1, "DEBUG", f"Reading what {named} needs.")
            elif step.state in ("Failed", "Retrying"):
                trace = f'Traceback (most recent call last):\n  File "flow.py", line 42, in {task.slug}'
                text = f"{step.message}\n{trace}"
                level = "ERROR" if step.state == "Failed" else "WARNING"
                self._log(version, run_id, task, start + step.at, level, text)
            elif step.state in ("Success", "TriggerFailed"):
                text = f"Task {named!r}: finished task run with final state {step.state!r}."
                self._log(version, run_id, task, start + step.at, "INFO", text)

    def _log(self, version: _Version, run_id: str, task: TaskStory, at: float, level: str, text: str) -> None:
        self.of["log"].append(
            {
                "flow_run_id": run_id,
                "task_run_id": task_run_id(run_id, version.tasks[task.slug], task.index),
                "timestamp": stamp(at),
                "name": "dagflow.task",
                "level": level,
                "message": text,
            }
        )

    def _artifacts(
        self, version: _Version, run_id: str, chance: random.Random, story: Story, start: float
    ) -> None:
        for task in story.tasks:
            if task.state == "Success" and task.slug in surroundings.ARTIFACTS:
                id = task_run_id(run_id, version.tasks[task.slug], task.index)
                moment = stamp(start + (task.end or 0.0))
                for number, (kind, key, data) in enumerate(surroundings.ARTIFACTS[task.slug](chance)):
                    self.of["task_run_artifact"].append(
                        {
                            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{id}:artifact:{number}")),
                            "created": moment,
                            "updated": moment,
                            "task_run_id": id,
                            "kind": kind,
                            "key": key,
                            "data": dumped(data),
                        }
                    )


_NOTHING = dict.fromkeys(
    ("state_id", "state_message", "state_timestamp", "state_start_time", "state_result", "serialized_state")
) | {"version": 0}


def _current(last: dict[str, Any], version: int) -> dict[str, Any]:
    return {
        "version": version,
        "state": last["state"],
        "state_id": last["id"],
        "state_message": last["message"],
        "state_timestamp": last["timestamp"],
        "state_start_time": last["start_time"],
        "state_result": None,
        "serialized_state": last["serialized_state"],
    }


def _parameters(flow: DemoFlow, chance: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = {one["name"]: one.get("default") for one in flow.parameters}
    if "month" in values:
        values["month"] = f"2026-{chance.randint(1, 12):02}"
    if "weeks" in values:
        values["weeks"] = chance.choice((4, 6, 6, 12))
    return values


def _id(chance: random.Random, moment: float) -> str:
    """Return an identity that sorts by its moment, like those that the server makes."""
    value = (int(moment * 1000) & 0xFFFF_FFFF_FFFF) << 80 | chance.getrandbits(80)
    value = value & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 2 << 62))
