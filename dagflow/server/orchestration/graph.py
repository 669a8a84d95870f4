"""
The order of a flow's tasks, and the chain of them that decided when a run ended.

Pure: tasks are their slugs, or any other keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = ["critical_path", "topological"]


def topological(tasks: Sequence[str], edges: Iterable[tuple[str, str]]) -> list[str]:
    """
    Return *tasks* so that each stands behind those that it depends on, else in the order given.

    Tasks in a circle, which a flow cannot have, come last.

    >>> topological(["a", "b", "c"], [("b", "a"), ("b", "c")])
    ['b', 'a', 'c']
    """
    depth = _depths(tasks, edges)
    return sorted(tasks, key=lambda task: depth.get(task, len(tasks)))


def _depths(tasks: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Return how many tasks stand before each on the longest way to it."""
    there = set(tasks)
    followers: dict[str, list[str]] = {}
    waits_for = dict.fromkeys(tasks, 0)
    for up, down in set(edges):
        if up in there and down in there:
            followers.setdefault(up, []).append(down)
            waits_for[down] += 1
    layer = [task for task in tasks if not waits_for[task]]
    depth: dict[str, int] = {}
    number = 0
    while layer:
        following = []
        for task in layer:
            depth[task] = number
            for down in followers.get(task, ()):
                waits_for[down] -= 1
                if not waits_for[down]:
                    following.append(down)
        layer, number = following, number + 1
    return depth


def critical_path(ends: Mapping[str, str], edges: Iterable[tuple[str, str]]) -> list[str]:
    """
    Return the chain of tasks that decided when a run ended: from the last one back, each time to the upstream task that
    ended last.

    Args:
        ends: when each task ended, in their order; of two that ended at once, the later one counts. Those that did not
            run are left out.
        edges: pairs of upstream and downstream task.

    >>> critical_path({"a": "1", "b": "5", "c": "3", "d": "7"}, [("a", "d"), ("b", "d"), ("a", "c")])
    ['b', 'd']
    """
    places = {task: (end, place) for place, (task, end) in enumerate(ends.items())}
    upstream: dict[str, list[str]] = {}
    for up, down in edges:
        if up in ends:
            upstream.setdefault(down, []).append(up)
    path: list[str] = []
    task = max(places, key=places.__getitem__, default=None)
    while task is not None and task not in path:
        path.append(task)
        task = max(upstream.get(task, ()), key=places.__getitem__, default=None)
    return path[::-1]
