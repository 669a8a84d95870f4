"""
In which order the vertices of each layer stand, so that few arrows cross.

Barycentre sweeps: each vertex moves to the average place of its neighbours in the layer just ordered, down and up in
turn; the best order seen is kept. Small graphs get a last polish by swapping neighbours.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from itertools import pairwise

from dagflow.utilities.layout.layers import Grid

__all__ = ["crossings", "ordered"]

SWEEPS = 16
"""Sweeps at most; most graphs settle after four."""
PATIENCE = 4
"""Sweeps without improvement before giving up."""
POLISH_UP_TO = 1_500
"""Vertices up to which neighbours are swapped; the gain per second is small beyond."""

Layers = list[list[int]]


def ordered(grid: Grid) -> Layers:
    """Return the layers of *grid*, each in drawing order."""
    layers = _depth_first(grid)
    best, fewest = layers, crossings(layers, grid)
    since = 0
    for sweep in range(SWEEPS):
        if not fewest or since >= PATIENCE:
            break
        layers = _sweep(layers, grid, down=sweep % 2 == 0)
        found = crossings(layers, grid)
        since += 1
        if found < fewest:
            best, fewest, since = layers, found, 0
    if fewest and grid.count <= POLISH_UP_TO:
        best = _polished(best, grid)
    return best


def crossings(layers: Layers, grid: Grid) -> int:
    """Return how many pairs of segments cross."""
    total = 0
    for above, below in pairwise(layers):
        place = {v: i for i, v in enumerate(below)}
        passed: list[int] = []
        for vertex in above:
            ends = sorted(place[v] for v in grid.down[vertex])
            total += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total


def _depth_first(grid: Grid) -> Layers:
    """Return a first order: as met walking down from the roots, so that what belongs together starts together."""
    layers: Layers = [[] for _ in range(max(grid.rank, default=-1) + 1)]
    seen = [False] * grid.count
    for root in sorted(range(grid.count), key=lambda v: (bool(grid.up[v]), v)):
        stack = [root]
        while stack:
            vertex = stack.pop()
            if not seen[vertex]:
                seen[vertex] = True
                layers[grid.rank[vertex]].append(vertex)
                stack.extend(reversed(grid.down[vertex]))
    return layers


def _sweep(layers: Layers, grid: Grid, *, down: bool) -> Layers:
    layers = [list(layer) for layer in layers]
    neighbours = grid.up if down else grid.down
    ranks = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
    for rank in ranks:
        place = {v: i for i, v in enumerate(layers[rank - 1 if down else rank + 1])}
        layers[rank] = _by_barycentre(layers[rank], neighbours, place)
    return layers


def _by_barycentre(layer: list[int], neighbours: list[list[int]], place: dict[int, int]) -> list[int]:
    """Sort *layer* by the average place of each vertex's neighbours; who has none keeps its place."""
    weight = {v: sum(place[n] for n in neighbours[v]) / len(neighbours[v]) for v in layer if neighbours[v]}
    movers = iter(sorted(weight, key=weight.__getitem__))
    return [next(movers) if v in weight else v for v in layer]


def _polished(layers: Layers, grid: Grid) -> Layers:
    """Swap neighbours in a layer while that removes crossings."""
    place = {v: i for layer in layers for i, v in enumerate(layer)}
    layers = [list(layer) for layer in layers]
    for _ in range(6):
        improved = False
        for layer in layers:
            for i in range(len(layer) - 1):
                left, right = layer[i], layer[i + 1]
                if _crossing_pair(left, right, grid, place) > _crossing_pair(right, left, grid, place):
                    layer[i], layer[i + 1] = right, left
                    place[left], place[right] = i + 1, i
                    improved = True
        if not improved:
            break
    return layers


def _crossing_pair(left: int, right: int, grid: Grid, place: dict[int, int]) -> int:
    """Return how many segments of *left* and *right* cross when they stand in this order."""
    total = 0
    for neighbours in (grid.up, grid.down):
        ends = sorted(place[v] for v in neighbours[right])
        total += sum(bisect_left(ends, place[v]) for v in neighbours[left])
    return total
