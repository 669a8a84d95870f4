"""
How a mapped task sees what is upstream of it.

Pure functions over states and values: the width of a map, what one child finds at the end of each edge, and what
``flatten`` makes of a value.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagflow.engine.carried import Remote, RemoteItems, inner_items, unsealed
from dagflow.engine.state import Failed, Mapped, State, Success

if TYPE_CHECKING:
    from dagflow.core.edge import Edge

__all__ = [
    "Column",
    "columns_of",
    "element_state",
    "flattened_value",
    "is_nested",
    "plain_value",
    "spread_over",
    "unmappable",
    "width_of",
]


def is_nested(item: Any) -> bool:
    """Tell whether *item* has items of its own; text and bytes count as whole."""
    return hasattr(item, "__iter__") and not isinstance(item, str | bytes)


def flattened_value(value: Any) -> Any:
    """
    Remove one level of nesting; what is not nested throughout is left as it is.

    >>> flattened_value([[1], [2, 3]]), flattened_value([[1], 2]), flattened_value(7)
    ([1, 2, 3], [[1], 2], 7)
    """
    if not is_nested(value) or isinstance(value, Mapping):
        return value
    try:
        items = value if isinstance(value, Sequence) else list(value)
        if not all(is_nested(item) for item in items):
            return value
        return [inner for item in items for inner in item]
    except Exception:  # it promises items and does not keep it, such as an array without dimensions
        return value


def _flattened_children(parent: Mapped) -> list[tuple[State, Any]]:
    """
    Return the items of all children with the state each comes from.

    A child that failed, was skipped or returned something without items is one item itself.
    """
    found: list[tuple[State, Any]] = []
    for child in parent.map_states:
        assert child is not None
        value = child.carried()
        items = [value]
        if child.is_successful() and not child.is_skipped():
            if type(value) is Remote and value.is_mappable:
                items = list(RemoteItems(value)) if value.kind != "whole" else [value]
            elif is_nested(value := child.result):
                with contextlib.suppress(Exception):  # as above: what gives no items is one item
                    items = list(value)
        found.extend((child, item) for item in items)
    return found


def plain_value(edge: Edge, state: State) -> Any:
    """Return what a task that takes *state* as a whole receives through *edge*; a value not at hand stays that."""
    if not edge.flattened:
        return state.carried()
    if isinstance(state, Mapped):
        return [value for _, value in _flattened_children(state)]
    value = state.carried()
    if type(value) is Remote:
        if value.is_flat:
            return value
        inner = inner_items(value)
        if inner is not None:
            return inner
    return flattened_value(state.result)


class Column:
    """
    What the children of a mapped task find at the end of one edge.

    ``states`` and ``values`` are indexed by child when they are lists; ``None`` in place of ``states`` means that all
    children see the one ``state``, ``shared`` that they all take the one value.
    """

    __slots__ = ("key", "shared", "state", "states", "values")

    def __init__(self, key: str | None, state: State, states: Sequence[State | None] | None, values: Any, shared: bool):
        self.key = key
        self.state = state
        self.states = states
        self.values = values
        self.shared = shared

    def state_of(self, child: int) -> State:
        """Return the state that child number *child* sees."""
        if self.states is None:
            return self.state
        state = self.states[child]
        assert state is not None
        return state

    def value_of(self, child: int, packed: bool = False) -> Any:
        """Return the value that child number *child* takes; *packed* leaves it as it came, when it is not at hand."""
        if self.values is None and not self.shared:
            state = self.state_of(child)
            return state.carried() if packed else state.result
        value = self.values if self.shared else self.values[child]
        return value if packed else unsealed(value)


def columns_of(edges: Sequence[Edge], states: Sequence[State]) -> list[Column]:
    """Return a column for each edge of a mapped step."""
    return [_column(edge, state) for edge, state in zip(edges, states, strict=True)]


def _column(edge: Edge, state: State) -> Column:
    if not edge.mapped or not state.is_successful():
        return Column(edge.key, state, None, plain_value(edge, state) if edge.key is not None else None, shared=True)
    if isinstance(state, Mapped):
        if not edge.flattened:
            return Column(edge.key, state, state.map_states, None, shared=False)
        pairs = _flattened_children(state)
        return Column(edge.key, state, [one for one, _ in pairs], [value for _, value in pairs], shared=False)
    return _list_column(edge.key, state, plain_value(edge, state))


_SAFE = (list, tuple, str, bytes, range, RemoteItems)
"""Types whose items can be taken without running anybody's code."""


def _list_column(key: str | None, state: State, values: Any) -> Column:
    """Return the column of one list; an item that cannot be taken fails by itself, for the child that would take it."""
    if type(values) is Remote:
        values = RemoteItems(values) if values.is_mappable else values.open()
    if type(values) in _SAFE:
        return Column(key, state, None, values, shared=False)
    items: list[Any] = []
    broken: dict[int, State] = {}
    for number in range(len(values)):
        try:
            items.append(values[number])
        except Exception as error:
            broken[number] = Failed(f"Item {number} of a {type(values).__name__} cannot be taken: {error!r}", error)
            items.append(error)
    if not broken:
        return Column(key, state, None, items, shared=False)
    states = [broken.get(number) or element_state(state, item) for number, item in enumerate(items)]
    return Column(key, state, states, items, shared=False)


def width_of(edges: Sequence[Edge], columns: Sequence[Column]) -> int:
    """Return the number of children: the length of the shortest mapped input."""
    widths = [
        len(column.states if column.values is None and column.states is not None else column.values)
        for edge, column in zip(edges, columns, strict=True)
        if edge.mapped and not column.shared
    ]
    return min(widths)


def spread_over(edges: Sequence[Edge], states: Sequence[State]) -> tuple[State, list[Column]]:
    """Return the state of a mapped parent, with what its children find; no columns when it does not spread."""
    try:
        failed = unmappable(edges, states)
        if failed is not None:
            return failed, []
        columns = columns_of(edges, states)
        parent = Mapped("Ready to proceed with mapping.")
        parent.map_states = [None] * width_of(edges, columns)
    except Exception as error:  # a length or a value that cannot be had
        return Failed(f"{_UNMAPPABLE} {error!r}", result=error), []
    return parent, columns


_UNMAPPABLE = "At least one upstream state has an unmappable result."


def unmappable(edges: Sequence[Edge], states: Sequence[State]) -> Failed | None:
    """Return why the upstream states cannot be mapped over, ``None`` when they can."""
    mapped = [(edge, state) for edge, state in zip(edges, states, strict=True) if edge.mapped]
    good = [(edge, state) for edge, state in mapped if state.is_successful()]
    if not good:
        return Failed("No upstream states can be mapped over.")
    for edge, state in good:
        if isinstance(state, Mapped):
            continue
        value = state.carried()
        if type(value) is Remote and value.is_mappable:
            continue
        value = state.result
        if isinstance(value, Mapping) or not hasattr(value, "__getitem__") or not hasattr(value, "__len__"):
            return Failed(
                _UNMAPPABLE,
                result=TypeError(
                    f"Task {edge.upstream_task.name!r} returned {type(value).__name__}, which cannot be mapped over: "
                    "return a list"
                    + (", such as list(d.items())." if isinstance(value, Mapping) else ".")
                ),
            )
    return None


def element_state(state: State, value: Any) -> State:
    """Return the state of one item of a list that one task returned."""
    if type(state) is Success and state._context is None:
        return Success._made(state.message, value)  # type: ignore[no-any-return]
    import copy

    one = copy.copy(state)
    one._holder, one._value = None, value
    return one
