"""
What a picture of a graph holds, whoever draws it: nodes and arrows, as plain values.

The dot writer, the Mermaid writer and our own SVG renderer all read a :class:`Picture`; none of them knows tasks.

>>> Picture((Node("a", "extract"), Node("b", "load")), (Arrow("a", "b", label="rows"),)).name
''
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Arrow", "Group", "Node", "Picture"]


@dataclass(frozen=True, slots=True)
class Node:
    """
    One thing to draw.

    Args:
        id: unique within the picture.
        label: what is written inside.
        shape: ``"ellipse"`` or ``"box"``.
        color: fill as ``#rrggbb`` or ``#rrggbbaa``; none when ``None``.
        title: what a pointer resting on the node shows.
        group: the names of the groups it is in, from the outermost.
    """

    id: str
    label: str
    shape: str = "ellipse"
    color: str | None = None
    title: str = ""
    group: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from the node with id *source* to the one with id *target*."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Nodes and the arrows between them; every arrow's ends are among the nodes."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Arrow, ...] = ()
    name: str = ""

    def grouped(self) -> Group:
        """Return the nodes in their groups, within one that stands for the picture."""
        outermost = Group()
        for node in self.nodes:
            place = outermost
            for name in node.group:
                place = place.groups.setdefault(name, Group((*place.path, name)))
            place.nodes.append(node)
        return outermost


@dataclass(slots=True)
class Group:
    """Nodes that are drawn together, and groups among them by name."""

    path: tuple[str, ...] = ()
    nodes: list[Node] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)
