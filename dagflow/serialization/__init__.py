"""
What crosses the wire: flows, tasks, states, results, schedules, storages and run configs as JSON-ready data.

Each noun has a module with a ``serialize_…`` and a ``deserialize_…`` function. Documents are built by hand, because
that is several times quicker than through models; what comes from outside is checked by the pydantic models of
:mod:`dagflow.serialization.models` before anything is made of it. Every document carries ``__version__``, the version
of dagflow that wrote it; fields a reader does not know are passed over, so newer writers and older readers get along.

Code and values never travel: neither task functions, nor constants, nor results.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "deserialize_flow",
    "deserialize_result",
    "deserialize_run_config",
    "deserialize_schedule",
    "deserialize_state",
    "deserialize_storage",
    "serialize_environment",
    "serialize_flow",
    "serialize_result",
    "serialize_run_config",
    "serialize_schedule",
    "serialize_state",
    "serialize_storage",
    "serialize_task",
    "serialized_hash",
]

_HOMES = {"serialized_hash": "flow"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = _HOMES.get(name) or name.partition("_")[2]
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
