"""``with case(task, value):`` — a block of tasks that run only when a result equals a value."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dagflow.core.annotations import EdgeAnnotation
from dagflow.core.blame import user_location
from dagflow.core.parameter import Parameter
from dagflow.core.task import Task
from dagflow.tasks.control_flow.conditional import CompareValue
from dagflow.utilities.context import Layer, context, current_layer, pop_layer, push_layer

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["case"]


class case:
    """
    Skip the tasks of the block unless *task*'s result equals *value*.

    Args:
        task: the condition; plain values are taken too.
        value: a plain value, compared by ``==``.

    Raises:
        TypeError: when *value* is a task.
    """

    def __init__(self, task: Any, value: Any) -> None:
        if isinstance(value, Task | EdgeAnnotation):
            raise TypeError(
                f"case compares with a plain value, found {value!r}{user_location()}. "
                "Compare in a task of your own and write `case(that_task, True)`."
            )
        self.task = task
        self.value = value
        self._members: dict[Task, None] = {}
        self._flow: Flow | None = None

    def add_task(self, task: Task, flow: Flow) -> None:
        """
        Take *task* into the block; parameters and constants stay outside.

        Raises:
            ValueError: when the block has tasks of another flow.
        """
        if isinstance(task, Parameter) or task.is_constant:
            return
        if self._flow is not None and self._flow is not flow:
            raise ValueError(
                f"A case block holds tasks of one flow, found {self._flow.name!r} and {flow.name!r}{user_location()}."
            )
        self._flow = flow
        self._members[task] = None

    def __enter__(self) -> Self:
        self._token = push_layer(Layer(current_layer(), {"case": self}))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pop_layer(self._token)
        members, flow = self._members, self._flow
        self._members, self._flow = {}, None
        if kind is None and flow is not None:
            self._guard(members, flow)

    def _guard(self, members: dict[Task, None], flow: Flow) -> None:
        """Make the first tasks of the block wait for the comparison."""
        first = [task for task in members if not any(one in members for one in flow.upstream_tasks(task))]
        compare = CompareValue(self.value, name=f"case({self.value})").bind(value=self.task, flow=flow)
        for task in first:
            task.set_upstream(compare, flow=flow)
        outer = context.get("case")
        if outer is not None:
            outer.add_task(compare, flow)
