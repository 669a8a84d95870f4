"""Running: plain tasks, mapped children, retries, logging, one task, memory."""

from __future__ import annotations

import logging
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from benchmarks.flows import layered, mapped, plain_loop, same, work
from benchmarks.measure import Row, against, at_most, cpu_seconds, interleaved, micro
from dagflow import Flow, context, task
from dagflow.utilities.logging import get_logger


@task(max_retries=1, retry_delay=timedelta(0))
def tenth_fails_once(x: int) -> int:
    if x % 10 == 0 and context.task_run_count == 1:
        raise ValueError("once")
    return x


@contextmanager
def level(name: str) -> Iterator[None]:
    logger = get_logger()
    before = logger.level
    logger.setLevel(name)
    try:
        yield
    finally:
        logger.setLevel(before)


def rows() -> Iterator[Row]:
    with level("CRITICAL"):
        for count in (1_000, 10_000):
            flow = layered(count)
            prepared, read, ours = interleaved(plain_loop(flow), graph_loop(flow), flow.run)
            yield against(f"run {count:,} layered tasks", ours, read, count, 6)
            yield Row("  beside a loop with the edges prepared", "", f"plain {micro(prepared, count)}", ours / prepared)
        yield from _maps()
        with Flow("one") as flow:
            work()
        yield at_most("one-task flow, start to finish", cpu_seconds(lambda: _times(200, flow.run)), 250e-6, 200)
    yield _logged()
    yield _memory()
    yield _stack()


def _maps() -> Iterator[Row]:
    plain_cost = 0.0
    for count in (1_000, 10_000, 100_000):
        flow = mapped(count)
        plain_cost = cpu_seconds(flow.run, 3)
        yield at_most(f"mapped child, {count:,} children", plain_cost, 10e-6, count)
        if count == 10_000:
            retried, plain = interleaved(mapped(count, tenth_fails_once).run, flow.run, repeats=3)
            yield against("  10 % of children retried once", retried, plain, count, 1.5, "not retried")


def graph_loop(flow: Flow) -> Any:
    """Return the plain form of *flow*: the functions called in a loop over the sorted graph, edges read as it goes."""
    graph, order = flow._graph, flow.sorted_tasks()

    def loop() -> dict[Any, Any]:
        results: dict[Any, Any] = {}
        for one in order:
            arguments = {data["edge"].key: results[before] for before, _, data in graph.in_edges(one, data=True)}
            results[one] = one.run(**arguments)
        return results

    return loop


def _times(count: int, call: Any) -> None:
    for _ in range(count):
        call()


def _logged() -> Row:
    """Return the cost with INFO logging to a file, beside a plain loop that writes the same two records a task."""
    count = 1_000
    flow = layered(count)
    logger = get_logger("TaskRunner")
    root = get_logger()
    with tempfile.NamedTemporaryFile("w", suffix=".log") as file, level("INFO"):
        handler = logging.StreamHandler(file)
        handler.setFormatter(root.handlers[0].formatter)
        before, root.handlers, propagate = root.handlers, [handler], root.propagate
        root.propagate = False
        loop = plain_loop(flow)

        def plain() -> None:
            loop()
            for one in flow.sorted_tasks():
                logger.info("Task '%s': Starting task run...", one.name)
                logger.info("Task '%s': Finished task run for task with final state: '%s'", one.name, "Success")

        try:
            peer, ours = interleaved(plain, flow.run)
        finally:
            root.handlers, root.propagate = before, propagate
    return against("run 1,000 tasks with INFO logs to a file", ours, peer, count, 2.5, "plain + 2 records")


def _memory() -> Row:
    count = 100_000
    items = list(range(count))
    with Flow("memory") as flow:
        same.map(items)
    with level("CRITICAL"):
        flow.run()
        tracemalloc.start()
        state = flow.run()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert state.is_successful()
    each = peak / count
    return Row("peak memory per mapped child", f"{each:.0f} B", "", None, "≤ 400 B", each <= 400)


def _stack() -> Row:
    """Return how many frames lie between a script and the user's function, both included."""
    import inspect

    depths = []

    @task
    def deep(x: int = 0) -> None:
        depths.append(len(inspect.stack(0)))

    with Flow("deep") as flow:
        deep()
        deep.map([1])
    with level("CRITICAL"):
        here = len(inspect.stack(0))
        flow.run()
    deepest = max(depths) - here + 1
    return Row("frames from the script to the user's function", str(deepest), "", None, "≤ 10", deepest <= 10)


def wall(call: Any) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
