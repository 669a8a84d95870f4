"""
A million rows: make, parse, clean, aggregate, load — as a flow, as a script, and as a pool written by hand.

The hand-written pool fuses the stages, so no intermediate value leaves its process; the flow keeps each of them.
"""

from __future__ import annotations

import random
from multiprocessing import get_context
from typing import Any

from dagflow import Flow, task, unmapped

ROWS = 1_000_000
PARTITIONS = 20


def extract(part: int, rows: int = ROWS // PARTITIONS) -> str:
    """Return one partition as lines of text."""
    draw = random.Random(part)
    return "\n".join(f"{number},{draw.randrange(50)},{draw.random():.4f}" for number in range(rows))


def parse(text: str) -> list[tuple[int, int, float]]:
    """Return the rows of a partition."""
    rows = (line.split(",") for line in text.split("\n"))
    return [(int(number), int(group), float(value)) for number, group, value in rows]


def clean(rows: list[tuple[int, int, float]], least: float) -> list[tuple[int, int, float]]:
    """Return the rows worth keeping."""
    return [row for row in rows if row[2] >= least]


def aggregate(rows: list[tuple[int, int, float]]) -> dict[int, tuple[int, float]]:
    """Return count and sum by group."""
    sums: dict[int, tuple[int, float]] = {}
    for _, group, value in rows:
        count, total = sums.get(group, (0, 0.0))
        sums[group] = count + 1, total + value
    return sums


def load(parts: list[dict[int, tuple[int, float]]]) -> tuple[int, float]:
    """Return count and sum of everything."""
    return (
        sum(count for part in parts for count, _ in part.values()),
        round(sum(total for part in parts for _, total in part.values()), 3),
    )


def plain_script() -> tuple[int, float]:
    """Do it in a loop."""
    return load([aggregate(clean(parse(extract(part)), 0.1)) for part in range(PARTITIONS)])


def fused(part: int) -> dict[int, tuple[int, float]]:
    """Do all stages of one partition."""
    return aggregate(clean(parse(extract(part)), 0.1))


def fused_pool() -> tuple[int, float]:
    """Do it on two processes, stages fused by hand."""
    with get_context("spawn").Pool(2) as pool:
        return load(pool.map(fused, range(PARTITIONS), chunksize=1))


def flow_of() -> Flow:
    """Do it as a flow."""
    with Flow("etl") as flow:
        texts: Any = task(extract).map(list(range(PARTITIONS)))
        rows: Any = task(parse).map(texts)
        kept: Any = task(clean).map(rows, unmapped(0.1))
        sums: Any = task(aggregate).map(kept)
        task(load)(sums)
    return flow
