"""What :mod:`dagflow.engine.far_loop` keeps its books in: runs under way, runs that wait, values being made again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dagflow.engine.sizes import BatchSize

if TYPE_CHECKING:
    from dagflow.engine.carried import Remote
    from dagflow.engine.state import State

__all__ = ["Flight", "Line", "Repairs", "Run"]

Run = tuple[int, int | None]
"""A step and the number of a child, ``None`` for a plain run."""


class Flight:
    """
    Runs under way together.

    Attributes:
        open: what is not known yet, by place.
        repeated: whether they ran before, and only their lost values are wanted.
        suspect: whether they went down with a worker before.
        begun: whether a suspect has really begun, so that another loss counts.
    """

    __slots__ = ("begun", "future", "line", "open", "repeated", "suspect")

    def __init__(self, runs: Sequence[Run], line: Line | None, repeated: bool, suspect: bool) -> None:
        self.open: dict[int, Run] = dict(enumerate(runs))
        self.line = line
        self.repeated = repeated
        self.suspect = suspect
        self.begun = False
        self.future: Any = None


class Line:
    """Runs that wait to be sent, with what is known of their durations."""

    __slots__ = ("placement", "runs", "sizes")

    def __init__(self, placement: Any, worth: float) -> None:
        self.placement = placement
        self.runs: deque[Run] = deque()
        self.sizes = BatchSize(worth)


class Repairs:
    """
    Values that are being made again, and the runs that wait for them.

    What changes: both, as values are lost and made again; ``retries`` has the states of runs that failed at it and have
    attempts left.
    """

    def __init__(self) -> None:
        self.retries: dict[Run, State] = {}
        self._under_way: dict[Run, Remote] = {}
        self._parked: list[tuple[Run, set[Run], bool]] = []

    def begin(self, maker: Run, remote: Remote) -> bool:
        """Note that *maker* is repeated for *remote*; ``False`` when it is already."""
        if maker in self._under_way:
            return False
        self._under_way[maker] = remote
        return True

    def park(self, run: Run, makers: set[Run], repeated: bool) -> None:
        """Let *run* wait for *makers*."""
        self._parked.append((run, makers, repeated))

    def end(self, maker: Run) -> Remote:
        """Note that *maker* has run; return what it was repeated for."""
        return self._under_way.pop(maker)

    def freed(self, maker: Run, good: bool) -> list[tuple[Run, bool]]:
        """Return the runs that waited for *maker* last, or, when it failed, all that waited for it."""
        found, left = [], []
        for run, makers, repeated in self._parked:
            if good:
                makers.discard(maker)
            if maker in makers or not makers:
                found.append((run, repeated))
            else:
                left.append((run, makers, repeated))
        self._parked = left
        return found
