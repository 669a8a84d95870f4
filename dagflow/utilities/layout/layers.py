"""
Which layer each node goes to, and the bends that long arrows make on the way.

Every arrow goes down by at least one layer. When some arrow carries a label, every second layer is kept for bends only,
so that labels have a place of their own. An arrow that would close a cycle is laid out the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Grid", "components", "layered"]

MOST_BENDS = 12_000
"""Bends over a whole part; arrows beyond that, the longest ones, run straight. Keeps the layout near linear."""


class _Link(Protocol):
    @property
    def source(self) -> int: ...

    @property
    def target(self) -> int: ...

    @property
    def label(self) -> float: ...


class Grid:
    """
    One connected part in layers; vertices are the part's nodes followed by bends.

    Attributes:
        count: the number of vertices.
        nodes: how many of them are real nodes.
        rank: the layer of each vertex.
        up: neighbours in the layer above, for each vertex.
        down: neighbours in the layer below, for each vertex.
        bends: for each link, by its position, the bends it makes from source to target.
        label_bend: for each link with a label, the bend that has room for it.
        per_layer: how many ranks one layer takes, 2 when there are labels.
    """

    def __init__(self, rank: list[int], per_layer: int) -> None:
        self.nodes = len(rank)
        self.rank = [r * per_layer for r in rank]
        self.per_layer = per_layer
        self.up: list[list[int]] = [[] for _ in rank]
        self.down: list[list[int]] = [[] for _ in rank]
        self.bends: dict[int, list[int]] = {}
        self.label_bend: dict[int, int] = {}

    @property
    def count(self) -> int:
        """The number of vertices."""
        return len(self.rank)

    def join(self, above: int, below: int) -> list[int]:
        """Connect two vertices by segments of one rank each; return the bends in between, from the top."""
        bends, last = [], above
        for rank in range(self.rank[above] + 1, self.rank[below]):
            bend = self.count
            self.rank.append(rank)
            self.up.append([last])
            self.down.append([])
            self.down[last].append(bend)
            bends.append(bend)
            last = bend
        self.down[last].append(below)
        self.up[below].append(last)
        return bends

    def layers(self) -> list[list[int]]:
        """Return the vertices of each layer in the order they were made."""
        found: list[list[int]] = [[] for _ in range(max(self.rank, default=-1) + 1)]
        for vertex, rank in enumerate(self.rank):
            found[rank].append(vertex)
        return found


def components(count: int, links: Sequence[_Link]) -> list[tuple[list[int], list[int]]]:
    """Return the connected parts as (nodes, positions of links), in the order of their first node."""
    parent = list(range(count))

    def find(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for link in links:
        one, other = sorted((find(link.source), find(link.target)))
        parent[other] = one
    parts: dict[int, tuple[list[int], list[int]]] = {}
    for node in range(count):
        parts.setdefault(find(node), ([], []))[0].append(node)
    for position, link in enumerate(links):
        parts[find(link.source)][1].append(position)
    return list(parts.values())


def layered(members: list[int], own: list[int], links: Sequence[_Link]) -> Grid:
    """Put the nodes *members*, joined by the links at the positions *own*, into a grid."""
    place = {member: i for i, member in enumerate(members)}
    pairs = [(place[links[k].source], place[links[k].target]) for k in own]
    turned = _closing_cycles(len(members), pairs)
    pairs = [(t, s) if back else (s, t) for (s, t), back in zip(pairs, turned, strict=True)]
    rank = _ranks(len(members), pairs)
    grid = Grid(rank, 2 if any(links[k].label for k in own) else 1)
    budget = max(MOST_BENDS, 4 * len(own))
    for i in sorted(range(len(own)), key=lambda i: rank[pairs[i][1]] - rank[pairs[i][0]]):
        above, below = pairs[i]
        budget -= grid.rank[below] - grid.rank[above] - 1
        bends = grid.join(above, below) if budget >= 0 and above != below else []
        if bends and links[own[i]].label:
            grid.label_bend[own[i]] = bends[0] if turned[i] else bends[-1]
        grid.bends[own[i]] = bends[::-1] if turned[i] else bends
    return grid


def _closing_cycles(count: int, pairs: list[tuple[int, int]]) -> list[bool]:
    """Tell for each pair whether it leads back to a node still being visited, depth first."""
    out: list[list[int]] = [[] for _ in range(count)]
    for i, (source, _) in enumerate(pairs):
        out[source].append(i)
    turned = [False] * len(pairs)
    seen, open_ = [False] * count, [False] * count
    for root in range(count):
        stack = [] if seen[root] else [(root, iter(out[root]))]
        while stack:
            node, rest = stack[-1]
            seen[node] = open_[node] = True
            edge = next(rest, None)
            if edge is None:
                open_[node] = False
                stack.pop()
            elif open_[pairs[edge][1]]:
                turned[edge] = True
            elif not seen[pairs[edge][1]]:
                stack.append((pairs[edge][1], iter(out[pairs[edge][1]])))
    return turned


def _ranks(count: int, pairs: list[tuple[int, int]]) -> list[int]:
    """
    Return a layer for each node of an acyclic graph: the longest way from a root, then tightened.

    A node with more arrows out than in moves down towards what it feeds: a constant stands right above its consumer
    instead of at the top of the page.
    """
    into: list[list[int]] = [[] for _ in range(count)]
    out: list[list[int]] = [[] for _ in range(count)]
    for source, target in pairs:
        if source != target:
            into[target].append(source)
            out[source].append(target)
    rank, waiting = [0] * count, [len(sources) for sources in into]
    order = [node for node in range(count) if not waiting[node]]
    for node in order:
        for target in out[node]:
            rank[target] = max(rank[target], rank[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    for node in reversed(order):
        if len(out[node]) > len(into[node]):
            rank[node] = min(rank[target] for target in out[node]) - 1
    lowest = min(rank, default=0)
    return [r - lowest for r in rank]
