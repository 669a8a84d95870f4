"""Run everything in the calling thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagflow.executors.base import Executor

__all__ = ["LocalExecutor"]


class LocalExecutor(Executor):
    """
    Calls at once, in the calling thread: the default, and the easiest to debug.

    >>> LocalExecutor().submit(max, 1, 2)
    2
    """

    immediate = True

    def submit(
        self, fn: Callable[..., Any], *args: Any, extra_context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Return ``fn(*args, **kwargs)``."""
        return fn(*args, **kwargs)

    def wait(self, futures: Any) -> Any:
        """Return *futures*, which are values already."""
        return futures
