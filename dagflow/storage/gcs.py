"""Flows in Google Cloud Storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.storage._objects import ObjectStorage

if TYPE_CHECKING:
    from dagflow.engine.results._object_store import ObjectStoreResult

__all__ = ["GCS"]


class GCS(ObjectStorage):
    """
    Keep flows as objects of a Google Cloud Storage bucket; needs the ``gcs`` extra when it is used.

    Args:
        bucket: the bucket.
        key: the object's key; default is made from the flow's name and the time.
        project: the project that is billed.
        stored_as_script: keep the script rather than a pickle.
        local_script_path: the script to upload; without it, *key* must be the script.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    >>> GCS("bucket").bucket
    'bucket'
    """

    _fields = ("bucket", "key", "project", "stored_as_script")

    def __init__(
        self,
        bucket: str,
        key: str | None = None,
        project: str | None = None,
        stored_as_script: bool = False,
        local_script_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("result") is None:
            from dagflow.engine.results.gcs import GCSResult

            kwargs["result"] = GCSResult(bucket)
        super().__init__(stored_as_script=stored_as_script, **kwargs)
        self.bucket = bucket
        self.key = key
        self.project = project
        self.local_script_path = local_script_path

    def _store(self) -> ObjectStoreResult:
        from dagflow.engine.results.gcs import GCSResult

        project = self.project

        class Store(GCSResult):
            """A result store in the project given."""

            def _options(self) -> dict[str, Any]:
                return {**super()._options(), **({} if project is None else {"project": project})}

        return Store(self.bucket)
