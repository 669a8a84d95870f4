"""
When each task of a flow run ran, drawn as SVG.

A bar for each task from the start of its first attempt to its end; attempts that were retried and the children of a map
are inside; the tasks that decided how long the run took are marked.
"""

from __future__ import annotations

import datetime
import os
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from dagflow.engine.state import State
from dagflow.engine.timeline import Bar, Row, critical_path, lanes, rows_of, task_states, ticks
from dagflow.utilities.drawing import FONT, Svg, escaped, number, shortened, text_width

__all__ = ["duration", "gantt", "task_states"]

PLOT = 760.0
"""Pixels for the whole run."""
TAIL = 92.0
"""Pixels right of the plot, so that the last bar's duration has room."""
HEADER, BAR, ROW_GAP, LANE = 64.0, 18.0, 8.0, 6.0
MARGIN, TEXT = 14.0, 12
LONGEST_NAME = 36
MOST_LANED_CHILDREN = 40
"""Children drawn one by one; beyond that their density over time is drawn."""
MOST_ROWS = 500
"""Tasks drawn; beyond that the ones that took longest."""
SLICE = 4.0
"""Pixels of one step of a density."""
SLIMMEST = 1.5
"""Pixels a bar has at least, so that a quick task can be seen."""

STYLE = (
    f".dagflow-gantt{{color:#334155;font-family:{FONT}}}"
    f".dagflow-gantt text{{fill:currentColor;font-size:{TEXT}px}}"
    ".dagflow-gantt .name,.dagflow-gantt .end{text-anchor:end}.dagflow-gantt .mid{text-anchor:middle}"
    ".dagflow-gantt .soft{fill-opacity:.65;font-size:11px}.dagflow-gantt .head{font-size:14px;font-weight:bold}"
    ".dagflow-gantt .bold{font-weight:bold}"
    ".dagflow-gantt .grid{stroke:currentColor;stroke-opacity:.13}"
    ".dagflow-gantt .span{fill:currentColor;fill-opacity:.1}"
    ".dagflow-gantt .wait{stroke:currentColor;stroke-opacity:.6;stroke-dasharray:2 2}"
    ".dagflow-gantt .critical{fill:none;stroke:#c026d3;stroke-width:1.6}"
    ".dagflow-gantt .link{fill:none;stroke:#c026d3;stroke-width:1.2;stroke-dasharray:3 2}"
    "@media (prefers-color-scheme:dark){.dagflow-gantt{color:#e2e8f0}}"
)

_COLORS: dict[str, str] = {}


def gantt(flow_state: State, filename: str | os.PathLike[str] | None = None) -> Svg:
    """
    Draw when each task of a flow run ran.

    Args:
        flow_state: the final state of a flow run.
        filename: where to write the picture as well; ``.svg`` is added when there is no suffix.

    Raises:
        ValueError: when the state is not that of a flow run, or *filename* asks for another format.
    """
    target = _svg_path(filename)
    if not isinstance(flow_state.result, dict):
        raise ValueError(
            f"Only the final state of a flow run can be drawn over time: its result is a dict of task states, but the "
            f"result of {flow_state!r} is {shortened(repr(flow_state.result), 80)}."
        )
    svg = Svg(_Chart(flow_state).text())
    if target is not None:
        svg.save(target)
    return svg


def _svg_path(filename: str | os.PathLike[str] | None) -> Path | None:
    if filename is None:
        return None
    path = Path(filename)
    if path.suffix.lower() not in ("", ".svg"):
        raise ValueError(f"The time chart is written as SVG; {path.name!r} should end in '.svg' instead.")
    return path.with_suffix(".svg")


