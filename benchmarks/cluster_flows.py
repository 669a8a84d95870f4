"""
What is run on a cluster: the functions, and the flows made of them.

Workers import this module, so it is importable from the checkout and starts nothing.
"""

from __future__ import annotations

import os
import random
import time
from datetime import timedelta
from typing import Any

from dagflow import Flow, task

MAPPED = 10_000
PIPELINE = 2_000
NAP_SECONDS = 0.005
BIG_BYTES = 8_000_000
BIG_COUNT = 100
LONG_SECONDS = 2.0


def noop(x: Any = None) -> Any:
    """Return what came."""
    return x


def nap(x: Any) -> Any:
    """Return what came, 5 ms later."""
    time.sleep(NAP_SECONDS)
    return x


def sleep_for(seconds: float) -> float:
    """Return how long it slept."""
    time.sleep(seconds)
    return seconds


def big(number: int) -> bytes:
    """Return 8 MB that no compression makes smaller."""
    return number.to_bytes(8, "big") + os.urandom(BIG_BYTES - 8)


def size_of(value: bytes) -> int:
    """Return how many bytes there are."""
    return len(value)


def sizes_of(values: list[bytes]) -> int:
    """Return how many bytes there are in all."""
    return sum(map(len, values))


def total(sizes: list[int]) -> int:
    """Return the sum."""
    return sum(sizes)


def source(seconds: float) -> list[float]:
    """Return, after *seconds*, four items to map over."""
    time.sleep(seconds)
    return [0.02] * 4


def mapped(function: Any, items: list[Any], stages: int = 1) -> Flow:
    """Return a flow of *stages* maps, each over the values of the one before."""
    step = task(function)
    with Flow("mapped") as flow:
        values: Any = items
        for _ in range(stages):
            values = step.map(values)
    return flow


def independent(count: int, seconds: float = 0.0) -> Flow:
    """Return a flow of *count* tasks that need nothing of each other."""
    step = task(sleep_for, max_retries=3, retry_delay=timedelta(seconds=1)) if seconds else task(noop)
    with Flow("independent") as flow:
        for _ in range(count):
            if seconds:
                step(seconds)
            else:
                step()
    return flow


def big_values(chained: bool) -> Flow:
    """Return a flow of 800 MB of mapped values, counted child by child (*chained*) or by one task that takes all."""
    with Flow("big values") as flow:
        values: Any = task(big).map(list(range(BIG_COUNT)))
        if chained:
            task(total)(task(size_of).map(values))
        else:
            task(sizes_of)(values)
    return flow


def pipelines() -> Flow:
    """Return four pipelines of a source that takes 2 s and two maps over what it gave."""
    with Flow("pipelines") as flow:
        for _ in range(4):
            short = task(sleep_for)
            short.map(short.map(task(source)(2.0)))
    return flow


def skews() -> dict[str, list[float]]:
    """Return the times of 200 children, five of them long, in three orders."""
    first = [LONG_SECONDS] * 5 + [NAP_SECONDS] * 195
    shuffled = list(first)
    random.Random(1).shuffle(shuffled)
    return {"long ones first": first, "long ones last": first[::-1], "shuffled": shuffled}


def best_schedule(times: list[float], hands: int = 2) -> float:
    """
    Return the shortest time in which two hands can do all of *times*.

    Exact where a few are long and the others fill the gaps: the long ones are dealt out in every way.

    >>> best_schedule([2.0] * 5 + [0.005] * 195)
    6.0
    """
    assert hands == 2, "dealing out is written for two hands"
    longest = max(times)
    count = times.count(longest)
    rest = sum(times) - count * longest
    deals = (max(one, count - one) * longest for one in range(count + 1))
    return min(max(deal, (count * longest + rest) / hands) for deal in deals)
