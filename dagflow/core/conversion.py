"""How plain values become tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.core.annotations import EdgeAnnotation
from dagflow.core.blame import user_location
from dagflow.core.task import Task
from dagflow.utilities.context import context

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["as_task", "contains_task"]


def as_task(x: Any, flow: Flow | None = None) -> Task:
    """
    Return the task that stands for *x*.

    Tasks pass through and annotations are unwrapped. A list, tuple, set or dict that contains a task becomes a task
    that gathers its items; everything else becomes one ``Constant``. What is made here is marked ``auto_generated``.

    Raises:
        ValueError: for a collection with tasks in it when no flow is open.
    """
    if isinstance(x, EdgeAnnotation):
        return as_task(x.value, flow=flow)
    if isinstance(x, Task):
        return x
    if isinstance(x, dict | list | tuple | set) and contains_task(x):
        made = _gathered(x, flow)
    else:
        from dagflow.tasks.core.constants import Constant

        made = Constant(x)
    made.auto_generated = True
    return made


def contains_task(x: Any) -> bool:
    """Tell whether *x* is a task, or a collection with one at any depth."""
    try:
        if isinstance(x, Task | EdgeAnnotation):
            return True
        if isinstance(x, dict):
            return any(map(contains_task, x.keys())) or any(map(contains_task, x.values()))
        return isinstance(x, list | tuple | set) and any(map(contains_task, x))
    except RecursionError:
        raise ValueError(
            f"A {type(x).__name__} given to a task holds itself, or is nested too deeply{user_location()}. "
            "Wrap it in an object of your own, or make it in a task."
        ) from None


def _gathered(x: Any, flow: Flow | None) -> Task:
    from dagflow.tasks.core import collections

    if (flow or context.get("flow")) is None:
        raise ValueError(
            f"The collection {x!r} holds tasks, so it needs a flow{user_location()}: use it inside `with Flow(...)`."
        )
    if isinstance(x, dict):
        gatherer: Task = collections.Dict()
        return gatherer.bind(keys=list(x), values=list(x.values()), flow=flow)
    kind = collections.List if isinstance(x, list) else collections.Tuple if isinstance(x, tuple) else collections.Set
    return kind().bind(*x, flow=flow)
