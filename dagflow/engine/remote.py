"""
Task runs for executors in other processes.

What is the same for many runs (the flow run's scope, each task) is published once to every worker; a message for one
run carries its number, its inputs and little else. Values come back packed and are opened only by who looks at them:
one that another worker needs passes through the driver as the bytes it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.engine.attempt import attempt
from dagflow.engine.run_context import RunScope, TaskRun
from dagflow.engine.state import NOTHING, Failed, Packed, State
from dagflow.executors.published import fetch
from dagflow.utilities.pickling import dumps

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.task import Task

__all__ = ["Post", "run_posted"]

Item = tuple["int | None", "State | None", dict[str, Any], Any, Any]

_SMALL = (int, float, bool, type(None))
"""Types that are cheaper to send than to pack."""


class Post:
    """The driver's end: sends runs to an executor that can publish."""

    def __init__(self, scope: RunScope, executor: Any) -> None:
        self._executor = executor
        self._prefix = f"{scope.flow_run_id}/{id(self)}"
        self._published: set[int] = set()
        self._scope = scope
        self._scope_published = False

    def submit(self, index: int, pairs: list[tuple[TaskRun, dict[Edge, State] | None]], about: dict[str, Any]) -> Any:
        """Send runs of one step; raises what pickling raises, naming the variable at fault where it can."""
        task, slug = pairs[0][0].task, pairs[0][0].slug
        if not self._scope_published:
            self._executor.publish(f"{self._prefix}/scope", self._scope)
            self._scope_published = True
        if index not in self._published:
            self._publish_task(index, task)
        items = [(run.map_index, run.state, run.inputs, run.candidates, upstream) for run, upstream in pairs]
        return self._executor.submit(
            run_posted, f"{self._prefix}/scope", f"{self._prefix}/{index}", slug, items, extra_context=about
        )

    def _publish_task(self, index: int, task: Task) -> None:
        try:
            self._executor.publish(f"{self._prefix}/{index}", task)
        except Exception as error:
            from dagflow.engine.pickling import culprit

            raise TypeError(
                f"Task {task.name!r} cannot be sent to another process: {culprit(task.run, error)}. "
                "Make it inside the task, or pass it as an argument that pickles."
            ) from error
        self._published.add(index)


def run_posted(scope_key: str, task_key: str, slug: str, items: list[Item]) -> list[State]:
    """Run what :meth:`Post.submit` sent; called on the worker."""
    scope: RunScope = fetch(scope_key)
    task: Task = fetch(task_key)
    return [_run_item(scope, task, slug, item) for item in items]


def _run_item(scope: RunScope, task: Task, slug: str, item: Item) -> State:
    child, known, inputs, candidates, upstream = item
    opened = {key: value.open() if type(value) is Packed else value for key, value in inputs.items()}
    run = TaskRun(scope, task, slug, child, known, opened)
    run.candidates = candidates
    return packed(attempt(run, upstream), run.full_name)


def packed(state: State, name: str) -> State:
    """Return *state* with its value in bytes; ``Failed`` when the value cannot be pickled."""
    value = state._value if state._holder is None else state._holder.value
    if state._holder is not None or value is NOTHING or type(value) in _SMALL or isinstance(value, BaseException):
        return state
    try:
        state._value = Packed(dumps(value))
    except Exception as error:
        return Failed(
            f"Task {name!r} returned a {type(value).__name__}, which cannot be sent back from its process: {error!r}. "
            "Return something that pickles, or use threads.",
            result=TypeError(str(error)),
        )
    return state
