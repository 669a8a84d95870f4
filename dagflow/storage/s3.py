"""Flows in Amazon S3, or any store that speaks its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.storage._objects import ObjectStorage

if TYPE_CHECKING:
    from dagflow.engine.results._object_store import ObjectStoreResult

__all__ = ["S3"]


class S3(ObjectStorage):
    """
    Keep flows as objects of an S3 bucket; needs the ``s3`` extra when it is used.

    Args:
        bucket: the bucket.
        key: the object's key; default is made from the flow's name and the time.
        stored_as_script: keep the script rather than a pickle.
        local_script_path: the script to upload; without it, *key* must be the script.
        client_options: what ``boto3.client`` takes, such as ``endpoint_url``; no credentials, because it is serialized.
        upload_options: what S3's *put object* takes, such as ``ServerSideEncryption``.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    >>> S3("bucket", key="flows/etl").key
    'flows/etl'
    """

    _fields = ("bucket", "key", "stored_as_script", "client_options")

    def __init__(
        self,
        bucket: str,
        key: str | None = None,
        stored_as_script: bool = False,
        local_script_path: str | None = None,
        client_options: Mapping[str, Any] | None = None,
        upload_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("result") is None:
            from dagflow.engine.results.s3 import S3Result

            kwargs["result"] = S3Result(bucket)
        super().__init__(stored_as_script=stored_as_script, **kwargs)
        self.bucket = bucket
        self.key = key
        self.local_script_path = local_script_path
        self.client_options = None if client_options is None else dict(client_options)
        self.upload_options = None if upload_options is None else dict(upload_options)

    def _store(self) -> ObjectStoreResult:
        from dagflow.engine.results.s3 import S3Result

        return S3Result(self.bucket, boto3_kwargs=self.client_options)

    def _upload(self, store: ObjectStoreResult, location: str, data: bytes) -> None:
        with store._explaining("write", location):
            store.client.pipe_file(store._path(location), data, **(self.upload_options or {}))

    def _download(self, store: ObjectStoreResult, location: str) -> bytes:
        data = super()._download(store, location)
        facts = store.client.info(store._path(location))
        self.logger.info(
            "Flow object: ETag %s, last modified %s, version %s.",
            facts.get("ETag"),
            facts.get("LastModified"),
            facts.get("VersionId"),
        )
        return data
