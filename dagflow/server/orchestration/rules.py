"""
Whether a state may follow another, and what changes on the run with it.

Pure: the rows as they are come in, a verdict goes out. The store applies it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

from dagflow.server.clock import at, stamp
from dagflow.server.orchestration.kinds import BEGUN, FINISHED, KINDS

__all__ = ["FlowRunNow", "Refused", "TaskRunNow", "Wanted", "enter", "flow_run_verdict", "task_run_verdict"]

MOST_STATE_BYTES = 1_000_000


@dataclasses.dataclass(slots=True)
class Wanted:
    """A state that somebody wants to set, with what it is set under."""

    run_id: str
    document: dict[str, Any]
    text: str
    state_id: str
    version: int | None = None
    token: int | None = None
    reason: str | None = None
    name: str | None = None
    task_id: str | None = None
    flow_run_id: str | None = None
    map_index: int = -1
    kind: str = dataclasses.field(init=False)
    """The name of the state's class."""

    def __post_init__(self) -> None:
        self.kind = str(self.document["type"])


@dataclasses.dataclass(slots=True)
class Refused:
    """Why a state is not taken."""

    code: str
    message: str
    detail: Any = None


@dataclasses.dataclass(slots=True)
class _Run:
    id: str
    version: int
    state: str
    state_id: str | None
    state_message: str | None
    state_timestamp: str | None
    state_start_time: str | None
    state_result: str | None
    serialized_state: str | None
    start_time: str | None
    end_time: str | None


@dataclasses.dataclass(slots=True)
class FlowRunNow(_Run):
    """A flow run as it is; changed in place while a batch is applied."""

    flow_id: str
    flow_group_id: str
    run_token: int
    held: bool
    heartbeat: str | None
    times_resurrected: int
    agent_id: str | None
    locks_versions: bool = False
    updated: str | None = None


@dataclasses.dataclass(slots=True)
class TaskRunNow(_Run):
    """A task run as it is; changed in place while a batch is applied."""

    flow_run_id: str
    task_id: str
    map_index: int
    name: str | None
    run_count: int
    cache_key: str | None
    tags: str | None
    is_new: bool = False
    updated: str | None = None


def flow_run_verdict(run: FlowRunNow, wanted: Wanted) -> Refused | None:
    """Return why *run* may not enter the state, ``None`` when it may."""
    problem = _of_any(run, wanted, run.run_token)
    if problem is not None:
        return problem
    if wanted.version is not None and wanted.version != run.version and _asks_for_version(run, wanted):
        return _version_conflict(run, wanted.version)
    return None


def task_run_verdict(run: TaskRunNow, flow_run: FlowRunNow, wanted: Wanted) -> Refused | None:
    """Return why *run* may not enter the state, ``None`` when it may."""
    problem = _of_any(run, wanted, flow_run.run_token)
    if problem is not None:
        return problem
    if wanted.token is not None and flow_run.state in FINISHED:
        return Refused(
            "REFUSED",
            f"State update failed: flow run {flow_run.id} has finished as {flow_run.state}.",
            {"flow_run_state": flow_run.state},
        )
    if wanted.kind == "Running" and flow_run.state != "Running":
        return Refused(
            "REFUSED",
            f"State update failed: a task run may only be Running while its flow run is, which is {flow_run.state}.",
            {"flow_run_state": flow_run.state},
        )
    if wanted.version is not None and wanted.version != run.version and _asks_for_version(flow_run, wanted):
        return _version_conflict(run, wanted.version)
    return None


