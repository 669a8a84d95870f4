"""
How many mapped children travel together.

A batch should be long enough that carrying it costs little beside running it, and short enough that long children
spread over all hands and nobody waits for the last batch. So the size follows what children of the same step have been
seen to take, and shrinks towards the end of the map.
"""

from __future__ import annotations

__all__ = ["BatchSize"]

_WORTH_CARRYING = 0.02
"""Seconds of work in a batch; carrying one costs a thousandth of that in a thread, a fortieth in a process."""


class BatchSize:
    """
    The size of the next batch of one step.

    >>> size = BatchSize()
    >>> size.next(1000, hands=8)
    1
    >>> size.learn(children=1, seconds=0.00001)
    >>> size.next(1000, hands=8)
    62
    """

    __slots__ = ("_longest", "_mean")

    def __init__(self) -> None:
        self._mean: float | None = None
        self._longest = 0.0

    def learn(self, children: int, seconds: float) -> None:
        """Take note that *children* took *seconds* together."""
        each = seconds / max(children, 1)
        self._mean = each if self._mean is None else 0.5 * self._mean + 0.5 * each
        if children == 1:
            self._longest = max(self._longest, seconds)

    def next(self, waiting: int, hands: int) -> int:
        """Return how many of *waiting* children to send to one of *hands* workers."""
        if self._mean is None:
            return 1
        share = waiting // (2 * hands)
        worth = int(_WORTH_CARRYING / max(self._mean, 1e-7))
        return max(1, min(share, worth))
