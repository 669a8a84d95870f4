"""Orders of a graph, in linear time and without recursion."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

from dagflow.exceptions import CycleError

__all__ = ["find_cycle", "reachable", "topological"]


def topological(graph: Any, name: str) -> tuple[Any, ...]:
    """
    Return the nodes of a networkx graph, each after its predecessors; ties keep the order of insertion.

    Flows are mostly built in an order that is topological already, which one look at each edge shows.

    Raises:
        CycleError: naming one cycle by its path.
    """
    nodes = list(graph)
    place = {node: index for index, node in enumerate(nodes)}
    pred = graph._pred
    if all(place[before] < index for index, node in enumerate(nodes) for before in pred[node]):
        return tuple(nodes)
    return _by_heap(graph, nodes, place, name)


def _by_heap(graph: Any, nodes: list[Any], place: dict[Any, int], name: str) -> tuple[Any, ...]:
    waiting = [len(graph.pred[node]) for node in nodes]
    ready = [index for index, count in enumerate(waiting) if not count]
    order = []
    while ready:
        node = nodes[heapq.heappop(ready)]
        order.append(node)
        for after in graph.succ[node]:
            index = place[after]
            waiting[index] -= 1
            if not waiting[index]:
                heapq.heappush(ready, index)
    if len(order) < len(nodes):
        stuck = {node for node, count in zip(nodes, waiting, strict=True) if count}
        raise CycleError(name, [node.name for node in find_cycle(graph, stuck)])
    return tuple(order)


def find_cycle(graph: Any, stuck: set[Any]) -> list[Any]:
    """Return one cycle among the nodes that could not be sorted, its first node repeated at the end."""
    node = min(stuck, key=list(graph).index)
    path: list[Any] = []
    seen: dict[Any, int] = {}
    while node not in seen:
        seen[node] = len(path)
        path.append(node)
        node = next(before for before in graph.pred[node] if before in stuck)
    cycle = path[seen[node] :][::-1]
    places = {one: place for place, one in enumerate(graph)}
    first = cycle.index(min(cycle, key=places.__getitem__))
    return [*cycle[first:], *cycle[:first], cycle[first]]


def reachable(graph: Any, roots: Iterable[Any]) -> set[Any]:
    """Return *roots* and all that is downstream of them."""
    found = set(roots)
    frontier = list(found)
    while frontier:
        for after in graph.succ[frontier.pop()]:
            if after not in found:
                found.add(after)
                frontier.append(after)
    return found
