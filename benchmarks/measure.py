"""Measuring: medians of CPU time, ratios against a peer in the same run, one table row for each figure."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table; *met* is ``None`` where there is no target."""

    name: str
    figure: str
    peer: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool | None = None


def cpu_seconds(work: Callable[[], Any], repeats: int = 5, clock: Callable[[], float] = time.process_time) -> float:
    """Return the median time of *work*; one call beforehand is not counted."""
    work()
    return statistics.median(_timed(work, clock) for _ in range(repeats))


def interleaved(
    *works: Callable[[], Any], repeats: int = 7, clock: Callable[[], float] = time.process_time
) -> list[float]:
    """Return the median time of each of *works*, measured in turns so that a slow moment hits all of them."""
    for work in works:
        work()
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, found in zip(works, times, strict=True):
            found.append(_timed(work, clock))
    return [statistics.median(found) for found in times]


def _timed(work: Callable[[], Any], clock: Callable[[], float]) -> float:
    gc.collect()
    begin = clock()
    work()
    return clock() - begin


def micro(seconds: float, count: int = 1) -> str:
    """Return *seconds* shared by *count* things, as text."""
    each = seconds / count
    if each < 1e-3:
        return f"{each * 1e6:.1f} µs"
    return f"{each * 1e3:.1f} ms" if each < 1 else f"{each:.2f} s"


def against(name: str, ours: float, peer: float, count: int, limit: float, peer_name: str = "plain") -> Row:
    """Return a row for a figure whose target is a ratio."""
    ratio = ours / peer
    return Row(name, micro(ours, count), f"{peer_name} {micro(peer, count)}", ratio, f"≤ {limit:g}×", ratio <= limit)


def at_most(name: str, seconds: float, limit: float, count: int = 1) -> Row:
    """Return a row for a figure whose target is a time."""
    each = seconds / count
    return Row(name, micro(each), "", None, f"≤ {micro(limit)}", each <= limit)


def rst_table(rows: list[Row]) -> str:
    """Return the rows as a table for the documents."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 40 15 25 10 10", ""]
    cells = [("What", "dagflow", "Beside it", "Ratio", "Aim")]
    for row in rows:
        cells.append((row.name.strip(), row.figure, row.peer, f"{row.ratio:.2g}×" if row.ratio else "", row.target))
    for line in cells:
        lines += [f"   {'* -' if place == 0 else '  -'} {cell}".rstrip() for place, cell in enumerate(line)]
    return "\n".join(lines)


def table(rows: list[Row]) -> str:
    """Return the rows as text in columns."""
    header = ("what", "dagflow", "peer", "ratio", "target", "")
    lines = [header] + [
        (
            row.name,
            row.figure,
            row.peer,
            f"{row.ratio:.2g}×" if row.ratio is not None else "",
            row.target,
            "" if row.met is None else "met" if row.met else "MISSED",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
    return "\n".join(padded)
