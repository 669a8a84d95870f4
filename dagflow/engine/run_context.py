"""
What a run offers through ``dagflow.context``, and what all task runs of one flow run share.

The two dozen keys a task may look up are computed when it does; a run that reads none pays for none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagflow.engine.clock import Clock
from dagflow.utilities.context import MISSING, Layer, context, current_layer
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.core.task import Task
    from dagflow.engine.state import State

__all__ = ["BUILD_KEYS", "RunScope", "TaskRun", "new_id"]

BUILD_KEYS = frozenset({"flow", "case", "resource", "tracing"})
"""What a task must not see although its flow is run inside a ``with Flow(...)`` block."""


def new_id() -> str:
    """Return a random UUID as text."""
    import uuid

    return str(uuid.uuid4())


class RunScope:
    """
    What the task runs of one flow run share.

    Attributes:
        parameters: the values given for this run.
        caches: cached states of earlier runs, by cache key.
        handlers: the runner's own state handlers.
        task_contexts: extra context by task.
        flow_result: where tasks without a result of their own write.
        flow_runner_keys: context given by the caller.
        layer: the context layer of the flow run, below which those of its tasks are put.
    """

    deadline: float | None = None
    """When the flow run's time is up, where each task has to see to it itself."""

    log_prints = False
    """Whether tasks that do not say log what they print."""

    reporter: Any = None
    """Told of rounds of tasks that loop; stays in the driver."""

    task_ids: Mapping[str, str] | None = None
    """What a backend calls the tasks, by slug; ``None`` without one."""

    def __init__(
        self,
        flow_name: str,
        *,
        parameters: dict[str, Any] | None = None,
        keys: Mapping[str, Any] | None = None,
        handlers: tuple[Callable[..., Any], ...] = (),
        task_contexts: Mapping[Any, Mapping[str, Any]] | None = None,
        flow_result: Any = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.now = self.clock.now
        self.flow_name = flow_name
        self.parameters = parameters if parameters is not None else {}
        self.handlers = handlers
        self.task_contexts = dict(task_contexts or {})
        self.flow_result = flow_result
        self.started = self.clock.now()
        values = dict(keys or {})
        if "date" in values:
            values["date"] = _as_date(values["date"])
        if "config" in values:
            from dagflow.utilities.collections import merge_dicts

            values["config"] = merge_dicts(context.config, values["config"])
        values["parameters"] = self.parameters
        self.layer = Layer(current_layer(), values, FLOW_KEYS, self, hidden=BUILD_KEYS | TASK_KEYS.keys())
        self.checkpointing = bool(self._value("checkpointing"))
        self.raises = bool(self._value("raise_on_exception"))
        self.logger = get_logger("TaskRunner")
        import logging

        self.logs = self.logger.isEnabledFor(logging.INFO)
        self.debugs = self.logger.isEnabledFor(logging.DEBUG)

    def _value(self, key: str) -> Any:
        from dagflow.utilities.context import find

        value = find(self.layer, key)
        return None if value is MISSING else value

    def setting(self, section: str) -> Any:
        """Return a section of the configuration in force for the run."""
        return self._value("config")[section]

    @property
    def flow_run_id(self) -> str:
        """The id of the flow run."""
        return str(self._value("flow_run_id"))

    # Both are set where a server knows of earlier runs.
    earlier: Callable[[Task], Sequence[Any]] | None = None
    known_keys: Any = None

    def candidates(self, task: Task) -> Sequence[Any]:
        """Return the cached states of earlier runs that may serve runs of *task*."""
        if self.earlier is not None:
            return self.earlier(task)
        return self.caches.get(task.cache_key or task.name, ())

    @property
    def caches(self) -> dict[str, list[Any]]:
        """Cached states of earlier runs, by cache key."""
        found: dict[str, list[Any]] | None = self._value("caches")
        return {} if found is None else found

    def date(self) -> Any:
        """Return the date of the run, UTC."""
        return self._value("date")

    # What crosses to another process: the keys, flattened, without what can be had there.
    def __getstate__(self) -> dict[str, Any]:
        from dagflow.utilities.context import visible

        fields = dict(self.__dict__)
        skipped = {"logger", "caches", "flow_runner", *BUILD_KEYS}
        fields["layer"] = {key: value for key, value in visible(self.layer).items() if key not in skipped}
        fields.pop("logger")
        fields.pop("reporter", None)
        fields.pop("earlier", None)
        fields["clock"] = Clock()
        fields["now"] = Clock.now
        return fields

    def __setstate__(self, fields: dict[str, Any]) -> None:
        values = fields.pop("layer")
        self.__dict__.update(fields)
        self.layer = Layer(None, values, FLOW_KEYS, self)
        self.parameters = values["parameters"]
        self.logger = get_logger("TaskRunner")


def _as_date(value: Any) -> Any:
    import pendulum

    if isinstance(value, pendulum.DateTime):
        return value
    try:
        import datetime

        if isinstance(value, datetime.datetime):
            return pendulum.instance(value, tz=value.tzinfo or "UTC")
        return pendulum.parse(value, tz="UTC")
    except Exception:
        import warnings

        warnings.warn(
            f"The context's date is {value!r}, which is no date; the present time is used. "
            "Give a datetime, or text such as '2024-02-28'.",
            stacklevel=2,
        )
        return pendulum.now("UTC")


def _day(offset: int, form: str) -> Callable[[RunScope], Any]:
    def compute(scope: RunScope) -> str:
        text: str = scope.date().add(days=offset).strftime(form)
        return text

    return compute


def _now(scope: RunScope) -> Any:
    import pendulum

    return pendulum.from_timestamp(scope.started)


def _checkpointing(scope: RunScope) -> bool:
    from dagflow.utilities.context import find

    return bool(find(scope.layer, "config").flows.checkpointing)


FLOW_KEYS: dict[str, Callable[[RunScope], Any]] = {
    "flow_name": lambda scope: scope.flow_name,
    "flow_id": lambda scope: scope.flow_name,
    "flow_run_id": lambda scope: new_id(),
    "flow_run_name": lambda scope: new_id(),
    "scheduled_start_time": _now,
    "date": _now,
    "today": _day(0, "%Y-%m-%d"),
    "yesterday": _day(-1, "%Y-%m-%d"),
    "tomorrow": _day(1, "%Y-%m-%d"),
    "today_nodash": _day(0, "%Y%m%d"),
    "yesterday_nodash": _day(-1, "%Y%m%d"),
    "tomorrow_nodash": _day(1, "%Y%m%d"),
    "checkpointing": _checkpointing,
    "logger": lambda scope: get_logger(scope.flow_name),
}
"""Keys of a flow run that are computed on first use."""


class TaskRun(Layer):
    """
    One run of one task, or of one child of a mapped task; also the context layer its code sees.

    ``candidates`` are the cached states of earlier runs that may serve this one.

    ``resume_input`` is what somebody gave who let a paused run go on.

    What changes while it runs: ``run_count``, ``loop_count``, ``loop_result`` from attempt to attempt, and ``ended``,
    which a state handler sets by raising.
    """

    # Defaults live on the class: a run that does not use them does not pay for setting them.
    candidates: Sequence[Any] = ()
    ended = False
    resumed = False
    resume_input: Any = None
    run_count = 1
    loop_count: int | None = None
    loop_result: Any = None
    loop_kept: Any = None
    """Where the value of the last round was written."""
    started = 0.0

    def __init__(
        self,
        scope: RunScope,
        task: Task,
        slug: str | None,
        map_index: int | None,
        state: State | None,
        inputs: dict[str, Any],
    ) -> None:
        self.parent = scope.layer
        self.values = dict(scope.task_contexts.get(task, ())) if scope.task_contexts else {}
        self.scope = scope
        self.task = task
        self.slug = slug
        self.map_index = map_index
        self.state = state
        self.inputs = inputs

    @property
    def owner(self) -> TaskRun:
        """What the computed keys are computed from."""
        return self

    @property
    def full_name(self) -> str:
        """The task's name, with the child's number when it is mapped."""
        return self.task.name if self.map_index is None else f"{self.task.name}[{self.map_index}]"

    @property
    def id(self) -> str:
        """The id of the run: the same on every attempt, another one for each child."""
        known = self.scope.task_ids
        if known is not None and self.slug is not None and self.slug in known:
            from dagflow.utilities.identities import task_run_id

            return task_run_id(
                self.scope.flow_run_id, known[self.slug], -1 if self.map_index is None else self.map_index
            )
        import hashlib
        import uuid

        text = f"{self.scope.flow_run_id}/{self.slug}/{self.map_index}"
        return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def _if(condition: Callable[[TaskRun], bool], value: Callable[[TaskRun], Any]) -> Callable[[TaskRun], Any]:
    return lambda run: value(run) if condition(run) else MISSING


TASK_KEYS: dict[str, Callable[[TaskRun], Any]] = {
    "task_name": lambda run: run.task.name,
    "task_full_name": lambda run: run.full_name,
    "task_slug": lambda run: run.slug,
    "task_id": lambda run: (run.scope.task_ids or {}).get(run.slug or "", run.slug),
    "task_run_id": lambda run: run.id,
    "task_tags": lambda run: run.task.tags,
    "task_run_count": lambda run: run.run_count,
    "task_run_name": lambda run: MISSING,
    "task_loop_count": _if(lambda run: run.loop_count is not None, lambda run: run.loop_count),
    "task_loop_result": _if(lambda run: run.loop_count is not None, lambda run: run.loop_result),
    "resume": _if(lambda run: run.resumed, lambda run: True),
    "resume_input": _if(lambda run: run.resumed, lambda run: run.resume_input),
    "map_index": lambda run: run.map_index,
    "parameters": lambda run: dict(run.scope.parameters),
    "logger": lambda run: get_logger(run.full_name),
}
"""Keys of a task run that are computed on first use."""

TaskRun.computed = TASK_KEYS
