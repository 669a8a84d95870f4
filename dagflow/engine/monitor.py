"""The thread of a worker that looks after batches while they run."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Protocol

from dagflow.utilities.logging import get_logger

__all__ = ["Monitor", "Watched"]

_GLANCE = 0.02
"""Seconds between two looks at the batches under way."""

_IDLE = 5.0
"""Seconds after which a thread with nothing to watch ends."""


class Watched(Protocol):
    """What can be looked at."""

    def look(self, now: float) -> None:
        """Do what should not wait; *now* is monotonic."""


class Monitor:
    """
    The one thread of a process that watches its batches.

    What changes: the batches under way, and whether the thread is there; it ends when it had nothing to watch for a
    while.
    """

    def __init__(self) -> None:
        self._batches: set[Watched] = set()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def watching(self, batch: Watched) -> Iterator[None]:
        """Watch *batch* inside the block."""
        with self._change:
            self._batches.add(batch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="dagflow-monitor", daemon=True)
                self._thread.start()
            self._change.notify()
        try:
            yield
        finally:
            with self._change:
                self._batches.discard(batch)

    def _watch(self) -> None:
        while True:
            with self._change:
                if not self._batches and not self._change.wait(_IDLE) and not self._batches:
                    self._thread = None
                    return
                batches = list(self._batches)
            now = time.monotonic()
            for batch in batches:
                try:
                    batch.look(now)
                except Exception:  # the others must be watched all the same
                    get_logger("TaskRunner").exception("A report to the driver failed.")
            time.sleep(_GLANCE)
