"""
Flows in object stores, over fsspec.

How to reach a store is known to the result class of the same store, so the storage borrows one to move its bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagflow.exceptions import FlowStorageError
from dagflow.storage._script import default_key, flow_to_bytes_pickle, read_script, script_path
from dagflow.storage.base import Storage

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.engine.results._object_store import ObjectStoreResult

__all__ = ["ObjectStorage"]


class ObjectStorage(Storage):
    """Base of the storages whose locations are keys in a bucket."""

    key: str | None
    local_script_path: str | None

    def _store(self) -> ObjectStoreResult:
        """Return what moves bytes to and from the bucket."""
        raise NotImplementedError

    def _put(self, flow: Flow) -> str:
        if self.stored_as_script and not self.key and not script_path(self.local_script_path):
            raise ValueError(
                f"Flow {flow.name!r} is to be stored as a script, but {type(self).__name__} storage has no key, which "
                "says where the script is, and no local_script_path to upload. Give one of them."
            )
        return self.key or default_key(flow)

    def _build(self) -> None:
        store = self._store()
        for name, flow in self._flows.items():
            data = self._data_of(flow)
            if data is not None:
                self._upload(store, self.flows[name], data)
                self._note_digest(name, data)
                self.logger.info("Uploaded flow %r to %s.", name, store._describe(self.flows[name]))

    def _data_of(self, flow: Flow) -> bytes | None:
        """Return what to upload, ``None`` when the script is there already."""
        if not self.stored_as_script:
            return flow_to_bytes_pickle(flow)
        path = script_path(self.local_script_path)
        return None if path is None else read_script(path)

    def _upload(self, store: ObjectStoreResult, location: str, data: bytes) -> None:
        store._store(location, data)

    def _load(self, flow_name: str, location: str) -> Flow:
        store = self._store()
        self.logger.info("Downloading flow %r from %s.", flow_name, store._describe(location))
        try:
            data = self._download(store, location)
        except FileNotFoundError as error:
            raise FlowStorageError(
                f"Flow {flow_name!r} is not at {store._describe(location)}: no such object or bucket. Build the "
                "storage again, and check that this machine looks into the same account."
            ) from error
        return self._open(data, flow_name, store._describe(location).strip("'"))

    def _download(self, store: ObjectStoreResult, location: str) -> bytes:
        return store._load(location)
