"""The flows that are measured, and the same work as plain Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagflow import Flow, task


@task
def work(x: Any = None, y: Any = None) -> int:
    return 1


@task
def same(x: Any) -> Any:
    return x


def layered(count: int, width: int = 50) -> Flow:
    """Return a flow of *count* tasks in layers; each takes two results of the layer before."""
    with Flow("layered") as flow:
        layer = [work() for _ in range(width)]
        for _ in range(count // width - 1):
            layer = [work(layer[i], layer[(i + 1) % width]) for i in range(width)]
    return flow


def chain(count: int) -> Flow:
    """Return a flow of *count* tasks, each taking the result of the one before."""
    with Flow("chain") as flow:
        last = work()
        for _ in range(count - 1):
            last = work(last)
    return flow


def mapped(count: int, task_to_map: Any = same) -> Flow:
    """Return a flow that maps one task over *count* items."""
    items = list(range(count))
    with Flow("mapped") as flow:
        task_to_map.map(items)
    return flow


def plain_loop(flow: Flow) -> Callable[[], dict[Any, Any]]:
    """Return the plain form of *flow*: the same functions called in a loop over the sorted graph."""
    order = flow.sorted_tasks()
    edges = {one: [(edge.key, edge.upstream_task) for edge in flow.edges_to(one)] for one in order}

    def loop() -> dict[Any, Any]:
        results: dict[Any, Any] = {}
        for one in order:
            results[one] = one.run(**{key: results[upstream] for key, upstream in edges[one]})
        return results

    return loop
