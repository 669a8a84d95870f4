"""Run one branch or another, and bring branches together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.core.blame import user_location
from dagflow.core.function_task import FunctionTask
from dagflow.core.task import Task
from dagflow.engine.signals import SKIP
from dagflow.triggers import not_all_skipped
from dagflow.utilities.context import context

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["CompareValue", "Merge", "ifelse", "merge", "switch"]


class CompareValue(Task):
    """
    Skip what waits for it unless the value it is given equals *value*.

    Args:
        value: what to compare with, by ``==``.
    """

    def __init__(self, value: Any, **kwargs: Any) -> None:
        self.value = value
        kwargs.setdefault("name", f'CompareValue: "{value}"')
        super().__init__(**kwargs)

    def run(self, value: Any) -> None:
        """
        Compare.

        Raises:
            SKIP: when the values differ.
        """
        if value != self.value:
            raise SKIP(f"Provided value {value!r} did not match {self.value!r}.")


class Merge(Task):
    """
    Return the first result that is not ``None`` among the branches that were not skipped.

    Raises:
        ValueError: when constructed with ``skip_on_upstream_skip=True``: it must see its skipped branches.
    """

    def __init__(self, **kwargs: Any) -> None:
        if kwargs.pop("skip_on_upstream_skip", False):
            raise ValueError(
                f"A merge must run although a branch was skipped{user_location()}: leave skip_on_upstream_skip out."
            )
        kwargs.setdefault("trigger", not_all_skipped)
        super().__init__(skip_on_upstream_skip=False, **kwargs)

    def run(self, **task_results: Any) -> Any:
        """Return the first result that is neither ``None`` nor a skip, in the order of the branches."""
        for name in sorted(task_results, key=lambda one: int(one.rpartition("_")[2])):
            value = task_results[name]
            if value is not None and not isinstance(value, SKIP):
                return value
        return None


def _as_bool(x: Any) -> bool:
    return bool(x)


def _open_flow(what: str) -> Flow:
    flow: Flow | None = context.get("flow")
    if flow is None:
        raise ValueError(f"{what} needs a flow{user_location()}: use it inside `with Flow(...)`.")
    return flow


def switch(condition: Any, cases: Mapping[Any, Any], mapped: bool = False) -> None:
    """
    Run the task whose key equals the condition's result; the others are skipped.

    Args:
        condition: a task or value.
        cases: ``{value: task}``; a ``None`` in place of a task is passed over.
        mapped: compare and branch item by item.

    Raises:
        TypeError: when *cases* is not a dict.
        ValueError: when no flow is open.
    """
    from dagflow.utilities.tasks import tags

    flow = _open_flow("switch")
    if not isinstance(cases, Mapping):
        raise TypeError(
            f"switch takes its branches as a dict, found {cases!r}{user_location()}. Write {{value: task, ...}}."
        )
    with tags("switch"):
        for value, branch in cases.items():
            if branch is None:
                continue
            compare = CompareValue(value=value).bind(value=condition, mapped=mapped, flow=flow)
            flow.set_dependencies(branch, upstream_tasks=[compare], mapped=mapped)


def ifelse(condition: Any, true_task: Any, false_task: Any, mapped: bool = False) -> None:
    """
    Run one task when the condition is truthy and another when it is not.

    Args:
        condition: a task or value.
        true_task: a task, or ``None`` for nothing.
        false_task: a task, or ``None`` for nothing.
        mapped: branch item by item.
    """
    flow = _open_flow("ifelse")
    truth = FunctionTask(_as_bool, name="as_bool").bind(x=condition, mapped=mapped, flow=flow)
    switch(truth, {True: true_task, False: false_task}, mapped=mapped)


def merge(*tasks: Any, flow: Flow | None = None, mapped: bool = False, **task_kwargs: Any) -> Task:
    """
    Bring branches together: the result is that of the first branch that ran and returned something.

    Args:
        *tasks: the ends of the branches, in order of preference.
        mapped: merge item by item.
        **task_kwargs: attributes of the merging task.

    Raises:
        ValueError: for ``skip_on_upstream_skip=True``.
    """
    branches = {f"task_{number}": task for number, task in enumerate(tasks, 1)}
    task_kwargs.setdefault("name", "Merge")
    return Merge(**task_kwargs).bind(**branches, mapped=mapped, flow=flow)
