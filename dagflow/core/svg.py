"""
Our own renderer: a :class:`~dagflow.core.picture.Picture` as SVG, with nothing installed.

Lines and text follow the reader's light or dark scheme; fills of states are half transparent and suit both.
"""

from __future__ import annotations

import math
from itertools import pairwise

from dagflow.core.picture import Arrow, Node, Picture
from dagflow.utilities.drawing import FONT, Svg, escaped, number, shortened, split_color, text_width
from dagflow.utilities.layout import Layout, Link, Point, Size, arrange

__all__ = ["svg_of"]

TEXT, SMALL = 13, 11
HEIGHT = 34.0
MARGIN = 10.0
LONGEST_LABEL = 44
HEAD = 8.0
"""Length of an arrowhead."""
LEAN = 0.22
"""How far off the middle of a node an arrow touches, as a share of how far sideways it goes."""
PORTS = 0.62
"""The share of a node's half width over which arrows touch it."""

STYLE = (
    f".dagflow-graph{{color:#334155;font-family:{FONT}}}"
    ".dagflow-graph .node{fill:#fff;stroke:currentColor;stroke-width:1.2}"
    ".dagflow-graph .edge{fill:none;stroke:currentColor;stroke-width:1.2;stroke-opacity:.75}"
    ".dagflow-graph .dashed{stroke-dasharray:5 4}"
    ".dagflow-graph .head{fill:currentColor;fill-opacity:.85}"
    f".dagflow-graph text{{fill:currentColor;font-size:{TEXT}px;text-anchor:middle}}"
    f".dagflow-graph .key{{font-size:{SMALL}px;text-anchor:start;fill-opacity:.85}}"
    ".dagflow-graph .light{fill:#fff}"
    "@media (prefers-color-scheme:dark){.dagflow-graph{color:#e2e8f0}.dagflow-graph .node{fill:#1e293b}}"
)


def svg_of(picture: Picture) -> Svg:
    """
    Draw *picture*.

    >>> "extract" in str(svg_of(Picture((Node("a", "extract"),))))
    True
    """
    place = {node.id: i for i, node in enumerate(picture.nodes)}
    sizes = [_size(node) for node in picture.nodes]
    links = [Link(place[e.source], place[e.target], _label_width(e)) for e in picture.edges]
    layout = arrange(sizes, links)
    routes = _routes(picture, links, layout, sizes)
    body = [_arrow(e, r, spot) for e, r, spot in zip(picture.edges, routes, layout.labels, strict=True)]
    body += [_node(n, layout.centers[i], sizes[i]) for i, n in enumerate(picture.nodes)]
    return Svg(_frame(picture.name, layout, body))


def _frame(name: str, layout: Layout, body: list[str]) -> str:
    width, height = number(layout.width + 2 * MARGIN), number(layout.height + 2 * MARGIN)
    title = f"<title>{escaped(name)}</title>" if name else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dagflow-graph" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{title}<style>{STYLE}</style>'
        f'<g transform="translate({number(MARGIN)},{number(MARGIN)})">\n' + "\n".join(body) + "\n</g></svg>\n"
    )


def _size(node: Node) -> Size:
    text = text_width(shortened(node.label, LONGEST_LABEL), TEXT)
    half = max(34.0, (text * 1.12 + 30) / 2 if node.shape == "ellipse" else (text + 24) / 2)
    return Size(half, half, HEIGHT)


def _label_width(arrow: Arrow) -> float:
    return text_width(shortened(arrow.label, LONGEST_LABEL), SMALL) + 2 if arrow.label else 0.0


def _node(node: Node, center: Point, size: Size) -> str:
    x, y = center
    fill = ""
    if node.color:
        color, opacity = split_color(node.color)
        fill = f' style="fill:{escaped(color)};fill-opacity:{opacity:g}"'
    if node.shape == "box":
        corner = f'x="{number(x - size.left)}" y="{number(y - HEIGHT / 2)}"'
        box = f'{corner} width="{number(2 * size.left)}" height="{number(HEIGHT)}"'
        shape = f'<rect class="node" {box} rx="4"{fill}/>'
    else:
        middle = f'cx="{number(x)}" cy="{number(y)}" rx="{number(size.left)}" ry="{number(HEIGHT / 2)}"'
        shape = f'<ellipse class="node" {middle}{fill}/>'
    label = escaped(shortened(node.label, LONGEST_LABEL))
    title = escaped(node.title or node.label)
    ink = ' class="light"' if node.color and _is_dark(node.color) else ""
    text = f'<text{ink} x="{number(x)}" y="{number(y + TEXT * 0.35)}">{label}</text>'
    return f"<g><title>{title}</title>{shape}{text}</g>"


