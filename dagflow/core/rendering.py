"""
From a picture to a file: the ways to render, best first, and the graph object that users get back.

This module needs the ``graphviz`` package, so it is imported only when somebody asks for a picture. Programs run in a
child process with a time limit: a layout that does not end must not take the user's session with it.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from dagflow.core.picture import Group, Picture
from dagflow.core.svg import svg_of

try:
    import graphviz
    from graphviz.backend import ExecutableNotFound
except ImportError as error:
    raise ImportError(
        "Drawing a flow needs the Python package 'graphviz', which is not installed. "
        "Install it with `pip install graphviz`, or use `flow.to_mermaid()`, which needs nothing."
    ) from error

__all__ = ["RENDERERS", "FlowGraph", "NoRendererError", "Renderer", "dot_source", "rendered"]

TIME_LIMIT_SECONDS = 60
"""For one picture; ``dot`` needs seconds for a thousand tasks and may need hours for many thousands."""

_IN_CHILD = """
import sys, pygraphviz
sys.stdout.buffer.write(pygraphviz.AGraph(sys.stdin.buffer.read().decode()).draw(format=sys.argv[1], prog="dot"))
"""

Renderer = Callable[[Picture, str], bytes | None]
"""Takes a picture and a format; returns the file's content, or ``None`` when this way cannot do it."""


class NoRendererError(ExecutableNotFound):  # type: ignore[misc,unused-ignore]
    """Nothing on this machine can write the wanted format."""

    def __init__(self, format: str) -> None:
        message = (
            f"Cannot draw a {format!r} file: there is no Graphviz `dot` program on the PATH and no working pygraphviz. "
            "Install Graphviz (https://graphviz.org/download/), or the extra with Graphviz inside "
            "(`pip install '.[viz]'` in the project's checkout), or ask for format='svg', which needs neither."
        )
        RuntimeError.__init__(self, message)


class FlowGraph(graphviz.Digraph):  # type: ignore[misc,unused-ignore]
    """A ``graphviz.Digraph`` that shows itself in notebooks also on a machine without Graphviz."""

    picture: Picture = Picture()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> dict[str, str]:
        return {"image/svg+xml": rendered(self.picture, "svg").decode(), "text/plain": repr(self)}


def dot_source(picture: Picture) -> FlowGraph:
    """Write *picture* in Graphviz's language."""
    graph = FlowGraph()
    graph.picture = picture
    _write_group(graph, picture.grouped())
    for arrow in picture.edges:
        dashed = {"style": "dashed"} if arrow.dashed else {}
        graph.edge(arrow.source, arrow.target, graphviz.escape(arrow.label) if arrow.label else None, **dashed)
    return graph


def _write_group(graph: Any, group: Group) -> None:
    for node in group.nodes:
        filled = {"color": node.color, "colorscheme": "svg", "style": "filled"} if node.color else {}
        tip = {"tooltip": graphviz.escape(node.title)} if node.title else {}
        graph.node(node.id, graphviz.escape(node.label), shape=node.shape, **filled, **tip)
    for name, inner in group.groups.items():
        with graph.subgraph(name=f"cluster_{'/'.join(inner.path)}") as frame:
            frame.attr(label=graphviz.escape(name))
            _write_group(frame, inner)


def with_dot(picture: Picture, format: str) -> bytes | None:
    """Render with the ``dot`` program."""
    program = shutil.which("dot")
    return _from_child([program, f"-T{format}"], picture) if program else None


def with_pygraphviz(picture: Picture, format: str) -> bytes | None:
    """Render with the Graphviz that pygraphviz's wheels carry."""
    if importlib.util.find_spec("pygraphviz") is None:
        return None
    return _from_child([sys.executable, "-c", _IN_CHILD, format], picture)


def with_own_layout(picture: Picture, format: str) -> bytes | None:
    """Render SVG ourselves."""
    return str(svg_of(picture)).encode() if format == "svg" else None


RENDERERS: tuple[Renderer, ...] = (with_dot, with_pygraphviz, with_own_layout)
"""Tried in this order."""


def rendered(picture: Picture, format: str, renderers: Sequence[Renderer] | None = None) -> bytes:
    """
    Return *picture* as the content of a file of the given *format*.

    Raises:
        ValueError: when *format* is not one that Graphviz knows.
        NoRendererError: an ``ExecutableNotFound``; when no renderer on this machine can write it.
    """
    if format not in graphviz.FORMATS:
        raise ValueError(f"Unknown picture format {format!r}; take for example 'svg', 'png' or 'pdf'.")
    for render in RENDERERS if renderers is None else renderers:
        content = render(picture, format)
        if content:
            return content
    raise NoRendererError(format)


def _from_child(command: list[str], picture: Picture) -> bytes | None:
    # A program that is there but fails (no such format built in, too slow, crashed) is as good as absent: the next
    # renderer is asked, and if none is left the error says what to install.
    source = dot_source(picture).source.encode("utf-8", "replace")
    try:
        done = subprocess.run(command, check=False, input=source, capture_output=True, timeout=TIME_LIMIT_SECONDS)
    except (subprocess.TimeoutExpired, OSError):
        return None
    return done.stdout if done.returncode == 0 else None
