"""
How many mapped children travel together.

A batch should be long enough that carrying it costs little beside running it, and short enough that long children
spread over all hands and nobody waits for the last batch. So the size follows what children of the same step have been
seen to take, and shrinks towards the end of the map.
"""

from __future__ import annotations

__all__ = ["BatchSize"]

_DEEP = 20.0
"""Seconds of work for each hand that may be under way when runs are long; a cluster that grows with load sees it."""

_MOST = 1000
"""The most batches of one kind under way."""


class BatchSize:
    """
    The size of the next batch of one step, and how many may be under way.

    Args:
        worth: seconds of work that make a batch worth carrying.

    >>> size = BatchSize(0.02)
    >>> size.next(1000, hands=8)
    1
    >>> size.learn(children=1, seconds=0.00001)
    >>> size.next(1000, hands=8)
    62
    """

    __slots__ = ("_mean", "_worth")

    def __init__(self, worth: float = 0.02) -> None:
        self._worth = worth
        self._mean: float | None = None

    def learn(self, children: int, seconds: float) -> None:
        """Take note that *children* took *seconds* together."""
        each = seconds / max(children, 1)
        self._mean = each if self._mean is None else 0.5 * self._mean + 0.5 * each

    def next(self, waiting: int, hands: int) -> int:
        """Return how many of *waiting* children to send to one of *hands* workers."""
        if self._mean is None:
            return 1
        share = waiting // (2 * hands)
        worth = int(self._worth / max(self._mean, 1e-7))
        return max(1, min(share, worth))

    def flights(self, hands: int) -> int:
        """Return how many batches may be under way: two for each hand, more of runs that are long."""
        if self._mean is None or self._mean < self._worth:
            return 2 * hands
        return max(2 * hands, min(int(_DEEP * hands / self._mean), _MOST))
