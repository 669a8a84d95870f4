"""
The ``dagflow`` logger: one handler on standard output, with what the context knows on each record.

Everything here touches dagflow's own logger and handler only; the application's logging is left alone, and records
propagate to it.

>>> get_logger().name, get_logger("my-task").name
('dagflow', 'dagflow.my-task')
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from dagflow.configuration import config
from dagflow.exceptions import ConfigurationError, near_match
from dagflow.utilities.context import context

__all__ = ["configure_logging", "get_logger", "temporary_logger_config"]

ROOT = "dagflow"
RECORD_ATTRIBUTES = ("flow_name", "flow_run_id", "task_name", "task_slug", "task_run_id")


class ContextFilter(logging.Filter):
    """
    Put what the context knows about the run on each record that passes.

    The usual names are set when present; those of ``logging.log_attributes`` always, as ``None`` when missing, because
    a format that names them would fail otherwise.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        fields = record.__dict__
        for name in RECORD_ATTRIBUTES:
            value = context.get(name)
            if value is not None:
                fields[name] = value
        for name in config.logging.log_attributes:
            fields.setdefault(name, context.get(name))
        return True


uninterruptible: set[int] = set()
"""Threads that hold the lock of a handler; a pool that interrupts its threads leaves these alone for the moment."""


class StdoutHandler(logging.StreamHandler[TextIO]):
    """Write to whatever ``sys.stdout`` is when the record is emitted, so that capturing and redirecting work."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard output as it is now; behind a task's captured prints, the real one."""
        real: TextIO = getattr(sys.stdout, "behind_task_prints", sys.stdout)
        return real

    def handle(self, record: logging.LogRecord) -> Any:
        """Handle *record* where no interruption reaches this thread: one that came with the lock held would keep it."""
        here = threading.get_ident()
        try:
            # An interruption that was sent just before arrives when this call returns, with the lock still free.
            uninterruptible.add(here)
            return super().handle(record)
        finally:
            uninterruptible.discard(here)

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*; a process without standard output drops it."""
        if sys.stdout is not None:
            super().emit(record)


def _level(value: Any) -> int:
    """Return the number of a level given by name, in any case, or by number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    known = logging.getLevelNamesMapping()
    name = str(value).upper()
    if name not in known:
        raise ConfigurationError(
            f"logging.level is {value!r}; expected one of {', '.join(known)} or a number.{near_match(name, known)}"
        )
    return known[name]


def _formatter(fmt: str, datefmt: str) -> logging.Formatter:
    try:
        return logging.Formatter(fmt, datefmt)
    except ValueError as error:
        raise ConfigurationError(
            f"The log format {fmt!r} cannot be used: {error}. Expected something like '%(levelname)s %(message)s'."
        ) from error


def _our_handler(logger: logging.Logger) -> StdoutHandler | None:
    return next((handler for handler in logger.handlers if isinstance(handler, StdoutHandler)), None)


def configure_logging() -> logging.Logger:
    """
    Bring the ``dagflow`` logger, and those of ``logging.extra_loggers``, in line with the configuration.

    Calling it again after a change is fine: each logger keeps exactly one handler of ours.
    """
    root = logging.getLogger(ROOT)
    handler = _our_handler(root)
    if handler is None:
        handler = StdoutHandler()
        handler.addFilter(ContextFilter())
    handler.setFormatter(_formatter(config.logging.format, config.logging.datefmt))
    level = _level(config.logging.level)
    for name in (ROOT, *config.logging.extra_loggers):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        if _our_handler(logger) is None:
            logger.addHandler(handler)
    return root


def get_logger(name: str | None = None) -> logging.Logger:
    """Return the ``dagflow`` logger, or its child called *name*."""
    return _root if name is None else logging.getLogger(f"{ROOT}.{name}")


@contextmanager
def temporary_logger_config(
    level: int | str | None = None, stream_fmt: str | None = None, stream_datefmt: str | None = None
) -> Iterator[None]:
    """
    Use another level or line format inside a block; what was in force returns at its end, after errors too.

    >>> with temporary_logger_config(level="CRITICAL"):
    ...     get_logger().level == logging.CRITICAL
    True
    """
    old_level = _root.level
    handler = _our_handler(_root)
    old_formatter = handler.formatter if handler else None
    try:
        if level is not None:
            _root.setLevel(_level(level))
        if handler and (stream_fmt is not None or stream_datefmt is not None):
            fmt = config.logging.format if stream_fmt is None else stream_fmt
            handler.setFormatter(_formatter(fmt, stream_datefmt or config.logging.datefmt))
        yield
    finally:
        _root.setLevel(old_level)
        if handler:
            handler.setFormatter(old_formatter)


_root = configure_logging()
