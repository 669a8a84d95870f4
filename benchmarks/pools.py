"""Threads and processes: many short sleeps, independent pipelines, a real piece of work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from benchmarks.engine import level, wall
from benchmarks.etl import flow_of, fused_pool, plain_script
from benchmarks.measure import Row, against, at_most
from dagflow import Flow, task
from dagflow.executors import LocalDaskExecutor


@task
def nap(x: Any) -> Any:
    time.sleep(0.001)
    return x


@task
def wait(seconds: float) -> list[float]:
    time.sleep(seconds)
    return [seconds] * 4


@task
def short(x: float) -> float:
    time.sleep(0.05)
    return x


def rows() -> Iterator[Row]:
    with level("CRITICAL"):
        yield _naps()
        yield _mapped_naps()
        yield _pipelines()
        yield from _etl()


def _turns(ours: Any, peer: Any, repeats: int = 5) -> tuple[float, float]:
    found = [(wall(ours), wall(peer)) for _ in range(repeats)]
    return median(one for one, _ in found), median(other for _, other in found)


def _plain_naps() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(nap.run, range(1_000)))


def _naps() -> Row:
    with Flow("naps") as flow:
        for number in range(1_000):
            nap(number)
    ours, peer = _turns(lambda: flow.run(executor=LocalDaskExecutor("threads", num_workers=8)), _plain_naps)
    return against("1,000 sleeps of 1 ms on 8 threads", ours, peer, 1_000, 1.15, "ThreadPoolExecutor")


def _mapped_naps() -> Row:
    with Flow("naps") as flow:
        nap.map(list(range(1_000)))
    ours, peer = _turns(lambda: flow.run(executor=LocalDaskExecutor("threads", num_workers=8)), _plain_naps)
    return against("  as one mapped task", ours, peer, 1_000, 1.15, "ThreadPoolExecutor")


def _pipelines() -> Row:
    with Flow("pipelines") as flow:
        for seconds in (1.8, 1.8, 1.8, 1.8):
            short.map(short.map(wait(seconds)))
    seconds = wall(lambda: flow.run(executor=LocalDaskExecutor("threads", num_workers=8)))
    return at_most("four pipelines of 2 s with maps on 8 threads", seconds, 2.2)


def _etl() -> Iterator[Row]:
    flow, expected = flow_of(), plain_script()

    def run(**options: Any) -> None:
        state = flow.run(**options)
        (total,) = flow.get_tasks(name="load")
        assert state.result[total].result == expected

    ours, peer = _turns(run, plain_script)
    yield against("ETL of a million rows, 20 partitions", ours, peer, 1, 1.05, "plain script")
    ours, peer = _turns(lambda: run(executor=LocalDaskExecutor("processes", num_workers=2)), fused_pool)
    yield against("  on 2 processes", ours, peer, 1, 1.25, "hand-fused pool")
