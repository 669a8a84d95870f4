"""Storages that can be described in this version, and will do their work in a later one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagflow.exceptions import FlowStorageError
from dagflow.storage.base import Storage

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["RepositoryStorage", "not_yet"]


def not_yet(kind: str, verb: str) -> FlowStorageError:
    """Return the error for work that a later version does."""
    return FlowStorageError(
        f"{verb} with {kind} storage is not part of this version of dagflow; it comes with the backend. "
        "Use Local, Module, S3, GCS, Azure or Webhook storage until then."
    )


class RepositoryStorage(Storage):
    """Base of the storages that name a script in a repository; there is nothing to upload."""

    path: str | None

    def _put(self, flow: Flow) -> str:
        if not self.path:
            raise ValueError(
                f"Flow {flow.name!r} cannot be added: {type(self).__name__} storage needs the path of its script "
                "in the repository."
            )
        return self.path

    def _load(self, flow_name: str, location: str) -> Flow:
        raise not_yet(type(self).__name__, f"Loading flow {flow_name!r}")
