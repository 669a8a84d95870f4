"""Copying, merging, replacing and packing whole flows."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from dagflow.core.blame import user_location
from dagflow.core.conversion import as_task
from dagflow.core.edge import Edge
from dagflow.core.task import Task

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["copy_flow", "packed_fields", "replace_task", "unpack_fields", "update_flow"]

_REBUILT = frozenset({"_graph", "_slugs_taken", "_slug_counter", "_derived", "_open", "_made", "slugs", "constants"})
"""What a flow's graph is made of; copied or packed in a form of its own."""


def copy_flow(flow: Flow) -> Flow:
    """Return a flow with the same tasks in containers of its own."""
    new: Flow = object.__new__(type(flow))
    new.__dict__.update(flow.__dict__)
    new._graph = flow._graph.copy()
    new.slugs = dict(flow.slugs)
    new.constants = defaultdict(dict, {task: dict(values) for task, values in flow.constants.items()})
    new.state_handlers = list(flow.state_handlers)
    new._slugs_taken = set(flow._slugs_taken)
    new._slug_counter = flow._slug_counter.copy()
    new._helpers = set(flow._helpers)
    new._reference_tasks = None if flow._reference_tasks is None else set(flow._reference_tasks)
    new._derived, new._open, new._made = {}, [], {}
    return new


def replace_task(flow: Flow, old: Task, new: Any, validate: bool = True) -> None:
    """Put *new* in the place of *old* in *flow*."""
    if old not in flow.slugs:
        raise ValueError(f"Task {old!r} is not in flow {flow.name!r}, so it cannot be replaced{user_location()}.")
    if new is old:
        return
    before = copy_flow(flow)
    try:
        _swap(flow, old, as_task(new, flow=flow), validate)
    except Exception:
        _restore(flow, before)
        raise


def _restore(flow: Flow, before: Flow) -> None:
    """Undo changes of the graph, so that a refused edit leaves the flow as it was."""
    kept = {name: flow.__dict__[name] for name in ("_open", "_made")}
    flow.__dict__.update(before.__dict__)
    flow.__dict__.update(kept)
    flow._changed()


def _swap(flow: Flow, old: Task, task: Task, validate: bool) -> None:
    edges = [edge for edge in flow._ordered_edges() if old in (edge.upstream_task, edge.downstream_task)]
    constants = flow.constants.pop(old, {})
    was_reference = flow._reference_tasks is not None and old in flow._reference_tasks
    _remove(flow, old)
    flow.add_task(task)
    if constants and not task.is_constant:
        for key, value in constants.items():
            flow._check_key_is_free(task, key)
            if validate:
                flow._check_key_is_accepted(task, key)
            flow.constants[task][key] = value
    for edge in edges:
        if edge.downstream_task is old and task.is_constant:
            continue
        first, last = (task if end is old else end for end in (edge.upstream_task, edge.downstream_task))
        flow.add_edge(first, last, edge.key, mapped=edge.mapped, flattened=edge.flattened, validate=validate)
    if was_reference:
        assert flow._reference_tasks is not None
        flow._reference_tasks.add(task)
    flow._changed()


def _remove(flow: Flow, task: Task) -> None:
    flow._graph.remove_node(task)
    flow._slugs_taken.discard(flow.slugs.pop(task))
    flow._helpers.discard(task)
    if flow._reference_tasks is not None:
        flow._reference_tasks.discard(task)
    flow._changed()


def update_flow(
    flow: Flow, other: Flow, merge_parameters: bool, validate: bool | None, merge_reference_tasks: bool
) -> None:
    """Add the tasks, edges and constants of *other* to *flow*, all or nothing."""
    if not hasattr(other, "_ordered_edges"):
        raise TypeError(f"Flow {flow.name!r} is updated with another flow, found {other!r}{user_location()}.")
    before = copy_flow(flow)
    try:
        _merge(flow, other, merge_parameters, validate, merge_reference_tasks)
    except Exception:
        _restore(flow, before)
        raise


def _merge(
    flow: Flow, other: Flow, merge_parameters: bool, validate: bool | None, merge_reference_tasks: bool
) -> None:
    references = flow.reference_tasks() | other.reference_tasks() if merge_reference_tasks else None
    own = {parameter.name: parameter for parameter in flow.parameters()}
    for parameter in sorted(other.parameters(), key=lambda one: one.name):
        twin = own.get(parameter.name)
        if twin is None or twin is parameter:
            continue
        if not merge_parameters:
            raise ValueError(
                f"Flows {flow.name!r} and {other.name!r} both have a parameter {parameter.name!r}{user_location()}. "
                "Rename one, or give merge_parameters=True."
            )
        replace_task(flow, twin, parameter, validate=True)
        references = {parameter if task is twin else task for task in references} if references else references
    for task in other._graph:
        flow.add_task(task)
    known = flow.edges
    for edge in other._ordered_edges():
        if edge not in known:
            flow._add_given_edge(edge, True if merge_parameters else validate)
    for task, values in other.constants.items():
        flow.constants[task].update(values)
    flow._helpers |= other._helpers
    if references is not None:
        flow.set_reference_tasks(references)
    flow._changed()


def packed_fields(flow: Flow) -> dict[str, Any]:
    """
    Return the fields of *flow* in a form that pickles small.

    Edges refer to tasks by their place in one list, and slugs are a list beside it.
    """
    tasks = list(flow._graph)
    place = {task: index for index, task in enumerate(tasks)}
    fields = {name: value for name, value in flow.__dict__.items() if name not in _REBUILT}
    fields["packed"] = {
        "tasks": tasks,
        "slugs": [flow.slugs[task] for task in tasks],
        "edges": [
            (place[edge.upstream_task], place[edge.downstream_task], edge.key, *_marks(edge))
            for edge in flow._ordered_edges()
        ],
        "constants": [(place[task], values) for task, values in flow.constants.items() if task in place and values],
        "counts": flow._slug_counter,
    }
    return fields


def _marks(edge: Edge) -> tuple[bool, ...]:
    return (edge.mapped, edge.flattened) if edge.mapped or edge.flattened else ()


def unpack_fields(flow: Flow, fields: dict[str, Any]) -> None:
    """Fill *flow* from what :func:`packed_fields` returned."""
    fields = dict(fields)
    packed = fields.pop("packed")
    tasks = packed["tasks"]
    flow._open, flow._made = [], {}
    flow._start_graph()
    flow.__dict__.update(fields)
    flow.slugs = dict(zip(tasks, packed["slugs"], strict=True))
    flow._slugs_taken = set(packed["slugs"])
    flow._slug_counter = packed["counts"]
    flow._graph.add_nodes_from(tasks)
    for source, target, key, *marks in packed["edges"]:
        edge = Edge(tasks[source], tasks[target], key, *marks)
        name = (key, *marks) if marks else key
        flow._graph.add_edge(edge.upstream_task, edge.downstream_task, key=name, edge=edge)
    flow.constants = defaultdict(dict, {tasks[index]: values for index, values in packed["constants"]})
