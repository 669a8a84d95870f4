"""
Marks on an argument that say how it travels along its edge.

They nest, and the outer mark wins where two disagree.

>>> unmapped(mapped([1])).annotations
{'mapped': False}
>>> mapped(flatten([[1], [2]])).annotations
{'flattened': True, 'mapped': True}
"""

from __future__ import annotations

from typing import Any

__all__ = ["EdgeAnnotation", "flatten", "mapped", "unmapped"]


class EdgeAnnotation:
    """
    A value with marks for the edge it will ride on.

    Args:
        value: a task, a plain value, or another annotated value.

    Attributes:
        value: the innermost value.
        annotations: the marks, as keyword arguments of :class:`~dagflow.core.edge.Edge`.
    """

    marks: dict[str, bool] = {}

    def __init__(self, value: Any) -> None:
        inner = value.annotations if isinstance(value, EdgeAnnotation) else {}
        self.value: Any = value.value if isinstance(value, EdgeAnnotation) else value
        self.annotations: dict[str, bool] = {**inner, **self.marks}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"


class mapped(EdgeAnnotation):
    """Map over the value: one child run for each of its items."""

    marks = {"mapped": True}


class unmapped(EdgeAnnotation):
    """Hand the whole value to every child run of a mapped task."""

    marks = {"mapped": False}


class flatten(EdgeAnnotation):
    """Remove one level of nesting from the value before it is used."""

    marks = {"flattened": True}
