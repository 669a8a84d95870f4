"""When a process counts as lost."""

from __future__ import annotations

__all__ = ["is_lost"]


def is_lost(now: float, seen: float, server_start: float, lost_after: float) -> bool:
    """
    Tell whether a process that was heard of last at *seen* is lost.

    While the server was away nobody could be heard, so it waits one full time after its start.

    >>> is_lost(now=100, seen=50, server_start=0, lost_after=40)
    True
    >>> is_lost(now=100, seen=50, server_start=90, lost_after=40)
    False
    """
    return now - max(seen, server_start) >= lost_after
