"""A fixed value as a task."""

from __future__ import annotations

from typing import Any

from dagflow.core.task import Task

__all__ = ["Constant"]


class Constant(Task):
    """
    A task whose result is *value*; the engine takes the value without running anything.

    Args:
        value: the value.
        name: default is its ``repr`` when that is short, else ``Constant[type]``.

    >>> Constant(3).name, Constant("a long sentence").name
    ('3', 'Constant[str]')
    """

    is_constant = True

    def __init__(self, value: Any, name: str | None = None, **kwargs: Any) -> None:
        self.value = value
        super().__init__(name=name or _name_of(value), **kwargs)

    def run(self) -> Any:
        """Return the value."""
        return self.value


def _name_of(value: Any) -> str:
    if type(value) in (list, tuple, dict, set) and len(value) > 4 or isinstance(value, str) and len(value) > 8:
        return f"Constant[{type(value).__name__}]"
    text = repr(value)
    return text if len(text) <= 8 else f"Constant[{type(value).__name__}]"