class _Chart:
    """One chart while it is being written."""

    def __init__(self, flow_state: State) -> None:
        self.state = flow_state
        rows = rows_of(flow_state)
        self.critical = critical_path(rows, flow_state.lineage())
        self.left_out = max(0, len(rows) - MOST_ROWS)
        longest = sorted(rows, key=lambda row: row.start - row.end)[:MOST_ROWS]
        self.rows = [row for row in rows if row in longest] if self.left_out else rows
        timed = [row for row in self.rows if row.bars]
        self.start = min((row.start for row in timed), default=0.0)
        self.seconds = max((row.end for row in timed), default=0.0) - self.start
        self.scale = PLOT / self.seconds if self.seconds > 0 else 0.0
        names = (text_width(shortened(row.name, LONGEST_NAME), TEXT) * 1.08 for row in self.rows)
        self.left = MARGIN + max(names, default=0.0) + 12
        self.tops, self.bottom = self._tops()

    def _tops(self) -> tuple[list[float], float]:
        tops, y = [], HEADER
        for row in self.rows:
            tops.append(y)
            y += _height(row) + ROW_GAP
        return tops, y

    def x(self, time: float) -> float:
        """Return where *time* is."""
        return self.left + (time - self.start) * self.scale

    def text(self) -> str:
        """Return the chart."""
        width, height = self.left + PLOT + TAIL, self.bottom + 34
        body = [*self._header(), *self._axis(), *self._links()]
        for row, top in zip(self.rows, self.tops, strict=True):
            body += self._row(row, top)
        body += self._legend(self.bottom + 18)
        size = f'width="{number(width)}" height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}"'
        start = f'<svg xmlns="http://www.w3.org/2000/svg" class="dagflow-gantt" role="img" {size}>'
        return f"{start}<style>{STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"

    # --- around the bars -------------------------------------------------------------------------------------

    def _header(self) -> Iterator[str]:
        kind = type(self.state).__name__
        title = f"{kind} in {duration(self.seconds)}" if self.scale else kind
        yield _text(MARGIN, 22, title, "head")
        began = datetime.datetime.fromtimestamp(self.start, datetime.UTC) if self.start else None
        facts = [began.strftime("started %Y-%m-%d %H:%M:%S UTC")] if began else ["no task ran"]
        if self.left_out:
            facts.append(f"{self.left_out:,} quicker tasks not shown")
        yield _text(self.left + PLOT, 22, " · ".join(facts), "end soft")

    def _axis(self) -> Iterator[str]:
        for tick in ticks(self.seconds) if self.scale else ():
            x = number(self.left + tick * self.scale)
            yield f'<line class="grid" x1="{x}" x2="{x}" y1="{HEADER - 8}" y2="{number(self.bottom)}"/>'
            yield _text(float(x), HEADER - 14, duration(tick), "mid soft")

    def _links(self) -> Iterator[str]:
        """Join the bars of the critical path."""
        place = {row.task: (row, top) for row, top in zip(self.rows, self.tops, strict=True)}
        path = [place[task] for task in self.critical if task in place]
        for (row, top), (later, below) in pairwise(path):
            down = below > top
            x0, x1 = self.x(row.end), self.x(later.start)
            y0 = top + (_height(row) if down else 0)
            if x1 > x0 + 1:
                way = f"M{number(x0)} {number(y0)}V{number(below + _height(later) / 2)}H{number(x1)}"
            else:
                way = f"M{number(x1)} {number(y0)}V{number(below + (0 if down else _height(later)))}"
            yield f'<path class="link" d="{way}"/>'

    def _legend(self, y: float) -> Iterator[str]:
        kinds = Counter(attempt.kind for row in self.rows for bar in row.bars for attempt in bar.attempts)
        x = self.left
        for kind in kinds:
            yield f'<rect x="{number(x)}" y="{number(y - 9)}" width="10" height="10" rx="2" fill="{_color(kind)}"/>'
            yield _text(x + 15, y, kind, "soft")
            x += 15 + text_width(kind, 11) + 18
        if self.critical:
            yield f'<rect class="critical" x="{number(x)}" y="{number(y - 9)}" width="10" height="10" rx="2"/>'
            yield _text(x + 15, y, "critical path", "soft")

    # --- bars ------------------------------------------------------------------------------------------------

    def _row(self, row: Row, top: float) -> Iterator[str]:
        middle = top + _height(row) / 2 + TEXT * 0.35
        critical = row.task in self.critical
        yield _text(self.left - 12, middle, shortened(row.name, LONGEST_NAME), "name bold" if critical else "name")
        if not row.bars:
            yield _text(self.left + 4, middle, f"not run: {row.kind}", "soft", row.message)
            return
        x0, x1 = self.x(row.start), max(self.x(row.end), self.x(row.start) + SLIMMEST)
        yield _rect("span", x0, top, x1 - x0, _height(row), title=_row_title(row))
        if row.width is None:
            yield from self._attempts(row.bars[0], top, BAR)
        elif len(row.bars) > MOST_LANED_CHILDREN:
            yield from self._density(row, top)
        else:
            for bar, lane in lanes(row.bars):
                yield from self._attempts(bar, top + lane * LANE, LANE - 1)
        if critical:
            yield _rect("critical", x0 - 1.5, top - 1.5, x1 - x0 + 3, _height(row) + 3)
        children = f" · {row.width:,} children" if row.width is not None else ""
        yield _text(x1 + 7, middle, duration(row.end - row.start) + children, "soft")

    def _attempts(self, bar: Bar, top: float, height: float) -> Iterator[str]:
        total, before = len(bar.attempts), None
        for count, attempt in enumerate(bar.attempts, start=1):
            x = self.x(attempt.start)
            if before is not None:
                line = f'x1="{number(self.x(before))}" x2="{number(x)}"'
                yield f'<line class="wait" {line} y1="{number(top + height / 2)}" y2="{number(top + height / 2)}"/>'
            before = attempt.end
            went = f", attempt {count} of {total}" if total > 1 else ""
            title = f"{bar.name}: {attempt.kind}{went}, {duration(attempt.end - attempt.start)}"
            if bar.message and count == total:
                title += f"\n{bar.message}"
            width = max(SLIMMEST, self.x(attempt.end) - x)
            yield _rect("bar", x, top, width, height, title=title, fill=_color(attempt.kind))

    def _density(self, row: Row, top: float) -> Iterator[str]:
        """Draw how many children ran at each moment, by how they ended; the highest point fills the row."""
        slices = max(1, round((self.x(row.end) - self.x(row.start)) / SLICE))
        counts: list[Counter[str]] = [Counter() for _ in range(slices)]
        per_slice = (row.end - row.start) / slices or 1.0
        for bar in row.bars:
            for attempt in bar.attempts:
                first = int((attempt.start - row.start) / per_slice)
                last = int((attempt.end - row.start) / per_slice)
                for i in range(min(first, slices - 1), min(last, slices - 1) + 1):
                    counts[i][attempt.kind] += 1
        highest = max((count.total() for count in counts), default=0) or 1
        unit, width = _height(row) / highest, max(SLIMMEST, per_slice * self.scale)
        for i, count in enumerate(counts):
            y = top + _height(row)
            for kind, many in sorted(count.items()):
                y -= many * unit
                yield _rect("bar", self.x(row.start + i * per_slice), y, width, many * unit, fill=_color(kind))


