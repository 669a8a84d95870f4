"""Where tasks run: in the script, on threads, in processes, on a Dask cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.executors.base import Executor

if TYPE_CHECKING:
    from dagflow.executors.dask import DaskExecutor as DaskExecutor
    from dagflow.executors.local import LocalExecutor as LocalExecutor
    from dagflow.executors.local_dask import LocalDaskExecutor as LocalDaskExecutor

__all__ = ["DaskExecutor", "Executor", "LocalDaskExecutor", "LocalExecutor"]

_PLACES = {"DaskExecutor": "dask", "LocalExecutor": "local", "LocalDaskExecutor": "local_dask"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _PLACES:
        raise AttributeError(f"dagflow.executors has no {name!r}.")
    return getattr(import_module(f"dagflow.executors.{_PLACES[name]}"), name)
