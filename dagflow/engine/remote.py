"""
Task runs for executors in other processes.

What is the same for many runs (the flow run's scope, each task) is published once to every worker; a message for one
run carries its number, its inputs and little else. Values come back packed and are opened only by who looks at them:
one that another worker needs passes through the driver as the bytes it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.engine.attempt import attempt
from dagflow.engine.base_state import NOTHING, Packed
from dagflow.engine.run_context import RunScope, TaskRun
from dagflow.engine.state import Failed, State, Success
from dagflow.executors.published import fetch
from dagflow.utilities.pickling import dumps

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.task import Task

__all__ = ["Link", "Post", "run_posted"]

_SMALL = (int, float, bool, type(None))
"""Types that are cheaper to send than to pack."""


class Link:
    """A step that follows another child by child on the same worker; ``keys`` take the value of the one before."""

    __slots__ = ("inputs", "keys", "slug", "step", "task")

    def __init__(self, step: int, task: Task, slug: str, keys: list[str], inputs: list[dict[str, Any]]) -> None:
        self.step = step
        self.task = task
        self.slug = slug
        self.keys = keys
        self.inputs = inputs


class Post:
    """The driver's end: sends runs to an executor that can publish."""

    def __init__(self, scope: RunScope, executor: Any) -> None:
        self._executor = executor
        self._prefix = f"{scope.flow_run_id}/{id(self)}"
        self._published: set[int] = set()
        self._scope = scope
        self._scope_published = False

    def submit(
        self,
        index: int,
        pairs: list[tuple[TaskRun, dict[Edge, State] | None]],
        about: dict[str, Any],
        chain: list[Link],
    ) -> Any:
        """Send runs of one step; raises what pickling raises, naming the variable at fault where it can."""
        if not self._scope_published:
            self._publish_scope()
        task, slug = pairs[0][0].task, pairs[0][0].slug
        steps: list[tuple[int, str, str | None, list[str]]] = [(index, self._key_of(index, task), slug, [])]
        steps += [(link.step, self._key_of(link.step, link.task), link.slug, link.keys) for link in chain]
        items = [
            (run.map_index, run.state, run.inputs, run.candidates, upstream, [link.inputs[place] for link in chain])
            for place, (run, upstream) in enumerate(pairs)
        ]
        return self._executor.submit(run_posted, f"{self._prefix}/scope", steps, items, extra_context=about)

    def _publish_scope(self) -> None:
        try:
            self._executor.publish(f"{self._prefix}/scope", self._scope)
        except Exception as error:
            raise TypeError(
                f"The context of the run cannot be sent to another process: {self._unpicklable_key(error)}. "
                "Make such a thing inside the task."
            ) from error
        self._scope_published = True

    def _unpicklable_key(self, error: Exception) -> str:
        """Return words that name the key of the context that does not pickle, else the error itself."""
        for key, value in self._scope.__getstate__()["layer"].items():
            try:
                dumps(value)
            except Exception as reason:
                return f"its key {key!r} holds a {type(value).__name__} that does not pickle ({reason})"
        return str(error)

    def _key_of(self, index: int, task: Task) -> str:
        """Return the key under which a task is published, publishing it when it is not."""
        key = f"{self._prefix}/{index}"
        if index not in self._published:
            try:
                self._executor.publish(key, task)
            except Exception as error:
                from dagflow.engine.pickling import culprit

                raise TypeError(
                    f"Task {task.name!r} cannot be sent to another process: {culprit(task.run, error)}. "
                    "Make it inside the task, or pass it as an argument that pickles."
                ) from error
            self._published.add(index)
        return key


def run_posted(scope_key: str, steps: list[Any], items: list[Any]) -> list[list[tuple[int, State]]]:
    """
    Run what :meth:`Post.submit` sent; called on the worker.

    Returns:
        for each item the states of the steps that ran, each with its step, in order.
    """
    scope: RunScope = fetch(scope_key)
    return [_run_item(scope, steps, item) for item in items]


def _run_item(scope: RunScope, steps: list[Any], item: Any) -> list[tuple[int, State]]:
    child, known, inputs, candidates, upstream, beside = item
    answers: list[tuple[int, State]] = []
    value: Any = None
    for place, (index, key, slug, keys) in enumerate(steps):
        if place:
            inputs = {**beside[place - 1], **dict.fromkeys(keys, value)}
            known = upstream = None
            candidates = ()
        opened = {name: one.open() if type(one) is Packed else one for name, one in inputs.items()}
        run = TaskRun(scope, fetch(key), slug, child, known, opened)
        run.candidates = candidates
        state = attempt(run, upstream)
        goes_on = type(state) is Success
        value = state.result if goes_on else None
        sent = packed(state, run.full_name)
        answers.append((index, sent))
        if not goes_on or sent is not state:
            break
    return answers


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
