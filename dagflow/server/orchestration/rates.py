"""How many of the slots of a limit are used when they come back by themselves, so many a second; and percentiles."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

__all__ = ["Rate", "percentile"]


@dataclasses.dataclass(frozen=True)
class Rate:
    """
    A limit whose slots come back with time.

    >>> Rate(limit=2, per_second=0.5).after(2.0, seconds=1.0).wait_for(1)
    1.0
    """

    limit: int
    per_second: float
    used: float = 0.0

    def after(self, used: float, seconds: float) -> Rate:
        """Return it as it is some seconds after so many slots were in use."""
        return dataclasses.replace(self, used=max(0.0, used - seconds * self.per_second))

    def wait_for(self, slots: int) -> float:
        """Return after how many seconds so many slots are free; a limit of none never has any, so ask now and then."""
        if slots > self.limit:
            return 30.0
        return max(0.0, self.used + slots - self.limit) / self.per_second


def percentile(ordered: Sequence[float], part: float) -> float | None:
    """
    Return the value that so large a part of *ordered* does not exceed, ``None`` for no values.

    >>> percentile([1, 2, 3, 10], 0.5), percentile([1, 2, 3, 10], 0.95), percentile([], 0.5)
    (2, 10, None)
    """
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else None
