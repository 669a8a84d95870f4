"""Which variable of a function keeps it from being pickled."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from dagflow.utilities.pickling import dumps

__all__ = ["culprit"]


def culprit(function: Callable[..., Any], error: Exception) -> str:
    """Return words that name the variable *function* uses and that cannot be pickled, else the error itself."""
    plain = inspect.unwrap(getattr(function, "__func__", function))
    if not inspect.isfunction(plain):
        return f"{error}"
    used = inspect.getclosurevars(plain)
    for name, value in {**used.nonlocals, **used.globals}.items():
        try:
            dumps(value)
        except Exception as reason:
            return f"it uses the variable {name!r}, a {type(value).__name__} that does not pickle ({reason})"
    return f"{error}"
