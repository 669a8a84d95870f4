"""Views of what a server knows, and what a run under a server needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagflow.backend.agents_check import check_for_compatible_agents as check_for_compatible_agents
    from dagflow.backend.flow import FlowView as FlowView
    from dagflow.backend.flow_run import FlowRunLog as FlowRunLog
    from dagflow.backend.flow_run import FlowRunView as FlowRunView
    from dagflow.backend.kv_store import (
        delete_key as delete_key,
    )
    from dagflow.backend.kv_store import (
        get_key_value as get_key_value,
    )
    from dagflow.backend.kv_store import (
        list_keys as list_keys,
    )
    from dagflow.backend.kv_store import (
        set_key_value as set_key_value,
    )
    from dagflow.backend.task_run import TaskRunView as TaskRunView
    from dagflow.backend.watch import stream_flow_run_logs as stream_flow_run_logs
    from dagflow.backend.watch import watch_flow_run as watch_flow_run

_HOMES = {
    "FlowRunLog": "flow_run",
    "FlowRunView": "flow_run",
    "FlowView": "flow",
    "TaskRunView": "task_run",
    "check_for_compatible_agents": "agents_check",
    "delete_key": "kv_store",
    "get_key_value": "kv_store",
    "list_keys": "kv_store",
    "set_key_value": "kv_store",
    "stream_flow_run_logs": "watch",
    "watch_flow_run": "watch",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    from dagflow.utilities.importtools import submodule

    if name not in _HOMES:
        return submodule(__name__, name)
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
