"""
Pictures of flows: what to draw of a flow and its states, and where the picture goes.

:func:`picture_of` decides what is drawn; dot, Mermaid and SVG are three ways to write that down.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagflow.core.depiction import picture_of
from dagflow.core.picture import Group, Picture
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    import graphviz

    from dagflow.core.flow import Flow
    from dagflow.engine.state import State

__all__ = ["mimebundle", "mimebundle_of_state", "picture_of", "to_dot", "to_mermaid", "visualize"]

MOST_NODES_IN_A_NOTEBOOK = 3_000
"""Beyond that a notebook shows the text form only: the picture would be larger than the notebook."""

Viewer = Callable[[Path], object]


def to_dot(flow: Flow, flow_state: State | None = None) -> graphviz.Digraph:
    """
    Return the flow as a Graphviz graph, without rendering it.

    Raises:
        ImportError: when the ``graphviz`` package is missing.
    """
    return _graph(picture_of(flow, flow_state))


def _graph(picture: Picture) -> graphviz.Digraph:
    from dagflow.core.rendering import dot_source

    return dot_source(picture)


def to_mermaid(flow: Flow, flow_state: State | None = None) -> str:
    """Return the flow as a Mermaid flowchart, which GitHub, GitLab and many wikis draw."""
    return mermaid_of(picture_of(flow, flow_state))


def mermaid_of(picture: Picture) -> str:
    """
    Write *picture* in Mermaid's language.

    >>> from dagflow.core.picture import Arrow, Node
    >>> print(mermaid_of(Picture((Node("a", "get"), Node("b", "put <map>", "box")), (Arrow("a", "b", "x", True),))))
    flowchart TD
        a(["get"])
        b["put #lt;map#gt;"]
        a -. "x" .-> b
    """
    lines = ["flowchart TD"]
    lines += _mermaid_group(picture.grouped(), "    ")
    for arrow in picture.edges:
        line, labelled = ("-.->", '-. "{}" .->') if arrow.dashed else ("-->", '-- "{}" -->')
        between = labelled.format(_mermaid_text(arrow.label)) if arrow.label else line
        lines.append(f"    {arrow.source} {between} {arrow.target}")
    lines += [f"    style {node.id} fill:{node.color}" for node in picture.nodes if node.color]
    return "\n".join(lines)


def _mermaid_group(group: Group, indent: str) -> Iterator[str]:
    for node in group.nodes:
        start, end = ("[", "]") if node.shape == "box" else ("([", "])")
        yield f'{indent}{node.id}{start}"{_mermaid_text(node.label)}"{end}'
    for number, (name, inner) in enumerate(group.groups.items()):
        first = inner.nodes[0].id if inner.nodes else f"{number}_{len(inner.path)}"
        yield f'{indent}subgraph group_{first}["{_mermaid_text(name)}"]'
        yield from _mermaid_group(inner, f"{indent}    ")
        yield f"{indent}end"


_MERMAID = str.maketrans({c: f"#{ord(c)};" for c in '#"`;\\'} | {"<": "#lt;", ">": "#gt;", "&": "#amp;"})


def _mermaid_text(text: str) -> str:
    return " ".join(text.split()).translate(_MERMAID) or " "


def visualize(
    flow: Flow,
    flow_state: State | None = None,
    filename: str | os.PathLike[str] | None = None,
    format: str | None = None,
    viewer: Viewer | None = None,
) -> graphviz.Digraph:
    """
    Draw the flow, coloured by the states of a run when *flow_state* is given.

    There is always a picture: Graphviz's ``dot`` draws it, else pygraphviz, else our own layout, which writes SVG.

    Args:
        flow: what to draw.
        flow_state: the final state of a run.
        filename: where to write; the format is added as suffix unless it is there already. Without a file name the
            graph is only returned in a notebook, and shown in a viewer elsewhere if somebody is there to look.
        format: such as ``"svg"``, ``"png"``, ``"pdf"``. Without it the suffix of *filename* counts, else ``pdf`` where
            Graphviz is installed and ``svg`` where it is not.
        viewer: what opens the file; the browser when not given.

    Raises:
        ImportError: when the ``graphviz`` package is missing.
        graphviz.backend.ExecutableNotFound: when nothing on this machine can write *format*.
        ValueError: when *format* is unknown.
    """
    picture = picture_of(flow, flow_state)
    graph = _graph(picture)
    if filename is not None:
        _write(picture, Path(filename), format)
    elif not _in_notebook():
        _show(_write(picture, _temporary(), format or "svg"), viewer or _default_viewer())
    return graph


def _write(picture: Picture, path: Path, format: str | None) -> Path:
    from graphviz import FORMATS

    from dagflow.core.rendering import NoRendererError, rendered

    suffix = path.suffix[1:].lower()
    wanted = format or (suffix if suffix in FORMATS else None)
    if wanted is not None:
        content = rendered(picture, wanted)
    else:
        try:
            content, wanted = rendered(picture, "pdf"), "pdf"
        except NoRendererError:
            content, wanted = rendered(picture, "svg"), "svg"
    target = path if suffix == wanted else path.with_name(f"{path.name}.{wanted}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def _temporary() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="dagflow-")) / "flow"


def _show(path: Path, viewer: Viewer | None) -> None:
    if viewer is None:
        get_logger().info("The picture is at %s", path)
    else:
        viewer(path)


def _default_viewer() -> Viewer | None:
    """Return what opens a picture, ``None`` when nobody is there to look: in CI, in a pipe, without a display."""
    if os.environ.get("CI") or not sys.stdout.isatty():
        return None
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None
    return _browse


def _browse(path: Path) -> None:
    import webbrowser

    webbrowser.open(path.as_uri())


def _in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


def mimebundle(flow: Flow) -> dict[str, Any]:
    """Return what a notebook shows of a flow: the picture, drawn by our own layout as that is quick, and the text."""
    return _bundle(picture_of(flow), repr(flow))


def mimebundle_of_state(state: State) -> dict[str, Any]:
    """Return what a notebook shows of a state: for a flow run also when its tasks ran, for others only the text."""
    from dagflow.engine.gantt import gantt, task_states

    bundle: dict[str, Any] = {"text/plain": repr(state)}
    if 0 < len(task_states(state)) <= MOST_NODES_IN_A_NOTEBOOK:
        bundle["image/svg+xml"] = str(gantt(state))
    return bundle


def _bundle(picture: Picture, text: str) -> dict[str, Any]:
    from dagflow.core.svg import svg_of

    bundle: dict[str, Any] = {"text/plain": text}
    if picture.nodes and len(picture.nodes) <= MOST_NODES_IN_A_NOTEBOOK:
        bundle["image/svg+xml"] = str(svg_of(picture))
    return bundle
