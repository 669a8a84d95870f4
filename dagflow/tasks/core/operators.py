"""Python's operators as tasks; ``a + b`` on tasks adds an ``Add`` to the flow."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from dagflow.core.task import NoDefault, Task

__all__ = [
    "Add", "And", "Div", "Equal", "FloorDiv", "GetAttr", "GetItem", "GreaterThan", "GreaterThanOrEqual", "LessThan",
    "LessThanOrEqual", "Mod", "Mul", "Not", "NotEqual", "Or", "Pow", "Sub", "item_of",
]  # fmt: skip


class _Binary(Task):
    """Base of the tasks that apply ``operate`` to two results."""

    operate: Callable[..., Any]

    def run(self, x: Any, y: Any) -> Any:
        """Return the operator applied to *x* and *y*."""
        return type(self).operate(x, y)


class Add(_Binary):
    """``x + y``"""

    operate: Callable[[Any, Any], Any] = operator.add


class Sub(_Binary):
    """``x - y``"""

    operate: Callable[[Any, Any], Any] = operator.sub


class Mul(_Binary):
    """``x * y``"""

    operate: Callable[[Any, Any], Any] = operator.mul


class Div(_Binary):
    """``x / y``"""

    operate: Callable[[Any, Any], Any] = operator.truediv


class FloorDiv(_Binary):
    """``x // y``"""

    operate: Callable[[Any, Any], Any] = operator.floordiv


class Mod(_Binary):
    """``x % y``"""

    operate: Callable[[Any, Any], Any] = operator.mod


class Pow(_Binary):
    """``x ** y``"""

    operate: Callable[[Any, Any], Any] = operator.pow


class Equal(_Binary):
    """``x == y``"""

    operate: Callable[[Any, Any], Any] = operator.eq


class NotEqual(_Binary):
    """``x != y``"""

    operate: Callable[[Any, Any], Any] = operator.ne


class GreaterThan(_Binary):
    """``x > y``"""

    operate: Callable[[Any, Any], Any] = operator.gt


class GreaterThanOrEqual(_Binary):
    """``x >= y``"""

    operate: Callable[[Any, Any], Any] = operator.ge


class LessThan(_Binary):
    """``x < y``"""

    operate: Callable[[Any, Any], Any] = operator.lt


class LessThanOrEqual(_Binary):
    """``x <= y``"""

    operate: Callable[[Any, Any], Any] = operator.le


class And(Task):
    """``x and y``"""

    def run(self, x: Any, y: Any) -> Any:
        """Return ``x and y``."""
        return x and y


class Or(Task):
    """``x or y``"""

    def run(self, x: Any, y: Any) -> Any:
        """Return ``x or y``."""
        return x or y


class Not(Task):
    """``not x``"""

    def run(self, x: Any) -> bool:
        """Return ``not x``."""
        return not x


class _WithDefault(Task):
    """A task that looks something up and may have a default for what is missing."""

    def __init__(self, default: Any = NoDefault, **kwargs: Any) -> None:
        self.default = default
        super().__init__(**kwargs)


class GetItem(_WithDefault):
    """
    ``task_result[key]``

    Args:
        default: what to return when the key is missing; default is to fail.
    """

    def run(self, task_result: Any, key: Any, default: Any = NoDefault) -> Any:
        """
        Return the item.

        Raises:
            KeyError: when it is missing and there is no default.
        """
        default = self.default if default is NoDefault else default
        try:
            return task_result[key]
        except KeyError:
            if default is NoDefault:
                raise
            return default


class GetAttr(_WithDefault):
    """
    ``task_result.attr``; a dotted name goes deeper.

    Args:
        default: what to return when the attribute is missing; default is to fail.
    """

    def run(self, task_result: Any, attr: str, default: Any = NoDefault) -> Any:
        """
        Return the attribute.

        Raises:
            AttributeError: when it is missing and there is no default.
        """
        default = self.default if default is NoDefault else default
        try:
            return operator.attrgetter(attr)(task_result)
        except AttributeError:
            if default is NoDefault:
                raise
            return default


def item_of(task: Task, key: Any) -> Task:
    """
    Add the task that ``task[key]`` stands for.

    It writes its result where *task* does only when that place makes up its own names: at a location of the user's
    choice the item would overwrite the value it was taken from.
    """
    flow = task._current_flow(f"take item {key!r} of")
    label = key.name if isinstance(key, Task) else repr(key)
    own_place = task.target is None and _names_itself(task.result)
    item = GetItem(name=f"{task.name}[{label}]", checkpoint=task.checkpoint if own_place else False)
    item.result = task.result if own_place else None
    return item.bind(task_result=task, key=key, flow=flow)


def _names_itself(result: Any) -> bool:
    return result is None or (result.location is None and getattr(result, "_formatter", None) is None)
