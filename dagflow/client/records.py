"""The answers of a client that have a shape of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pendulum

    from dagflow.engine.state import State

__all__ = ["FlowRunInfoResult", "ProjectInfo", "TaskRunInfoResult", "moment_of", "state_of"]


class ProjectInfo(NamedTuple):
    """A project, as far as a run needs to know it."""

    id: str
    name: str


class TaskRunInfoResult(NamedTuple):
    """What an engine needs to know of a task run."""

    id: str
    task_id: str
    task_slug: str
    version: int
    state: State

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> TaskRunInfoResult:
        """Read a record of the server."""
        return cls(
            record["id"], record["task_id"], record.get("task_slug") or "", record["version"], state_of(record)
        )


class FlowRunInfoResult(NamedTuple):
    """What an engine needs to know of a flow run; *task_runs* are those that are no children of a map."""

    id: str
    name: str
    flow_id: str
    project: ProjectInfo
    parameters: dict[str, Any]
    context: dict[str, Any]
    version: int
    scheduled_start_time: pendulum.DateTime | None
    state: State
    task_runs: list[TaskRunInfoResult]

    @classmethod
    def of(cls, record: Mapping[str, Any], task_runs: list[TaskRunInfoResult]) -> FlowRunInfoResult:
        """Read a record of the server."""
        return cls(
            record["id"],
            record["name"],
            record["flow_id"],
            ProjectInfo(record.get("project_id") or "", record.get("project_name") or ""),
            record.get("parameters") or {},
            record.get("context") or {},
            record["version"],
            moment_of(record.get("scheduled_start_time")),
            state_of(record),
            task_runs,
        )


def state_of(record: Mapping[str, Any]) -> State:
    """Return the state of a record; a run without one counts as scheduled."""
    from dagflow.engine.state import Scheduled, State

    document = record.get("serialized_state")
    if document:
        return State.deserialize(document)
    if record.get("state"):  # a run that was only made has a name of a state and no document
        return State.deserialize({"type": record["state"], "message": record.get("state_message")})
    return Scheduled(message="The server names no state yet.")


def moment_of(text: str | None) -> pendulum.DateTime | None:
    """Read a time that the server wrote."""
    if text is None:
        return None
    import datetime

    import pendulum

    return pendulum.instance(datetime.datetime.fromisoformat(text), tz="UTC")