def _is_dark(color: str) -> bool:
    """Tell whether *color* over white needs light text."""
    base, opacity = split_color(color)
    if len(base) != 7 or not base.startswith("#"):
        return False
    red, green, blue = (255 + (int(base[i : i + 2], 16) - 255) * opacity for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 132


def _arrow(arrow: Arrow, points: list[Point], spot: Point | None) -> str:
    end, before = points[-1], points[-2]
    neck = (end[0], end[1] - HEAD if end[1] >= before[1] else end[1] + HEAD)
    classes = "edge dashed" if arrow.dashed else "edge"
    text = ""
    if arrow.label:
        x, y = spot or ((points[0][0] + end[0]) / 2 + 4, (points[0][1] + end[1]) / 2)
        label = escaped(shortened(arrow.label, LONGEST_LABEL))
        text = f'<text class="key" x="{number(x)}" y="{number(y + _label_drop(points, x, y))}">{label}</text>'
    return f'<path class="{classes}" d="{_spline([*points[:-1], neck])}"/>{_head(neck, end)}{text}'


def _label_drop(points: list[Point], x: float, y: float) -> float:
    """Return how far below the bend at *y* its text goes, so that an arrow coming from the right passes over it."""
    above = [p for p in points if p[1] < y - 1]
    below = [p for p in points if p[1] > y + 1]
    from_right, to_right = bool(above) and above[-1][0] > x, bool(below) and below[0][0] > x
    return 4.0 if from_right and to_right else 9.0 if from_right else 1.0


def _routes(picture: Picture, links: list[Link], layout: Layout, sizes: list[Size]) -> list[list[Point]]:
    """Return for each arrow its whole way, with its ends on the outlines of the two nodes."""
    centers = layout.centers
    # By node and side the distance, sideways, to the next point of each arrow that touches there.
    reaches: dict[tuple[int, bool], float] = {}
    ends = []
    for link, route in zip(links, layout.routes, strict=True):
        first, last = (route[0], route[-1]) if route else (centers[link.target], centers[link.source])
        ends.append([(link.source, first), (link.target, last)])
        for node, towards in ends[-1]:
            side = _side(node, towards, centers)
            reaches[side] = max(reaches.get(side, 0.0), abs(towards[0] - centers[node][0]))
    whole = []
    for route, touching in zip(layout.routes, ends, strict=True):
        ports = []
        for node, towards in touching:
            reach = reaches[_side(node, towards, centers)]
            ports.append(_port(picture.nodes[node].shape, centers[node], sizes[node], towards, reach))
        whole.append([ports[0], *route, ports[1]])
    return whole


def _side(node: int, towards: Point, centers: list[Point]) -> tuple[int, bool]:
    return node, towards[1] >= centers[node][1]


def _port(shape: str, center: Point, size: Size, towards: Point, reach: float) -> Point:
    """
    Return the point of the outline where an arrow to or from *towards* touches, a little off the middle.

    *reach* is the farthest any arrow on this side goes sideways; a wide fan spreads over the outline in proportion.
    """
    limit = PORTS * size.left
    scale = min(LEAN, limit / reach) if reach else 0.0
    offset = (towards[0] - center[0]) * scale
    half = size.height / 2
    if shape != "box":
        half *= math.sqrt(1 - (offset / size.left) ** 2)
    return center[0] + offset, center[1] + (half if towards[1] >= center[1] else -half)


def _spline(points: list[Point]) -> str:
    """
    Return a path through *points* that leaves and arrives upright and never swings out between them.

    Slopes of x over y inside are those of Fritsch and Carlson's monotone interpolation.
    """
    slopes = _slopes(points)
    x0, y0 = points[0]
    path = [f"M{number(x0)} {number(y0)}"]
    for (one, other), (m0, m1) in zip(pairwise(points), pairwise(slopes), strict=True):
        third = (other[1] - one[1]) / 3
        # Upright ends get longer handles: a wide fan then opens like a flower, not like a saw.
        h0 = third * (1.5 if m0 == 0 else 1)
        h1 = third * (1.5 if m1 == 0 else 1)
        path.append(
            f"C{number(one[0] + m0 * third)} {number(one[1] + h0)} "
            f"{number(other[0] - m1 * third)} {number(other[1] - h1)} {number(other[0])} {number(other[1])}"
        )
    return "".join(path)


def _slopes(points: list[Point]) -> list[float]:
    rises = [(b[0] - a[0]) / (b[1] - a[1]) if b[1] != a[1] else 0.0 for a, b in pairwise(points)]
    inner = []
    for one, other in pairwise(rises):
        inner.append(0.0 if one * other <= 0 else 2 * one * other / (one + other))
    return [0.0, *inner, 0.0]


def _head(neck: Point, tip: Point) -> str:
    x, y = neck
    wing = HEAD * 0.42
    return (
        f'<path class="head" d="M{number(tip[0])} {number(tip[1])}L{number(x - wing)} {number(y)}'
        f'L{number(x + wing)} {number(y)}Z"/>'
    )
