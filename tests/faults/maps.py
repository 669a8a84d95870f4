"""
Maps that leave traces: flows of three mapped stages and a sum, whose bodies note every start.

A body appends one line to a file that all workers share, so what ran how often, where and when is known even of
workers that were killed. Values are numbers, or blocks of bytes that begin with their number.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from dagflow import Flow, context, task, unmapped
from dagflow.engine.results import LocalResult

LARGE = 150_000
"""Bytes of a value large enough to stay on the worker that made it."""
QUICK, SLOW = 0.002, 0.1
"""Seconds that bodies take."""
STAGES = ("first", "second", "third")


class Kind(NamedTuple):
    """What varies between flows."""

    name: str
    large: bool = False
    checkpointed: bool = False
    barrier: bool = False
    """Whether the second stage also waits for a number made of all of the first, so that no child runs ahead."""

    uneven: bool = False
    """Whether every twentieth body is slow, so that those behind it in a batch are handed back."""

    @property
    def may_run_again(self) -> bool:
        """Whether a value can be lost with its worker, so that its child has to run again."""
        return self.large and not self.checkpointed


KINDS = (
    Kind("small"),
    Kind("small, barrier", barrier=True),
    Kind("large, checkpointed", large=True, checkpointed=True),
    Kind("large, checkpointed, barrier", large=True, checkpointed=True, barrier=True),
    Kind("large", large=True),
    Kind("large, barrier", large=True, barrier=True),
    Kind("small, uneven", uneven=True),
    Kind("large, uneven, checkpointed", large=True, checkpointed=True, uneven=True),
)


class Start(NamedTuple):
    """One line of the file: a body began."""

    run: str
    attempt: int
    pid: int
    time: float


def note(folder: str) -> None:
    """Note that the running body began; one write that nothing can come in between of."""
    line = f"{context.task_full_name} {context.task_run_count} {os.getpid()} {time.time()!r}\n"
    file = os.open(Path(folder, "starts"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def starts_in(folder: Path) -> list[Start]:
    """Return what was noted, in order; a line that is being written is left out."""
    path = folder / "starts"
    lines = path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
    parts = [line.rsplit(" ", 3) for line in lines]
    return [Start(run, int(attempt), int(pid), float(at)) for run, attempt, pid, at in parts]


def executions(folder: Path) -> Counter[str]:
    """Return how often each body began."""
    return Counter(start.run for start in starts_in(folder))


def block(number: int, size: int) -> Any:
    """Return *number*, as the head of *size* bytes where *size* is given."""
    return number.to_bytes(8, "big") * (size // 8) if size else number


def number_of(value: Any) -> int:
    """Return the number of a block."""
    return int.from_bytes(value[:8], "big") if isinstance(value, bytes) else int(value)


def _stage(value: Any, folder: str, size: int, seconds: list[float]) -> Any:
    """Do what each stage does; *seconds* are those of every body in turn."""
    note(folder)
    time.sleep(seconds[number_of(value) % len(seconds)])
    return block(number_of(value) + 1, size)


@task
def first(value: Any, folder: str, size: int, seconds: list[float]) -> Any:
    return _stage(value, folder, size, seconds)


@task
def second(value: Any, folder: str, size: int, seconds: list[float], beside: Any = None) -> Any:
    return _stage(value, folder, size, seconds)


@task
def third(value: Any, folder: str, size: int, seconds: list[float]) -> Any:
    return _stage(value, folder, size, seconds)


@task
def total(values: list[Any], folder: str) -> int:
    note(folder)
    return sum(number_of(value) for value in values)


def three_stages(folder: Path, kind: Kind, width: int = 200, target: str | None = None) -> Flow:
    """Return a flow of three maps in a row and a sum; its values are kept in ``folder / "values"`` where asked for."""
    kept = kind.checkpointed or target
    options: dict[str, Any] = {"checkpoint": True, "target": target} if kept else {"checkpoint": False}
    with Flow(kind.name, result=LocalResult(dir=str(folder / "values"))) as flow:
        same = {
            "folder": unmapped(str(folder)),
            "size": unmapped(LARGE if kind.large else 0),
            "seconds": unmapped([SLOW] + [QUICK] * 19 if kind.uneven else [QUICK]),
            "task_args": options,
        }
        ones = first.map(list(range(width)), **same)
        beside = (
            {"beside": unmapped(total(ones, str(folder), task_args={**options, "name": "part"}))}
            if kind.barrier
            else {}
        )
        twos = second.map(ones, **same, **beside)
        threes = third.map(twos, **same)
        total(threes, str(folder), task_args={**options, "name": "total"})
    return flow


def right_total(width: int) -> int:
    """Return what the sum of :func:`three_stages` has to be."""
    return sum(number + len(STAGES) for number in range(width))
