"""Flows in modules that are installed wherever flows run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.storage._script import flow_from_module
from dagflow.storage.base import Storage

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["Module"]


class Module(Storage):
    """
    Import flows.

    Args:
        module: ``package.module``, or ``package.module:attribute`` for one flow or a function that returns one.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    >>> Module("company.flows").module
    'company.flows'
    """

    _fields = ("module",)

    def __init__(self, module: str, **kwargs: Any) -> None:
        kwargs.pop("stored_as_script", None)
        super().__init__(stored_as_script=True, **kwargs)
        self.module = module

    def _put(self, flow: Flow) -> str:
        return self.module

    def _load(self, flow_name: str, location: str) -> Flow:
        return flow_from_module(location, flow_name)
