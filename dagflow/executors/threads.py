"""
A pool of threads that can be interrupted.

That of the standard library cannot: its threads print a traceback when an interruption reaches them between two calls,
and its end waits for ever for code that swallowed one.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from dagflow.utilities.logging import uninterruptible

__all__ = ["ThreadPool"]

_STOP: Any = None

_PATIENCE = 3.0
"""Seconds to go on interrupting; what sits in a blocking call for longer is left behind."""

_PAUSE = 0.05
"""Seconds between two interruptions of the same thread."""


class ThreadPool:
    """
    Runs callables on *size* threads.

    What changes while it runs: ``_busy``, the threads that are inside a call; each thread touches only its own entry.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy: set[int] = set()
        self._killed = False

    def submit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call."""
        future: Future[Any] = Future()
        self._jobs.put((future, fn, args, kwargs))
        if len(self._threads) < self._size:
            thread = threading.Thread(target=self._serve, name=f"dagflow_{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def _serve(self) -> None:
        """Make calls until the pool is closed."""
        try:
            while (job := self._jobs.get()) is not _STOP:
                future, fn, args, kwargs = job
                if not future.set_running_or_notify_cancel():
                    continue
                here = threading.get_ident()
                try:
                    self._busy.add(here)
                    value = fn(*args, **kwargs)
                except BaseException as error:
                    self._busy.discard(here)
                    future.set_exception(error)
                else:
                    self._busy.discard(here)
                    future.set_result(value)
                # A thread that waits for its next job must not keep the last one's values alive.
                job = future = fn = args = kwargs = value = None
        except KeyboardInterrupt:  # ours, and late
            if not self._killed:
                raise

    def close(self, *, kill: bool) -> None:
        """End the threads; with *kill* interrupt the Python code they run."""
        self._killed = kill
        if kill:
            self._drain()
        for _ in self._threads:
            self._jobs.put(_STOP)
        if kill:
            self._interrupt_all()
        else:
            for thread in self._threads:
                thread.join()

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait()[0].cancel()

    def _interrupt_all(self) -> None:
        """Interrupt again and again, because code may catch everything and go on."""
        until = time.monotonic() + _PATIENCE
        while left := [thread for thread in self._threads if thread.is_alive()]:
            if time.monotonic() > until:
                _warn_of(left)
                return
            for thread in left:
                _interrupt(thread.ident or 0, self._busy)
            left[0].join(_PAUSE)


def _interrupt(ident: int, busy: set[int]) -> None:
    """
    Raise ``KeyboardInterrupt`` in a thread that is busy and may be interrupted.

    It is noticed between two instructions, not inside a blocking call.
    """
    import ctypes

    raise_in, thread, error = (
        ctypes.pythonapi.PyThreadState_SetAsyncExc,
        ctypes.c_ulong(ident),
        ctypes.py_object(KeyboardInterrupt),
    )
    # Nothing may stand between question and call: at any other call, at the start of a function or the end of a loop
    # the interpreter may switch to the thread, which takes a lock that it would then keep for ever.
    if ident in busy and ident not in uninterruptible:
        raise_in(thread, error)


def _warn_of(threads: list[threading.Thread]) -> None:
    from dagflow.utilities.logging import get_logger

    get_logger("LocalDaskExecutor").warning(
        "%d tasks sit in calls that cannot be interrupted; they are left behind and end with those calls or with the "
        "program. Use LocalDaskExecutor('processes') where work must stop at once.",
        len(threads),
    )