def _height(row: Row) -> float:
    if row.width is None or not row.bars:
        return BAR
    if len(row.bars) > MOST_LANED_CHILDREN:
        return 2 * BAR
    return max(BAR, LANE * (1 + max(lane for _, lane in lanes(row.bars))) - 1)


def _row_title(row: Row) -> str:
    counts = Counter(bar.kind for bar in row.bars)
    kinds = row.kind if row.width is None else ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    return f"{row.name}: {kinds}, {duration(row.end - row.start)}"


def _color(kind: str) -> str:
    if not _COLORS:
        _COLORS.update((cls.__name__, cls.color) for cls in State.children(include_self=True))
    # A retried attempt is a failure that was forgiven: the state's own orange says so.
    return _COLORS.get(kind, State.color)


def _rect(kind: str, x: float, y: float, width: float, height: float, *, title: str = "", fill: str = "") -> str:
    place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    paint = f' fill="{fill}"' if fill else ""
    start = f'<rect class="{kind}" {place}{paint}{"" if height < 3 else _round(kind)}'
    return f"{start}><title>{escaped(title)}</title></rect>" if title else f"{start}/>"


def _round(kind: str) -> str:
    return ' rx="3"' if kind == "critical" else ' rx="2"' if kind == "span" else ""


def _text(x: float, y: float, text: str, classes: str, title: str = "") -> str:
    tip = f"<title>{escaped(title)}</title>" if title else ""
    return f'<text class="{classes}" x="{number(x)}" y="{number(y)}">{tip}{escaped(text)}</text>'


def duration(seconds: float) -> str:
    """
    Write a span of time the way people do.

    >>> [duration(s) for s in (0, 0.0004, 0.25, 1.5, 90, 3_700, 200_000)]
    ['0 s', '400 µs', '250 ms', '1.5 s', '1 min 30 s', '1 h 1 min', '2 d 7 h']
    """
    if seconds >= 59.95:
        whole = round(seconds)
        for unit, size, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
            if whole >= size:
                rest = whole % size // part
                return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    if seconds >= 0.9995:
        return f"{seconds:.3g} s"
    if seconds >= 0.0009995:
        return f"{seconds * 1_000:.3g} ms"
    return f"{seconds * 1_000_000:.3g} µs" if seconds > 0 else "0 s"
