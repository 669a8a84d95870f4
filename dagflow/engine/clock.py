"""The clock the engine reads; tests pass another one, so that nothing has to wait."""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """Real time."""

    now = staticmethod(time.time)
    """Return seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
