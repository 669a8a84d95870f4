"""
A layered layout: where to put the nodes of a directed graph so that arrows run downwards and seldom cross.

The four classical steps, each a pure function on plain numbers: put nodes into layers (:mod:`.layers`), order each
layer (:mod:`.order`), choose x (:mod:`.columns`), then y and the routes (here). Nothing is random, so the same graph
always gives the same picture. Coordinates grow to the right and downwards, in pixels.

>>> layout = arrange([Size(20, 20, 30)] * 2, [Link(0, 1)])
>>> layout.centers[0][0] == layout.centers[1][0], layout.centers[0][1] < layout.centers[1][1]
(True, True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dagflow.utilities.layout.columns import columns
from dagflow.utilities.layout.layers import Grid, components, layered
from dagflow.utilities.layout.order import ordered

__all__ = ["Layout", "Link", "Point", "Size", "arrange"]

Point = tuple[float, float]

NODE_GAP = 22.0
"""Pixels between neighbours of one layer."""
LAYER_GAP = 52.0
"""Pixels between layers, before wide fans ask for more."""
LABEL_HEIGHT = 15.0
"""Pixels that an arrow's label takes."""
STEEPNESS = 0.09
"""How much of an arrow's sideways reach is added to the gap it crosses, so that wide fans do not run flat."""
MOST_EXTRA_GAP = 150.0
"""Pixels a gap may grow by at most: a fan over thousands of children must not be taller than a screen."""


@dataclass(frozen=True, slots=True)
class Size:
    """How far a node reaches from its centre to the *left* and *right*, and its whole *height*."""

    left: float
    right: float
    height: float


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow between two nodes given by position; *label* is the width its text needs, 0 for none."""

    source: int
    target: int
    label: float = 0.0


@dataclass(frozen=True, slots=True)
class Layout:
    """
    The answer.

    Attributes:
        centers: of the nodes.
        routes: for each link the points it passes between its two nodes, from source to target.
        labels: for each link where the left end of its text goes, ``None`` when it has none.
        width: of everything.
        height: of everything.
    """

    centers: list[Point]
    routes: list[list[Point]]
    labels: list[Point | None]
    width: float
    height: float


def arrange(sizes: Sequence[Size], links: Sequence[Link]) -> Layout:
    """Place nodes of the given *sizes*, joined by *links*; parts that are not connected stand side by side."""
    centers: list[Point] = [(0.0, 0.0)] * len(sizes)
    routes: list[list[Point]] = [[] for _ in links]
    labels: list[Point | None] = [None] * len(links)
    parts = [_Part(sizes, links, members, own) for members, own in components(len(sizes), links)]
    width, height = 0.0, 0.0
    for part, (dx, dy) in zip(parts, _shelves(parts), strict=True):
        part.write(centers, routes, labels, dx, dy)
        width, height = max(width, dx + part.width), max(height, dy + part.height)
    return Layout(centers, routes, labels, width, height)


class _Part:
    """One connected part, placed with its top left corner at (0, 0)."""

    def __init__(self, sizes: Sequence[Size], links: Sequence[Link], members: list[int], own: list[int]) -> None:
        self.members, self.own = members, own
        self.grid = layered(members, own, links)
        extents = self._extents(sizes, links)
        self.layers = ordered(self.grid)
        x = columns(self.layers, self.grid, [e[0] for e in extents], [e[1] for e in extents], NODE_GAP)
        shift = min(xi - e[0] for xi, e in zip(x, extents, strict=True))
        self.x = [xi - shift for xi in x]
        self.width = max(xi + e[1] for xi, e in zip(self.x, extents, strict=True))
        self.y, self.height = _rows(self.layers, self.grid, [e[2] for e in extents], self.x)

    def _extents(self, sizes: Sequence[Size], links: Sequence[Link]) -> list[tuple[float, float, float]]:
        # A label hangs to the right of its arrow, which stays straight: the bend reaches only to that side.
        grid = self.grid
        found = [(sizes[m].left, sizes[m].right, sizes[m].height) for m in self.members]
        found += [(1.0, 1.0, 0.0)] * (grid.count - len(found))
        for link, bend in grid.label_bend.items():
            found[bend] = (1.0, links[link].label + 4.0, LABEL_HEIGHT)
        return found

    def write(
        self,
        centers: list[Point],
        routes: list[list[Point]],
        labels: list[Point | None],
        dx: float,
        dy: float,
    ) -> None:
        """Copy this part's coordinates to where the whole picture keeps them, moved by (dx, dy)."""
        place = [(x + dx, self.y[self.grid.rank[v]] + dy) for v, x in enumerate(self.x)]
        for position, member in enumerate(self.members):
            centers[member] = place[position]
        for link in self.own:
            routes[link] = [place[v] for v in self.grid.bends[link]]
            bend = self.grid.label_bend.get(link)
            labels[link] = None if bend is None else (place[bend][0] + 4.0, place[bend][1])


def _rows(layers: list[list[int]], grid: Grid, height: list[float], x: list[float]) -> tuple[list[float], float]:
    """Return the y of each layer's middle line and the height of everything."""
    tall = [max((height[v] for v in layer), default=0.0) for layer in layers]
    base = LAYER_GAP * (0.58 if grid.per_layer == 2 else 1)
    middle, y = [], 0.0
    for rank, layer in enumerate(layers):
        if rank:
            reach = max((abs(x[v] - x[u]) for v in layer for u in grid.up[v]), default=0.0)
            y += base + min(MOST_EXTRA_GAP, reach * STEEPNESS)
        middle.append(y + tall[rank] / 2)
        y += tall[rank]
    return middle, y


def _shelves(parts: list[_Part]) -> list[Point]:
    """Return where each part goes: left to right, and on a new shelf when the row gets wider than a good page."""
    widest = max((p.width for p in parts), default=0.0)
    area = sum((p.width + NODE_GAP) * (p.height + LAYER_GAP) for p in parts)
    limit = max(widest, 1.6 * area**0.5)
    places, x, y, shelf = [], 0.0, 0.0, 0.0
    for part in parts:
        if x and x + part.width > limit:
            x, y, shelf = 0.0, y + shelf + LAYER_GAP, 0.0
        places.append((x, y))
        x += part.width + 2 * NODE_GAP
        shelf = max(shelf, part.height)
    return places
