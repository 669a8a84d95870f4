"""The server's time: seconds since the epoch, and the text of fixed width that the database keeps."""

from __future__ import annotations

import datetime
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock", "at", "shifted", "stamp"]


class Clock(Protocol):
    """Tells the time; tests bring one that stands still."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...


class SystemClock:
    """The time of this machine."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()


def stamp(seconds: float) -> str:
    """
    Return a moment as text.

    >>> stamp(1_700_000_000.5)
    '2023-11-14T22:13:20.500000Z'
    """
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="microseconds")[:26] + "Z"


def at(text: str) -> float:
    """
    Return the seconds since the epoch of ISO text; without a zone it is taken for UTC.

    Raises:
        ValueError: for text that is no moment.

    >>> at("2023-11-14T23:13:20.5+01:00")
    1700000000.5
    """
    moment = datetime.datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def shifted(text: str, seconds: float) -> str:
    """
    Return the moment *seconds* after the one given.

    >>> shifted("2023-11-14T22:13:20.500000Z", -0.5)
    '2023-11-14T22:13:20.000000Z'
    """
    return stamp(at(text) + seconds)