def _of_any(run: FlowRunNow | TaskRunNow, wanted: Wanted, token: int) -> Refused | None:
    kind = wanted.kind
    if kind not in KINDS:
        return Refused(
            "INVALID", f"State update failed: there is no state {kind!r}; there are {', '.join(sorted(KINDS))}."
        )
    # Letters have four bytes at most, so that the bytes of short texts need not be counted.
    if len(wanted.text) > MOST_STATE_BYTES / 4 and (size := len(wanted.text.encode())) > MOST_STATE_BYTES:
        return Refused(
            "TOO_LARGE",
            f"State update failed: the state has {size:,} bytes, and {MOST_STATE_BYTES:,} are the most. "
            "Keep results in a place of their own (result=...), not in the state.",
        )
    if wanted.token is not None and wanted.token != token:
        return Refused(
            "STALE_TOKEN",
            f"State update failed: the run is in other hands by now: token {wanted.token} was given, {token} is "
            "current.",
            {"run_token": token},
        )
    if kind == "Running" and run.state in FINISHED and run.state != "Looped":
        return Refused(
            "REFUSED",
            f"State update failed: the run has finished as {run.state}; it must be Scheduled or Pending before it "
            "runs again.",
            {"state": run.state, "version": run.version},
        )
    return None


def _asks_for_version(run: FlowRunNow, wanted: Wanted) -> bool:
    return run.locks_versions or wanted.kind in ("Running", "Submitted")


def _version_conflict(run: FlowRunNow | TaskRunNow, version: int) -> Refused:
    return Refused(
        "VERSION_LOCKING_ERROR",
        f"State update failed: version {version} was given, and the run is at version {run.version} in state "
        f"{run.state}.",
        {"version": run.version, "state": run.state},
    )


def enter(run: FlowRunNow | TaskRunNow, wanted: Wanted, now: str) -> None:
    """Let *run* be in the state wanted, at the time *now*."""
    document, kind = wanted.document, wanted.kind
    if kind == "Running" and run.start_time is None:
        run.start_time = now
    if kind in FINISHED:
        run.end_time = now
    elif kind not in BEGUN:
        run.end_time = None
    run.version += 1
    run.state = kind
    run.state_id = wanted.state_id
    run.state_message = _text(document.get("message"))
    run.state_timestamp = now
    run.state_start_time = moment(document.get("start_time"))
    result = document.get("_result")
    run.state_result = _text(result.get("location")) if isinstance(result, dict) else None
    run.serialized_state = wanted.text
    if isinstance(run, FlowRunNow):
        _enter_flow_run(run, kind, now)
    else:
        _enter_task_run(run, document, kind)


def _enter_flow_run(run: FlowRunNow, kind: str, now: str) -> None:
    if kind in ("Running", "Submitted"):
        run.heartbeat = now
    run.held = kind in ("Submitted", "Running", "Cancelling") and (run.held or kind == "Submitted")


def _enter_task_run(run: TaskRunNow, document: dict[str, Any], kind: str) -> None:
    if kind == "Running":
        run.run_count += 1
    elif kind == "Looped":
        run.run_count = max(0, run.run_count - 1)
    context = document.get("context")
    if isinstance(context, dict):
        key = context.get("cache_key")
        if kind in ("Cached", "Success") and isinstance(key, str):
            run.cache_key = key
        if kind == "Running":
            run.tags = "\n".join(sorted(tags_in(document) or ())) or None


def tags_in(document: dict[str, Any]) -> list[str] | None:
    """
    Return the tags that a state says its task runs with, ``None`` when it says none that can be read.

    >>> tags_in({"context": {"tags": ["db"]}}), tags_in({"context": {"tags": 5}})
    (['db'], None)
    """
    context = document.get("context")
    tags = context.get("tags") if isinstance(context, dict) else None
    return [str(tag) for tag in tags] if isinstance(tags, list) else None


def moment(value: Any) -> str | None:
    """
    Return a document's moment as the text that the database keeps.

    Raises:
        ValueError: for what is none.

    >>> moment("2024-05-01T12:00:00+02:00")
    '2024-05-01T10:00:00.000000Z'
    """
    return None if value is None else stamp(at(str(value)))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def full_tags(tags: Collection[str], limits: dict[str, int], used: dict[str, int]) -> list[str]:
    """
    Return those of *tags* that have no free slot, sorted.

    >>> full_tags({"db", "web"}, limits={"db": 1}, used={"db": 1})
    ['db']
    """
    return sorted(tag for tag in tags if tag in limits and used.get(tag, 0) >= limits[tag])
