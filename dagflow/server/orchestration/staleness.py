"""When a process counts as lost."""

from __future__ import annotations

__all__ = ["is_lost"]


def is_lost(now: float, seen: float, listening_since: float, lost_after: float) -> bool:
    """
    Tell whether a process that was heard of last at *seen* is lost.

    While the server or its database was away nobody could be heard, so it waits one full time after that.

    >>> is_lost(now=100, seen=50, listening_since=0, lost_after=40)
    True
    >>> is_lost(now=100, seen=50, listening_since=90, lost_after=40)
    False
    """
    return now - max(seen, listening_since) >= lost_after
