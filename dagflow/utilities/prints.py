"""
Turning what a task prints into log records.

``sys.stdout`` belongs to the whole process, so it is replaced once, by a stream that asks which task is printing. Tasks
in parallel threads therefore never mix, and code outside of tasks prints as before.

What changes while it runs: ``sys.stdout`` and the number of tasks that want it replaced, both under one lock.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["prints_to_log"]


class _Pieces:
    """Collects what one task prints until a print is complete, then logs it as one record."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._pieces: list[str] = []

    def add(self, text: str) -> None:
        self._pieces.append(text)
        if text.endswith("\n"):
            self.log()

    def log(self) -> None:
        text = "".join(self._pieces).rstrip("\n")
        self._pieces.clear()
        if not text.strip():
            return
        # A handler of the application may itself print; what it prints is not the task's.
        token = _printing.set(None)
        try:
            self._logger.info("%s", text)
        finally:
            _printing.reset(token)


_printing: ContextVar[_Pieces | None] = ContextVar("dagflow_printing", default=None)
_lock = threading.Lock()
_users = 0


class _TaskAwareStdout:
    """Standard output that hands a task's text to its log and everything else to the real stream."""

    def __init__(self, real: Any) -> None:
        self.behind_task_prints = real

    def write(self, text: str) -> int:
        pieces = _printing.get()
        if pieces is None:
            return int(self.behind_task_prints.write(text) or 0)
        if not isinstance(text, str):
            raise TypeError(f"write() needs text, but got {type(text).__name__}.")
        pieces.add(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if _printing.get() is None:
            self.behind_task_prints.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind_task_prints, name)


@contextmanager
def prints_to_log(logger: logging.Logger) -> Iterator[None]:
    """
    Log what this thread prints inside the block as INFO records of *logger*; one print makes one record.

    Prints of nothing but white space are dropped, and standard error is left alone.

    >>> quiet = logging.Logger("quiet")
    >>> with prints_to_log(quiet):
    ...     print("goes to the log")
    """
    pieces = _Pieces(logger)
    _install()
    token = _printing.set(pieces)
    try:
        yield
    finally:
        _printing.reset(token)
        _uninstall()
        pieces.log()


def _install() -> None:
    global _users
    with _lock:
        _users += 1
        if sys.stdout is not None and not isinstance(sys.stdout, _TaskAwareStdout):
            sys.stdout = _TaskAwareStdout(sys.stdout)


def _uninstall() -> None:
    global _users
    with _lock:
        _users -= 1
        # Somebody else may have replaced the stream meanwhile; then it is theirs to restore.
        if _users == 0 and isinstance(sys.stdout, _TaskAwareStdout):
            sys.stdout = sys.stdout.behind_task_prints
