"""
One flow inside another: its tasks are copied there, its parameters become edges and constants.

The copies have slugs of their own, ``child/name-1``, so that one flow may be called many times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.core.parameter import Parameter
from dagflow.core.task import Task

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.flow import Flow

__all__ = ["inline"]


def inline(parent: Flow, child: Flow, values: Mapping[str, Any], wait_for: Iterable[Any] = ()) -> dict[Task, Any]:
    """
    Copy the tasks of *child* into *parent*.

    Args:
        parent: the flow that is being built.
        child: another flow, complete.
        values: what to put in the place of its parameters: tasks or plain values, by name.
        wait_for: what the first tasks of the child wait for.

    Returns:
        what stands in the parent for each task of the child.
    """
    prefix = _free_prefix(parent, child)
    stands: dict[Task, Any] = {}
    body: list[Task] = []
    for task in child._graph:
        if isinstance(task, Parameter):
            stands[task] = values.get(task.name, task.default)
            continue
        changes: dict[str, Any] = {} if prefix is None else {"slug": f"{prefix}/{child.slugs[task]}"}
        if child.result is not None and task.result is None:
            changes["result"] = child.result
        if child.log_prints is not None and task.log_prints is None:
            changes["log_prints"] = child.log_prints
        new = stands[task] = parent.add_task(task.copy(**changes))
        body.append(new)
        if task in child.constants:
            parent.constants[new].update(child.constants[task])
    for edge in child._ordered_edges():
        _copy_edge(parent, edge, stands)
    parent._helpers |= {stands[task] for task in child._helpers}
    parent._changed()
    _order(parent, body, wait_for)
    return stands


def _free_prefix(parent: Flow, child: Flow) -> str | None:
    """Return ``child``, ``child-2`` and so on; a function given to apply_map gets plain slugs when it is spread."""
    if parent._is_scratch:
        return None
    first = next((slug for task, slug in child.slugs.items() if not isinstance(task, Parameter)), "")
    prefix, number = child.name, 1
    while f"{prefix}/{first}" in parent._slugs_taken:
        number += 1
        prefix = f"{child.name}-{number}"
    return prefix


def _copy_edge(parent: Flow, edge: Edge, stands: Mapping[Task, Any]) -> None:
    source = edge.upstream_task
    if edge.key is None and isinstance(source, Parameter) and not isinstance(stands[source], Task):
        return  # a plain value is there from the start
    target = stands[edge.downstream_task]
    parent.add_edge(stands[source], target, edge.key, mapped=edge.mapped, flattened=edge.flattened)


def _order(parent: Flow, body: list[Task], wait_for: Iterable[Any]) -> None:
    own = set(body)
    for one in wait_for:
        for task in body:
            if not task.is_constant and not parent.upstream_tasks(task) & own:
                task.set_upstream(one, flow=parent)
