"""Results that are known before anything runs."""

from __future__ import annotations

from typing import Any

from dagflow.engine.result import Result

__all__ = ["ConstantResult"]


class ConstantResult(Result):
    """
    A fixed value, which nothing needs to store.

    >>> ConstantResult(value=5).read("anywhere").value
    5
    """

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        if "serializer" in kwargs:
            raise ValueError("A ConstantResult is never written, so it takes no serializer.")
        super().__init__(value, **kwargs)

    def read(self, location: str) -> ConstantResult:
        """Return itself, whatever the *location*."""
        return self

    def write(self, value_: Any, **kwargs: Any) -> ConstantResult:
        """Raise `ValueError`: a constant is not written."""
        raise ValueError("A ConstantResult cannot be written; give the task e.g. result=LocalResult().")

    def exists(self, location: str, **kwargs: Any) -> bool:
        """Return True."""
        return True
