"""
The x of every vertex: long arrows straight, parents over the middle of their children, nothing overlapping.

After Brandes and Köpf, "Fast and Simple Horizontal Coordinate Assignment" (2001): vertices are aligned in blocks with a
median neighbour, four times (looking up or down, from the left or from the right); each time the blocks are pushed
together; the middle of the four answers is taken. Each answer keeps the order and the gaps of every layer, and so does
their middle.
"""

from __future__ import annotations

from itertools import pairwise

from dagflow.utilities.layout.layers import Grid

__all__ = ["columns"]

Segments = set[tuple[int, int]]


def columns(layers: list[list[int]], grid: Grid, left: list[float], right: list[float], gap: float) -> list[float]:
    """Return an x for each vertex; vertex v takes from ``x - left[v]`` to ``x + right[v]``."""
    barred = _conflicts(layers, grid)
    answers = []
    for upwards in (False, True):
        rows = layers[::-1] if upwards else layers
        neighbours = grid.down if upwards else grid.up
        answers.append(_pushed(rows, _blocks(rows, neighbours, barred), left, right, gap))
        mirrored = [row[::-1] for row in rows]
        flipped = _pushed(mirrored, _blocks(mirrored, neighbours, barred), right, left, gap)
        answers.append([-x for x in flipped])
    return _middle(answers, left, right)


def _conflicts(layers: list[list[int]], grid: Grid) -> Segments:
    """Return the segments that cross an inner segment of a long arrow: these give way, so that it stays straight."""
    found: Segments = set()
    for above, below in pairwise(layers):
        place = {v: i for i, v in enumerate(above)}
        low, start = 0, 0
        for i, vertex in enumerate(below):
            inner = _inner_above(vertex, grid)
            if inner is None and i < len(below) - 1:
                continue
            high = len(above) - 1 if inner is None else place[inner]
            for other in below[start : i + 1]:
                for up in grid.up[other]:
                    if not low <= place[up] <= high and _inner_above(other, grid) is None:
                        found.add((up, other))
            low, start = high, i + 1
    return found


def _inner_above(vertex: int, grid: Grid) -> int | None:
    """Return the bend above *vertex* when both are bends."""
    if vertex < grid.nodes or not grid.up[vertex] or grid.up[vertex][0] < grid.nodes:
        return None
    return grid.up[vertex][0]


def _blocks(rows: list[list[int]], neighbours: list[list[int]], barred: Segments) -> list[int]:
    """Return for each vertex the first vertex of its block: a chain of vertices that share an x."""
    count = len(neighbours)
    root = list(range(count))
    place = [0] * count
    for row in rows:
        for i, vertex in enumerate(row):
            place[vertex] = i
    followed = [False] * count
    for row in rows:
        last = -1
        for vertex in row:
            for other in _medians(neighbours[vertex], place):
                segment_barred = (other, vertex) in barred or (vertex, other) in barred
                if last < place[other] and not segment_barred and not followed[other]:
                    root[vertex] = root[other]
                    followed[other] = True
                    last = place[other]
                    break
    return root


def _medians(neighbours: list[int], place: list[int]) -> list[int]:
    found = sorted(neighbours, key=place.__getitem__)
    count = len(found)
    if count == 0:
        return []
    return found[(count - 1) // 2 : count // 2 + 1]


def _pushed(rows: list[list[int]], root: list[int], left: list[float], right: list[float], gap: float) -> list[float]:
    """Push the blocks as far left as they go, then pull each right to what follows it."""
    after: dict[int, dict[int, float]] = {r: {} for r in root}
    waiting = dict.fromkeys(after, 0)
    for row in rows:
        for one, other in pairwise(row):
            needed = right[one] + gap + left[other]
            known = after[root[one]].get(root[other])
            if known is None:
                waiting[root[other]] += 1
            after[root[one]][root[other]] = max(needed, known or 0.0)
    x = dict.fromkeys(after, 0.0)
    order = [block for block, count in waiting.items() if not count]
    for block in order:
        for follower, needed in after[block].items():
            x[follower] = max(x[follower], x[block] + needed)
            waiting[follower] -= 1
            if not waiting[follower]:
                order.append(follower)
    for block in reversed(order):
        if after[block]:
            x[block] = max(x[block], min(x[follower] - needed for follower, needed in after[block].items()))
    return [x[r] for r in root]


def _middle(answers: list[list[float]], left: list[float], right: list[float]) -> list[float]:
    """Line the answers up with the narrowest one and return the mean of the two middle values of each vertex."""
    if not left:
        return []
    spans = []
    for answer in answers:
        lowest = min(x - reach for x, reach in zip(answer, left, strict=True))
        spans.append((lowest, max(x + reach for x, reach in zip(answer, right, strict=True))))
    low, high = min(spans, key=lambda span: span[1] - span[0])
    moved = []
    for i, answer in enumerate(answers):
        shift = high - spans[i][1] if i % 2 else low - spans[i][0]
        moved.append([x + shift for x in answer])
    return [sum(sorted(four)[1:3]) / 2 for four in zip(*moved, strict=True)]
