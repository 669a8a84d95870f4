"""
What a picture of a flow shows: one node for each task, or for each child of a mapped task once states are known.

A map wider than :data:`MOST_CHILDREN` is drawn as one node that counts its children by state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dagflow.core.picture import Arrow, Node, Picture

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task
    from dagflow.engine.state import State

__all__ = ["MOST_CHILDREN", "picture_of"]

MOST_CHILDREN = 200
"""Children drawn one by one; beyond that a map is one node."""
MOST_ARROWS = 1_000
"""Arrows between two maps where each child takes all children of the other; beyond that the taker is one node."""
HALF = "80"
"""Appended to a state's colour: half transparent, so that the text stays readable."""
NO_STATE = "#000000"

Pair = tuple[str, str]


def picture_of(flow: Flow, flow_state: State | None = None) -> Picture:
    """
    Return what is to be drawn of *flow*.

    Ellipses are tasks, boxes are tasks that map. Arrows carry the name of the argument and are dashed where they are
    mapped over. Constant arguments are not drawn. With *flow_state* the nodes are filled in the colours of their
    states; a task without a state gets a neutral one. Tasks of a flow that was called inside this one are a group.
    """
    return _Drawing(flow, flow_state).picture()


class _Drawing:
    """One flow while it is being turned into nodes and arrows."""

    def __init__(self, flow: Flow, flow_state: State | None) -> None:
        self.name = flow.name
        self.slugs = flow.slugs
        self.colored = flow_state is not None
        result = flow_state.result if flow_state is not None else None
        self.states: dict[Task, State] = result if isinstance(result, dict) else {}
        self.tasks = _in_order(flow)
        self.place = {task: i for i, task in enumerate(self.tasks)}
        self.edges = sorted(flow.edges, key=self._edge_order)
        self.maps = {edge.downstream_task for edge in self.edges if edge.mapped}
        self.children = {task: found for task in self.tasks if (found := self._children(task)) is not None}
        self._fold_dense_edges()

    def picture(self) -> Picture:
        nodes = tuple(node for task in self.tasks for node in self._nodes(task))
        arrows = [
            Arrow(source, target, edge.key or "", bool(edge.mapped))
            for edge in self.edges
            for source, target in self._pairs(edge)
        ]
        return Picture(nodes, tuple(arrows), self.name)

    def _edge_order(self, edge: Edge) -> tuple[int, int, str]:
        return self.place[edge.downstream_task], self.place[edge.upstream_task], edge.key or ""

    def _children(self, task: Task) -> list[State | None] | None:
        """Return the children to draw one by one, ``None`` when the task is one node."""
        state = self.states.get(task)
        if state is None or not state.is_mapped() or not 0 < _width(state) <= MOST_CHILDREN:
            return None
        known = list(_map_states(state))
        return known + [None] * (_width(state) - len(known))

    def _fold_dense_edges(self) -> None:
        for edge in self.edges:
            both = edge.upstream_task in self.children and edge.downstream_task in self.children
            if both and len(list(self._pairs(edge))) > MOST_ARROWS:
                del self.children[edge.downstream_task]

    # --- nodes -----------------------------------------------------------------------------------------------

    def _id(self, task: Task, child: int | None = None) -> str:
        return f"t{self.place[task]}" if child is None else f"t{self.place[task]}_{child}"

    def _nodes(self, task: Task) -> Iterator[Node]:
        is_map = task in self.maps
        shape, label = ("box", f"{task.name} <map>") if is_map else ("ellipse", task.name)
        children = self.children.get(task)
        group = tuple(self.slugs[task].split("/")[:-1]) if "/" in self.slugs[task] else ()
        if children is None:
            state = self.states.get(task)
            folded = state is not None and state.is_mapped()
            label = _folded_label(task.name, state) if folded and state is not None else label
            yield Node(self._id(task), label, shape, self._color(state), self._title(task.name, state), group)
            return
        for i, child in enumerate(children):
            title = self._title(f"{task.name}[{i}]", child)
            yield Node(self._id(task, i), label, shape, self._color(child), title, group)

    def _color(self, state: State | None) -> str | None:
        if not self.colored:
            return None
        return (NO_STATE if state is None else state.color) + HALF

    def _title(self, name: str, state: State | None) -> str:
        if not self.colored:
            return name
        if state is None:
            return f"{name}: no state"
        return f"{name}: {type(state).__name__}" + (f", {state.message}" if state.message else "")

    # --- arrows ----------------------------------------------------------------------------------------------

    def _pairs(self, edge: Edge) -> Iterable[Pair]:
        up, down = edge.upstream_task, edge.downstream_task
        sources, targets = self.children.get(up), self.children.get(down)
        if sources and targets and edge.mapped:
            between = _item_sources(sources, len(targets)) if edge.flattened else _one_to_one(sources, targets)
            return [(self._id(up, i), self._id(down, j)) for i, j in between]
        ups = [self._id(up, i) for i in range(len(sources))] if sources else [self._id(up)]
        downs = [self._id(down, i) for i in range(len(targets))] if targets else [self._id(down)]
        return [(one, other) for one in ups for other in downs]


def _in_order(flow: Flow) -> list[Task]:
    """Return the tasks so that the picture is the same each time, also for a flow with a cycle."""
    try:
        return list(flow.sorted_tasks())
    except ValueError:
        return sorted(flow.tasks, key=lambda task: flow.slugs[task])


def _width(state: Any) -> int:
    return int(state.n_map_states)


def _map_states(state: Any) -> list[State | None]:
    return list(state.map_states)


def _folded_label(name: str, state: State) -> str:
    """
    Return the label of a map drawn as one node.

    >>> from dagflow.engine.state import Mapped, Failed, Success
    >>> _folded_label("inc", Mapped(map_states=[Success()] * 998 + [Failed()] * 2))
    'inc [1,000 children: 998 Success, 2 Failed]'
    """
    counts = Counter(type(child).__name__ if child is not None else "without state" for child in _map_states(state))
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    return f"{name} [{_width(state):,} children{': ' + kinds if kinds else ''}]"


def _one_to_one(sources: list[State | None], targets: list[State | None]) -> list[tuple[int, int]]:
    return [(i, i) for i in range(min(len(sources), len(targets)))]


def _item_sources(sources: list[State | None], width: int) -> list[tuple[int, int]]:
    """
    Tell which child made each item of a flattened map.

    It follows from the number of items each child returned; when the values are not at hand, every child may be the
    one.
    """
    made = [i for i, state in enumerate(sources) for _ in range(_items(state))]
    if len(made) == width:
        return [(i, j) for j, i in enumerate(made)]
    return [(i, j) for i in range(len(sources)) for j in range(width)]


def _items(state: State | None) -> int:
    value = state.result if state is not None else None
    if isinstance(value, list | tuple | set | frozenset | dict):
        return len(value)
    return 1
