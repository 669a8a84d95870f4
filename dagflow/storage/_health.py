"""What can be told about flows before they are sent away."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task

__all__ = ["warn_about_results"]


def warn_about_results(flows: Iterable[Flow]) -> None:
    """
    Warn of each task whose retry or cache would find no values after the process ended.

    A retry needs the values of the tasks it takes data from; a cache needs its own as well.
    """
    for flow in flows:
        if flow.result is None:
            for task in flow.sorted_tasks():
                _check_task(flow, task)


def _check_task(flow: Flow, task: Task) -> None:
    sources = [one.name for one in _data_sources(flow, task) if one.result is None]
    if task.max_retries > 0:
        _warn(flow, task, "has retries", sources)
    if task.cache_for is not None:
        _warn(flow, task, "caches its result", [*sources, *([task.name] if task.result is None else [])])


def _data_sources(flow: Flow, task: Task) -> set[Task]:
    sources = {edge.upstream_task for edge in flow.edges_to(task) if edge.key is not None}
    return {source for source in sources if not source.is_constant}


def _warn(flow: Flow, task: Task, why: str, lacking: list[str]) -> None:
    if lacking:
        warnings.warn(
            f"Task {task.name!r} of flow {flow.name!r} {why}, but the values it needs are kept nowhere: no result on "
            f"{', '.join(sorted(set(lacking)))}. Another process cannot go on from there. Give the flow a result, "
            "e.g. Flow(..., result=LocalResult()).",
            stacklevel=5,
        )
