"""What happened in a world that was hurt: what bodies and processes wrote down, and what the server recorded."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any, NamedTuple

from dagflow.backend.reporting import MOST_AT_RISK
from dagflow.server.clock import at
from tests.faults.backend_world import World

__all__ = [
    "Start",
    "check_acknowledged",
    "check_database",
    "check_log",
    "check_run",
    "most_again",
    "starts",
    "task_runs",
    "value",
]


USED = "retry is used"
"""What the server says of a retry that a lost process cost; those of the flow's own it does not count."""


class Start(NamedTuple):
    """A body wrote down that it began, or what else it has to tell."""

    task_run_id: str
    token: int
    seconds: float
    pid: int
    name: str


def starts(here: World) -> list[Start]:
    """Return what the bodies wrote down."""
    found = []
    for line in here.executions.read_text().splitlines():
        task_run_id, token, seconds, pid, name = line.split(" ", 4)
        found.append(Start(task_run_id, int(token), float(seconds), int(pid), name))
    return found


def most_again(kills: int, pause: float = 0.03, hands: int = 1) -> int:
    """
    Return how many bodies may begin again after *kills* when each takes *pause* seconds.

    Those that ran, and those that had ended within the time which may be unrecorded.

    >>> most_again(2)
    4
    """
    return kills * (hands + int(MOST_AT_RISK / pause))


def task_runs(here: World, run_id: str) -> list[dict[str, Any]]:
    """Return all task runs of a run."""
    return _all(here, f"flow_runs/{run_id}/task_runs")


def _all(here: World, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = here.client.get(path, {"limit": 1000, **({"cursor": cursor} if cursor else {})})
        items += page["items"]
        cursor = page.get("cursor")
        if cursor is None:
            return items


def history(here: World, task_run_id: str) -> list[dict[str, Any]]:
    """Return the states that a task run has had."""
    found: list[dict[str, Any]] = here.client.get(f"task_runs/{task_run_id}/states")["items"]
    return found


def value(here: World, run_id: str, slug: str) -> Any:
    """Return the result of a task."""
    from dagflow.backend.task_run import TaskRunView

    (run,) = [one for one in task_runs(here, run_id) if one["task_slug"] == slug and one["map_index"] == -1]
    return TaskRunView.of(run).get_result()


def check_run(here: World, run_id: str, most: int) -> int:
    """
    Compare what began in a run with what was recorded; return how many bodies began again, at most *most*.

    No body may begin after its success was recorded. A retry of the flow's own counts as a beginning that was planned.
    """
    began = starts(here)
    counted = Counter(one.task_run_id for one in began)
    extra = 0
    for run in task_runs(here, run_id):
        states = history(here, run["id"])
        versions = [one["version"] for one in states]
        assert versions == list(range(1, len(states) + 1)), f"{run['task_slug']} has versions {versions}"
        if run["id"] not in counted:
            continue
        planned = 1 + sum(one["state"] == "Retrying" and USED not in (one["message"] or "") for one in states)
        extra += max(0, counted[run["id"]] - planned)
        done = [at(one["timestamp"]) for one in states if one["state"] == "Success"]
        late = [one for one in began if done and one.task_run_id == run["id"] and one.seconds > done[0] + 0.005]
        assert not late, f"{run['task_slug']} began {late} after its success was recorded at {done[0]}"
    assert extra <= most, f"{extra} bodies began again, {most} may"
    return extra


def check_acknowledged(here: World) -> int:
    """Look for every state that the server said it has; return how many there are."""
    missing = []
    known: dict[str, dict[str, int]] = {}
    lines = here.acks.read_text().splitlines()
    for line in lines:
        run, state_id, version = line.split(" ")
        if run not in known:
            known[run] = {one["id"]: one["version"] for one in here.client.get(f"{run}/states")["items"]}
        if known[run].get(state_id) != int(version):
            missing.append(line)
    assert not missing, f"{len(missing)} of {len(lines)} acknowledged states are missing: {missing[:3]}"
    return len(lines)


def check_log(here: World, run_id: str) -> int:
    """Look for the line of every body in the log of the run; return how many there are."""
    lines = {one["message"] for one in _all(here, f"flow_runs/{run_id}/logs")}
    ours = {run["id"] for run in task_runs(here, run_id)}
    wanted = [line for line in here.executions.read_text().splitlines() if line.split(" ")[0] in ours]
    lost = [line for line in wanted if line not in lines]
    assert not lost, f"{len(lost)} of {len(wanted)} lines are not in the log of the run: {lost[:3]}"
    return len(wanted)


def check_database(here: World) -> None:
    """Ask SQLite whether its file is whole."""
    if not here.database_url.startswith("sqlite"):
        return
    with sqlite3.connect(f"file:{here.folder}/server.db?mode=ro", uri=True) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()
    assert found == [("ok",)], found
