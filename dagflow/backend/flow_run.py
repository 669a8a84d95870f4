"""What a server knows of a flow run, as it was when it was asked."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from dagflow.backend._ask import asked, asked_list
from dagflow.backend.task_run import TaskRunView
from dagflow.client.connection import in_path, iso
from dagflow.client.records import moment_of, state_of

if TYPE_CHECKING:
    import pendulum

    from dagflow.backend.flow import FlowView
    from dagflow.engine.state import State
    from dagflow.run_configs.base import RunConfig

__all__ = ["FlowRunLog", "FlowRunView", "TimedState"]

PAGE = 1000
"""Task runs and log lines that a server gives at a time, at most."""


class FlowRunLog(NamedTuple):
    """One line of a run's log; *level* is a number, as in the standard library's logging."""

    timestamp: datetime.datetime
    level: int
    message: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> FlowRunLog:
        """Read a record of the server."""
        import logging

        level = logging.getLevelNamesMapping().get(str(record.get("level") or "INFO"), logging.INFO)
        timestamp = moment_of(record["timestamp"])
        assert timestamp is not None
        return cls(timestamp, level, record.get("message") or "")


class TimedState(NamedTuple):
    """One state of a run's history, and when it was entered."""

    timestamp: pendulum.DateTime
    state: State

    def __getattr__(self, name: str) -> Any:
        # So that an element of FlowRunView.states can be asked what a state can be asked.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.state, name)


