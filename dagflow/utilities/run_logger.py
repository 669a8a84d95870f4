"""The logger of whatever run a line of code is part of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagflow.utilities.context import context

__all__ = ["disable_run_logger", "get_run_logger"]


def get_run_logger(**extra: Any) -> logging.Logger | logging.LoggerAdapter[logging.Logger]:
    """
    Return the logger of the running task, or that of the flow in its handlers; ``context.logger`` is the same one.

    Args:
        **extra: attributes for each record.

    Raises:
        RuntimeError: outside a run, unless inside ``with disable_run_logger():``.
    """
    if context.get("run_logger_disabled"):
        return _silent
    found = context.get("logger") if "flow_run_id" in context else None
    if found is None:
        raise RuntimeError(
            "get_run_logger() is for code of a run, and there is none here. Use "
            "dagflow.utilities.logging.get_logger(), or put the call into `with disable_run_logger():`."
        )
    return logging.LoggerAdapter(found, extra) if extra else found


@contextmanager
def disable_run_logger() -> Iterator[None]:
    """
    Let :func:`get_run_logger` return a logger that drops everything, for tests of a task's function.

    >>> with disable_run_logger():
    ...     get_run_logger().info("nobody reads this")
    """
    with context(run_logger_disabled=True):
        yield


class _Silent(logging.Logger):
    """Drops every record."""

    def isEnabledFor(self, level: int) -> bool:
        """Say that nothing is logged."""
        return False


_silent = _Silent("dagflow.silent")
