"""Durations that depend on how often something was tried."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

__all__ = ["RetryDelay", "retry_delay"]

TWO_HOURS = timedelta(hours=2)


class RetryDelay:
    """How long to wait after a run, by its number; made by :func:`retry_delay`."""

    __slots__ = ("exponential_backoff", "interval", "max_delay")

    def __init__(self, interval: timedelta, exponential_backoff: bool, max_delay: timedelta) -> None:
        self.interval = interval
        self.exponential_backoff = exponential_backoff
        self.max_delay = max_delay

    def __call__(self, run_count: int) -> timedelta:
        if not self.exponential_backoff:
            return min(self.interval, self.max_delay)
        try:
            doubled: timedelta = self.interval * 2 ** max(run_count - 1, 0)
        except OverflowError:
            return self.max_delay
        return min(doubled, self.max_delay)

    def __repr__(self) -> str:
        kind = ", exponential_backoff=True" if self.exponential_backoff else ""
        return f"retry_delay({self.interval!r}{kind}, max_delay={self.max_delay!r})"


def retry_delay(
    interval: timedelta | None = None,
    *,
    exponential_backoff: bool = False,
    max_delay: timedelta = TWO_HOURS,
    **timedelta_kwargs: Any,
) -> RetryDelay:
    """
    Return a function from the number of the run (the first is 1) to the time to wait after it.

    The time is given as *interval*, or in the words of ``timedelta``. With *exponential_backoff* it doubles at each
    run, up to *max_delay*.

    >>> wait = retry_delay(seconds=10, exponential_backoff=True)
    >>> [wait(run_count).seconds for run_count in (1, 2, 3)]
    [10, 20, 40]
    """
    if interval is not None and timedelta_kwargs:
        given = ", ".join(timedelta_kwargs)
        raise ValueError(f"retry_delay() got both an interval and {given}; give the time in one way only.")
    if interval is None:
        if not timedelta_kwargs:
            raise ValueError("retry_delay() needs a time: an interval, or e.g. seconds=10.")
        interval = timedelta(**timedelta_kwargs)
    return RetryDelay(interval, exponential_backoff, max_delay)
