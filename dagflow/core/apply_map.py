"""
``apply_map``: turn a function that builds a scalar graph into a mapped graph.

The function is called once, on a scratch flow whose edges are then copied to the real one as mapped edges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dagflow.core.annotations import EdgeAnnotation
from dagflow.core.blame import user_location
from dagflow.core.conversion import as_task
from dagflow.core.edge import Edge
from dagflow.core.task import Task
from dagflow.utilities.context import context

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["apply_map"]


def apply_map(func: Callable[..., Any], *args: Any, flow: Flow | None = None, **kwargs: Any) -> Any:
    """
    Map the graph that *func* builds over the arguments.

    Args:
        func: a function or task, called once with tasks that stand for single items; what it returns is returned.
        *args: tasks, sequences or annotated values; wrap in ``unmapped`` what every item shares.
        flow: default is the open flow; when given, *func* receives it as ``flow=``.

    Raises:
        TypeError: for an argument that cannot be mapped.
        ValueError: without a flow, and for ``.map`` or ``mapped`` inside *func*.
    """
    target = flow if flow is not None else context.get("flow")
    if target is None:
        raise ValueError(
            f"apply_map needs a flow{user_location()}: call it inside `with Flow(...)`, or give flow=."
        )
    if not callable(func):
        raise TypeError(
            f"apply_map takes a function that builds a graph, or a task, found {func!r}{user_location()}."
        )
    for value in (*args, *kwargs.values()):
        _check_argument(value)
    scratch = type(target)._scratch(target.name)
    stand_ins = _StandIns(target, scratch)
    positional = [stand_ins.make(value) for value in args]
    named = {name: stand_ins.make(value) for name, value in kwargs.items()}
    if flow is not None:
        named["flow"] = scratch  # type: ignore[assignment]
    with context(flow=scratch, case=None, resource=None):
        answer = func(*positional, **named)
    _copy_into(target, scratch, stand_ins)
    return answer


def _check_argument(value: Any) -> None:
    if isinstance(value, Task | EdgeAnnotation) or hasattr(value, "__getitem__"):
        return
    raise TypeError(
        f"apply_map cannot map over {value!r} of type {type(value).__name__}{user_location()}: "
        "give it a task or a sequence, or wrap the value in unmapped(...)."
    )


class _StandIns:
    """The arguments as tasks, and how each of them travels."""

    def __init__(self, target: Flow, scratch: Flow) -> None:
        self._target = target
        self._scratch = scratch
        self.marks: dict[Task, dict[str, bool]] = {}
        self.constants: set[Task] = set()

    def make(self, value: Any) -> Task:
        marks = dict(value.annotations) if isinstance(value, EdgeAnnotation) else {}
        bare = value.value if isinstance(value, EdgeAnnotation) else value
        task = as_task(bare, flow=self._target)
        if not isinstance(bare, Task) and task.auto_generated and task not in self._target.slugs:
            self.constants.add(task)
            self._scratch.add_task(task)  # a member of the flow is never folded into its consumer's constants
        self.marks[task] = {"mapped": marks.get("mapped", True), "flattened": marks.get("flattened", False)}
        return task


def _copy_into(target: Flow, scratch: Flow, stand_ins: _StandIns) -> None:
    """Add what the scratch flow holds to *target*, edges between its tasks and from arguments mapped."""
    body = [task for task in scratch._graph if task not in stand_ins.marks and task not in target.slugs]
    outside = {task: {"mapped": False, "flattened": False} for task in scratch._graph if task in target.slugs}
    marks = {**outside, **stand_ins.marks}
    inner = set(body)
    edges = list(scratch._ordered_edges())
    for task in body:
        target.add_task(task)
        if task in scratch.constants:
            target.constants[task].update(scratch.constants[task])
    for edge in edges:
        _copy_edge(target, edge, marks, stand_ins)
    _align_roots(target, body, inner, edges, stand_ins)


def _copy_edge(target: Flow, edge: Edge, marks: dict[Task, dict[str, bool]], stand_ins: _StandIns) -> None:
    upstream = edge.upstream_task
    mark = marks.get(upstream, {"mapped": not upstream.is_constant, "flattened": False})
    flattened = edge.flattened or mark["flattened"]
    value: Any = upstream.value if upstream in stand_ins.constants and not mark["mapped"] else upstream  # type: ignore[attr-defined]
    if value is not upstream and (edge.key is None or flattened):
        value = upstream
    target.add_edge(value, edge.downstream_task, edge.key, mapped=mark["mapped"], flattened=flattened)


def _align_roots(
    target: Flow, body: list[Task], inner: set[Task], edges: list[Edge], stand_ins: _StandIns
) -> None:
    """Make the first tasks of the body wait for every argument, so that all of them map over the same length."""
    upstream: dict[Task, set[Task]] = {task: set() for task in body}
    for edge in edges:
        if edge.downstream_task in upstream:
            upstream[edge.downstream_task].add(edge.upstream_task)
    for task in body:
        if upstream[task] & inner or task.is_constant:
            continue
        for argument, mark in stand_ins.marks.items():
            if argument in upstream[task] or (argument in stand_ins.constants and not mark["mapped"]):
                continue
            target.add_edge(argument, task, mapped=mark["mapped"], flattened=mark["flattened"])
