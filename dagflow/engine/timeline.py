"""
When each task of a flow run ran, read from its final state: attempts, bars, rows, and the critical path.

Plain values and pure functions; :mod:`dagflow.engine.gantt` draws them. All times are seconds since the epoch.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dagflow.engine.state import Mapped, State

__all__ = ["Attempt", "Bar", "Row", "critical_path", "lanes", "rows_of", "task_states", "ticks"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One go at running something, and how it ended: the *kind* is the name of a state class."""

    start: float
    end: float
    kind: str


@dataclass(frozen=True, slots=True)
class Bar:
    """All attempts of one task run, oldest first; there is at least one."""

    name: str
    attempts: tuple[Attempt, ...]
    message: str = ""

    @property
    def start(self) -> float:
        """When the first attempt began."""
        return self.attempts[0].start

    @property
    def end(self) -> float:
        """When the last attempt ended."""
        return self.attempts[-1].end

    @property
    def kind(self) -> str:
        """How the last attempt ended."""
        return self.attempts[-1].kind


@dataclass(frozen=True, slots=True)
class Row:
    """
    One task.

    Attributes:
        task: whose row it is.
        name: of the task.
        kind: name of the class of its state.
        message: of its state.
        bars: of the task, or of its children when it was mapped; empty when it never ran.
        width: the number of children, ``None`` when the task was not mapped.
    """

    task: Any
    name: str
    kind: str
    message: str
    bars: tuple[Bar, ...]
    width: int | None = None

    @property
    def start(self) -> float:
        """When the first attempt of all began; infinitely late for a task that never ran."""
        return min((bar.start for bar in self.bars), default=float("inf"))

    @property
    def end(self) -> float:
        """When the last attempt of all ended; infinitely early for a task that never ran."""
        return max((bar.end for bar in self.bars), default=float("-inf"))


def task_states(flow_state: State) -> dict[Any, State]:
    """Return the states by task of a flow run's final state, ``{}`` for any other state."""
    result = flow_state.result
    if not isinstance(result, dict):
        return {}
    return {task: state for task, state in result.items() if isinstance(state, State) and hasattr(task, "name")}


def rows_of(flow_state: State) -> list[Row]:
    """
    Return a row for each task, in the order they started; tasks that never ran come last.

    A task that succeeded without running has no row: it is a constant, or was given its state from outside.
    """
    states = task_states(flow_state)
    latest = max((time for state in states.values() for time in _times(state)), default=0.0)
    rows = [_row(task, state, latest) for task, state in states.items()]
    shown = [row for row in rows if row.bars or row.kind != "Success"]
    return sorted(shown, key=lambda row: (row.start, row.end))


def _children(state: State) -> list[State]:
    return [child for child in state.map_states if child is not None] if isinstance(state, Mapped) else []


def _times(state: State) -> Iterable[float]:
    for one in (state, *_children(state)):
        yield from (time for time in (one.run_started, one.run_ended) if time is not None)


def _row(task: Any, state: State, latest: float) -> Row:
    width = state.n_map_states if isinstance(state, Mapped) else None
    found = []
    if isinstance(state, Mapped):
        for i, child in enumerate(state.map_states):
            found.append(None if child is None else _bar(f"{task.name}[{i}]", child, latest))
    bars = tuple(bar for bar in found if bar is not None)
    own = None if bars else _bar(task.name, state, latest)
    kind = _worst(bars) if bars and width is not None else type(state).__name__
    return Row(task, task.name, kind, state.message or "", bars or ((own,) if own else ()), width)


def _worst(bars: tuple[Bar, ...]) -> str:
    """Return the name of the first failed child's state, else of the first child's."""
    failed = {cls.__name__ for cls in _failures()}
    return next((bar.kind for bar in bars if bar.kind in failed), bars[0].kind)


def _failures() -> list[type[State]]:
    from dagflow.engine.state import Failed

    return [Failed, *Failed.children()]


def _bar(name: str, state: State, latest: float) -> Bar | None:
    attempts = [Attempt(start, max(start, end), kind) for start, end, kind in state.earlier_attempts]
    if state.run_started is not None:
        # A run that was cut off has no end: it lasted at least as long as anything is known of.
        end = state.run_ended if state.run_ended is not None else latest
        attempts.append(Attempt(state.run_started, max(state.run_started, end), type(state).__name__))
    return Bar(name, tuple(attempts), state.message or "") if attempts else None


def critical_path(rows: Iterable[Row], lineage: Mapping[Any, tuple[Any, ...]]) -> list[Any]:
    """
    Return the tasks that decided how long the run took, first to last.

    From the task that ended last, walk to the upstream task that ended last, and so on. Tasks that did not run
    themselves are looked through.
    """
    ends = {row.task: row.end for row in rows if row.bars}
    if not ends or not lineage:
        return []
    path = [max(ends, key=ends.__getitem__)]
    seen = set(path)
    while candidates := [task for task in _timed_above(path[-1], lineage, ends) if task not in seen]:
        path.append(max(candidates, key=ends.__getitem__))
        seen.add(path[-1])
    return path[::-1]


def _timed_above(task: Any, lineage: Mapping[Any, tuple[Any, ...]], ends: Mapping[Any, float]) -> list[Any]:
    """Return the nearest tasks above *task* that ran."""
    found, waiting, seen = [], list(lineage.get(task, ())), set()
    while waiting:
        above = waiting.pop()
        if above in seen:
            continue
        seen.add(above)
        if above in ends:
            found.append(above)
        else:
            waiting.extend(lineage.get(above, ()))
    return found


def lanes(bars: Iterable[Bar]) -> list[tuple[Bar, int]]:
    """
    Give each bar a lane so that bars of one lane do not overlap; as few lanes as ran at the same time.

    >>> early, late = (Bar("x", (Attempt(t, t + 1, "Success"),)) for t in (0, 1))
    >>> [lane for _, lane in lanes([early, late])]
    [0, 0]
    """
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    placed, used = [], 0
    for bar in sorted(bars, key=lambda bar: (bar.start, bar.end)):
        while busy and busy[0][0] <= bar.start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, used = used, used + 1
        placed.append((bar, lane))
        heapq.heappush(busy, (bar.end, lane))
    return placed


_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_LONG_STEPS = tuple(
    unit * factor
    for unit, factors in ((1.0, (1, 2, 5, 10, 15, 30)), (_MINUTE, (1, 2, 5, 10, 15, 30)), (_HOUR, (1, 2, 3, 6, 12)))
    for factor in factors
)


def ticks(seconds: float, most: int = 8) -> list[float]:
    """
    Return round moments from 0 up to *seconds*, at most about *most* of them.

    >>> ticks(7.3, most=5)
    [0.0, 2.0, 4.0, 6.0]
    >>> ticks(200, most=5)
    [0.0, 60.0, 120.0, 180.0]
    """
    step = _step(seconds / most) if seconds > 0 else 1.0
    return [round(i * step, 9) for i in range(int(seconds / step + 1e-9) + 1)]


def _step(wanted: float) -> float:
    if wanted > _LONG_STEPS[-1]:
        return -(-wanted // _DAY) * _DAY
    if wanted > 1:
        return next(step for step in _LONG_STEPS if step >= wanted)
    power = 1.0
    while power / 10 >= wanted:
        power /= 10
    return next(step for step in (power / 5, power / 2, power) if step >= wanted * (1 - 1e-9))
