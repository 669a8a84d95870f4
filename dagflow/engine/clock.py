"""The clock the engine reads; tests pass another one, so that nothing has to wait."""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """Real time."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
