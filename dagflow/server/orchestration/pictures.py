"""
Pictures of flows as numbers: boxes for tasks, points that arrows pass.

Pure; it takes a while for large flows, so it is not for the thread that answers requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dagflow.utilities.layout import Link, Point, Size, arrange

__all__ = ["picture"]

MARGIN = 12.0
HEIGHT = 44.0
"""Room for a name and, under it, a state."""
LETTER_WIDTH = 7.4
"""Of the letters of names, in pixels, on the safe side."""
LEAST_LETTERS, MOST_LETTERS = 8, 30
PADDING = 44.0
"""Beside a name: room for the sign of the state and, on mapped tasks, counts."""


def picture(tasks: Sequence[dict[str, Any]], edges: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """
    Return where *tasks* stand and where the *edges* between them go.

    >>> tasks = [{"id": one, "slug": one, "name": one, "mapped": False, "auto_generated": False} for one in "ab"]
    >>> edge = {"upstream_task_id": "a", "downstream_task_id": "b", "key": "x", "mapped": False}
    >>> drawn = picture(tasks, [edge])
    >>> drawn["nodes"][0]["y"] < drawn["nodes"][1]["y"], drawn["edges"][0]["from"], len(drawn["edges"][0]["points"])
    (True, 'a', 2)
    """
    place = {task["id"]: number for number, task in enumerate(tasks)}
    edges = [one for one in edges if one["upstream_task_id"] in place and one["downstream_task_id"] in place]
    widths = [_width(task["name"]) for task in tasks]
    links = [Link(place[one["upstream_task_id"]], place[one["downstream_task_id"]]) for one in edges]
    layout = arrange([Size(width / 2, width / 2, HEIGHT) for width in widths], links)
    middle = [(x + MARGIN, y + MARGIN) for x, y in layout.centers]
    return {
        "width": round(layout.width + 2 * MARGIN, 1),
        "height": round(layout.height + 2 * MARGIN, 1),
        "nodes": [_node(task, at, width) for task, at, width in zip(tasks, middle, widths, strict=True)],
        "edges": [
            {
                "from": tasks[link.source]["slug"],
                "to": tasks[link.target]["slug"],
                "key": edge["key"],
                "mapped": edge["mapped"],
                "points": _points(middle[link.source], middle[link.target], route),
            }
            for edge, link, route in zip(edges, links, layout.routes, strict=True)
        ],
    }


def _width(name: str) -> float:
    return min(MOST_LETTERS, max(LEAST_LETTERS, len(name))) * LETTER_WIDTH + PADDING


def _node(task: dict[str, Any], at: Point, width: float) -> dict[str, Any]:
    return {
        "task_id": task["id"],
        "slug": task["slug"],
        "name": task["name"],
        "x": round(at[0] - width / 2, 1),
        "y": round(at[1] - HEIGHT / 2, 1),
        "width": round(width, 1),
        "height": HEIGHT,
        "mapped": task["mapped"],
        "auto_generated": task["auto_generated"],
    }


def _points(source: Point, target: Point, route: Sequence[Point]) -> list[list[float]]:
    """Return the points that an arrow passes, from the lower side of its first box to the upper side of its second."""
    between = [(x + MARGIN, y + MARGIN) for x, y in route]
    points = [(source[0], source[1] + HEIGHT / 2), *between, (target[0], target[1] - HEIGHT / 2)]
    return [[round(x, 1), round(y, 1)] for x, y in points]