class FlowRunView:
    """
    A flow run.

    Make one with :meth:`from_flow_run_id`; :meth:`get_latest` asks again. A bad or missing answer is a ``ValueError``
    that holds the question. Task runs that have finished are kept, because nothing about them changes any more.

    Attributes:
        flow_run_id: its id.
        name: what it is called.
        flow_id: the version of the flow.
        labels: what an agent needs to take it.
        parameters: their values.
        context: what was added to ``dagflow.context``.
        state: the state it is in.
        states: all states so far, oldest first, each with its ``timestamp``.
        updated_at: when the server last changed it.
        run_config: how it is started.
    """

    def __init__(
        self,
        flow_run_id: str,
        name: str,
        flow_id: str,
        labels: Iterable[str],
        parameters: dict[str, Any],
        context: dict[str, Any],
        state: State,
        states: Iterable[TimedState],
        updated_at: pendulum.DateTime,
        run_config: RunConfig | None,
        task_runs: Iterable[TaskRunView] | None = None,
    ) -> None:
        self.flow_run_id = flow_run_id
        self.name = name
        self.flow_id = flow_id
        self.labels = set(labels)
        self.parameters = parameters
        self.context = context
        self.state = state
        self.states = sorted(states, key=lambda one: one.timestamp)
        self.updated_at = updated_at
        self.run_config = run_config
        self._task_runs: dict[str, TaskRunView] = {}
        self._flow: FlowView | None = None
        for task_run in task_runs or ():
            self._keep(task_run)

    @classmethod
    def from_flow_run_id(cls, flow_run_id: str, load_static_tasks: bool = False) -> FlowRunView:
        """Return the run with this id; with *load_static_tasks* also its task runs, but no children of maps."""
        if not isinstance(flow_run_id, str):
            raise TypeError(f"flow_run_id must be a str, found {flow_run_id!r} of type {type(flow_run_id).__name__}.")
        return cls._asked(flow_run_id, load_static_tasks, ())

    def get_latest(self, load_static_tasks: bool = False) -> FlowRunView:
        """Return a new view of the same run; finished task runs are carried over."""
        latest = self._asked(self.flow_run_id, load_static_tasks, self._task_runs.values())
        latest._flow = self._flow
        return latest

    @classmethod
    def _asked(cls, flow_run_id: str, load_static_tasks: bool, known: Iterable[TaskRunView]) -> FlowRunView:
        from dagflow.serialization.run_config import deserialize_run_config

        path = f"flow_runs/{in_path(flow_run_id)}"
        record = asked(path)
        history = asked(f"{path}/states")["items"]
        task_runs = [*known]
        if load_static_tasks:
            task_runs += map(TaskRunView.of, asked_list(f"{path}/task_runs", page=PAGE, mapped=False))
        return cls(
            flow_run_id=record["id"],
            name=record["name"],
            flow_id=record["flow_id"],
            labels=record.get("labels") or (),
            parameters=record.get("parameters") or {},
            context=record.get("context") or {},
            state=state_of(record),
            states=[TimedState(_moment(one["timestamp"]), state_of(one)) for one in history],
            updated_at=_moment(record["updated"]),
            run_config=deserialize_run_config(record["run_config"]) if record.get("run_config") else None,
            task_runs=task_runs,
        )

    # --- tasks -----------------------------------------------------------------------------------------------

    def _keep(self, task_run: TaskRunView) -> TaskRunView:
        if task_run.state.is_finished():
            return self._task_runs.setdefault(task_run.task_run_id, task_run)
        return task_run

    def get_task_run(
        self, task_slug: str | None = None, task_run_id: str | None = None, map_index: int | None = None
    ) -> TaskRunView:
        """
        Return a task run by slug or id.

        Raises:
            ValueError: without both, and when they name different task runs.
        """
        if task_slug is None and task_run_id is None:
            raise ValueError("get_task_run needs a task_slug or a task_run_id.")
        if task_run_id is None:
            assert task_slug is not None
            return self._by_slug(task_slug, -1 if map_index is None else map_index)
        found = self._task_runs.get(task_run_id) or self._keep(TaskRunView.from_task_run_id(task_run_id))
        if task_slug is not None and found.task_slug != task_slug:
            raise ValueError(
                f"The task run {task_run_id} is one of {found.task_slug!r}, not of {task_slug!r}: give the right pair, "
                "or only one of them."
            )
        if map_index is not None and found.map_index != map_index:
            raise ValueError(f"The task run {task_run_id} has the map_index {found.map_index}, not {map_index}.")
        return found

    def _by_slug(self, task_slug: str, map_index: int) -> TaskRunView:
        for one in self._task_runs.values():
            if one.task_slug == task_slug and one.map_index == map_index:
                return one
        return self._keep(TaskRunView.from_task_slug(task_slug, self.flow_run_id, map_index))

    def get_all_task_runs(self) -> list[TaskRunView]:
        """Return all task runs, children of maps included."""
        records = asked_list(f"flow_runs/{in_path(self.flow_run_id)}/task_runs", page=PAGE)
        return [self._keep(TaskRunView.of(record)) for record in records]

    def get_task_run_ids(self) -> list[str]:
        """Return the ids of all task runs."""
        return [record["id"] for record in asked_list(f"flow_runs/{in_path(self.flow_run_id)}/task_runs", page=PAGE)]

    # --- logs and flow ---------------------------------------------------------------------------------------

    def get_logs(
        self, start_time: datetime.datetime | None = None, end_time: datetime.datetime | None = None
    ) -> list[FlowRunLog]:
        """
        Return log lines in the order of time.

        Args:
            start_time: only lines after it.
            end_time: only lines up to it; default is the time of the view's last change.
        """
        path = f"flow_runs/{in_path(self.flow_run_id)}/logs"
        until = self.updated_at if end_time is None else end_time
        found = asked_list(path, page=PAGE, since=iso(start_time), until=iso(until))
        return [FlowRunLog.of(record) for record in found]

    def get_flow_metadata(self, no_cache: bool = False) -> FlowView:
        """Return what is known of the flow; asked for once, unless *no_cache*."""
        from dagflow.backend.flow import FlowView

        if self._flow is None or no_cache:
            self._flow = FlowView.from_flow_id(self.flow_id)
        return self._flow

    def __repr__(self) -> str:
        return (
            f"FlowRunView(flow_run_id={self.flow_run_id!r}, name={self.name!r}, state={self.state!r}, "
            f"cached_task_runs={len(self._task_runs)})"
        )


def _moment(text: str) -> pendulum.DateTime:
    moment = moment_of(text)
    assert moment is not None
    return moment
