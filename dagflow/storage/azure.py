"""Flows in Azure Blob Storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.exceptions import FlowStorageError
from dagflow.storage._objects import ObjectStorage

if TYPE_CHECKING:
    from dagflow.engine.results._object_store import ObjectStoreResult

__all__ = ["Azure"]


class Azure(ObjectStorage):
    """
    Keep flows as blobs of an Azure container; needs the ``azure`` extra when it is used.

    Args:
        container: the container.
        connection_string_secret: the secret that holds the connection string; default is the environment variable
            ``AZURE_STORAGE_CONNECTION_STRING``.
        blob_name: the blob; default is made from the flow's name and the time.
        overwrite: replace a blob that is there already.
        stored_as_script: keep the script rather than a pickle.
        local_script_path: the script to upload; without it, *blob_name* must be the script.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    >>> Azure("container").container
    'container'
    """

    _fields = ("container", "connection_string_secret", "blob_name", "stored_as_script")

    def __init__(
        self,
        container: str,
        connection_string_secret: str | None = None,
        blob_name: str | None = None,
        overwrite: bool = False,
        stored_as_script: bool = False,
        local_script_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("result") is None:
            from dagflow.engine.results.azure import AzureResult

            kwargs["result"] = AzureResult(container, connection_string_secret=connection_string_secret)
        super().__init__(stored_as_script=stored_as_script, **kwargs)
        self.container = container
        self.connection_string_secret = connection_string_secret
        self.blob_name = blob_name
        self.overwrite = overwrite
        self.local_script_path = local_script_path

    @property
    def key(self) -> str | None:  # type: ignore[override]
        """The blob's name, under the name that all object storages use."""
        return self.blob_name

    def _store(self) -> ObjectStoreResult:
        from dagflow.engine.results.azure import AzureResult

        return AzureResult(self.container, connection_string_secret=self.connection_string_secret)

    def _upload(self, store: ObjectStoreResult, location: str, data: bytes) -> None:
        if not self.overwrite and store._present(location):
            raise FlowStorageError(
                f"There is a blob at {store._describe(location)} already. Choose another blob_name, or let it be "
                "replaced: Azure(..., overwrite=True)."
            )
        super()._upload(store, location, data)
