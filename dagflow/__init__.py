"""
dagflow: write a flow of tasks, run it anywhere.

Everything here is loaded on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow._version import __version__ as __version__

if TYPE_CHECKING:
    from dagflow import (
        agent as agent,
        artifacts as artifacts,
        backend as backend,
        client as client,
        core as core,
        engine as engine,
        environments as environments,
        executors as executors,
        run_configs as run_configs,
        schedules as schedules,
        serialization as serialization,
        storage as storage,
        tasks as tasks,
        runtime as runtime,
        triggers as triggers,
        utilities as utilities,
        variables as variables,
    )
    from dagflow.client import Client as Client
    from dagflow.configuration import config as config
    from dagflow.core.annotations import flatten as flatten, mapped as mapped, unmapped as unmapped
    from dagflow.core.flow import Flow as Flow
    from dagflow.core.parameter import Parameter as Parameter
    from dagflow.core.task import Task as Task
    from dagflow.core.traced import flow as flow
    from dagflow.tasks.control_flow.case import case as case
    from dagflow.tasks.core.resource_manager import resource_manager as resource_manager
    from dagflow.engine.cache_policies import task_input_hash as task_input_hash
    from dagflow.utilities.context import context as context
    from dagflow.utilities.run_logger import (
        disable_run_logger as disable_run_logger,
        get_run_logger as get_run_logger,
    )
    from dagflow.utilities.tasks import apply_map as apply_map, tags as tags, task as task

_NAMES = {
    "Client": "client",
    "Flow": "core.flow",
    "Parameter": "core.parameter",
    "Task": "core.task",
    "apply_map": "core.apply_map",
    "case": "tasks.control_flow.case",
    "config": "configuration",
    "context": "utilities.context",
    "disable_run_logger": "utilities.run_logger",
    "flatten": "core.annotations",
    "flow": "core.traced",
    "get_run_logger": "utilities.run_logger",
    "mapped": "core.annotations",
    "resource_manager": "tasks.core.resource_manager",
    "tags": "utilities.tasks",
    "task": "utilities.tasks",
    "task_input_hash": "engine.cache_policies",
    "unmapped": "core.annotations",
}
_MODULES = (
    "agent", "artifacts", "backend", "client", "core", "engine", "environments", "executors", "run_configs",
    "runtime", "schedules", "serialization", "storage", "tasks", "triggers", "utilities", "variables",
)  # fmt: skip

__all__ = ["__version__", *_NAMES, *_MODULES]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _NAMES:
        value = getattr(import_module(f"dagflow.{_NAMES[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"dagflow.{name}")
    else:
        from dagflow.core.advice import ROOT_NAMES

        if name in ROOT_NAMES:
            # Not an AttributeError: `from dagflow import ...` would put a sentence of its own in the place of this one.
            raise ImportError(f"dagflow has no {name!r}. {ROOT_NAMES[name]}")
        from difflib import get_close_matches

        near = get_close_matches(name, __all__, n=1)
        raise AttributeError(f"dagflow has no {name!r}" + (f"; did you mean {near[0]!r}?" if near else "."))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
