"""The classes the configuration names for running flows, tasks and executors."""

from __future__ import annotations

import warnings
from typing import Any

from dagflow.configuration import config
from dagflow.utilities.importtools import import_object

__all__ = ["get_default_executor_class", "get_default_flow_runner_class", "get_default_task_runner_class"]


def get_default_executor_class() -> type:
    """Return the class that ``config.engine.executor.default_class`` names; by default ``LocalExecutor``."""
    from dagflow.executors.local import LocalExecutor

    return _named(config.engine.executor.default_class, LocalExecutor)


def get_default_flow_runner_class() -> type:
    """Return the class that ``config.engine.flow_runner.default_class`` names; by default ``FlowRunner``."""
    from dagflow.engine.flow_runner import FlowRunner

    return _named(config.engine.flow_runner.default_class, FlowRunner)


def get_default_task_runner_class() -> type:
    """Return the class that ``config.engine.task_runner.default_class`` names; by default ``TaskRunner``."""
    from dagflow.engine.task_runner import TaskRunner

    return _named(config.engine.task_runner.default_class, TaskRunner)


def _named(name: Any, default: type) -> type:
    if isinstance(name, type):
        return name
    if name in (f"{default.__module__}.{default.__name__}", f"dagflow.executors.{default.__name__}"):
        return default
    try:
        found: type = import_object(name)
        return found
    except (ImportError, AttributeError, ValueError) as error:
        warnings.warn(
            f"The configuration names {name!r}, which cannot be imported ({error}); {default.__name__} is used.",
            stacklevel=3,
        )
        return default
