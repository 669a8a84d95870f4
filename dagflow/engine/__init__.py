"""Running flows: states and signals, the plan, the progress machine, attempts and the loop between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagflow.engine.defaults import get_default_executor_class as get_default_executor_class
    from dagflow.engine.defaults import get_default_flow_runner_class as get_default_flow_runner_class
    from dagflow.engine.defaults import get_default_task_runner_class as get_default_task_runner_class
    from dagflow.engine.flow_runner import FlowRunner as FlowRunner
    from dagflow.engine.task_runner import TaskRunner as TaskRunner

_NAMES = {
    "FlowRunner": "flow_runner",
    "TaskRunner": "task_runner",
    "get_default_executor_class": "defaults",
    "get_default_flow_runner_class": "defaults",
    "get_default_task_runner_class": "defaults",
}

__all__ = [
    "FlowRunner",
    "TaskRunner",
    "get_default_executor_class",
    "get_default_flow_runner_class",
    "get_default_task_runner_class",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _NAMES:
        return getattr(import_module(f"dagflow.engine.{_NAMES[name]}"), name)
    try:
        return import_module(f"dagflow.engine.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"dagflow.engine.{name}":
            raise
        raise AttributeError(f"dagflow.engine has no {name!r}.") from None
