"""Results in Google Cloud Storage."""

from __future__ import annotations

import os
from typing import Any

from dagflow.engine.results._object_store import ObjectStoreResult, secret_from_context

__all__ = ["GCSResult"]


class GCSResult(ObjectStoreResult):
    """
    Keep results as objects of a Google Cloud Storage bucket.

    Credentials come from a secret `GCP_CREDENTIALS` in the run's context, else from Google's default places. With
    `STORAGE_EMULATOR_HOST` in the environment an emulator is used, without credentials. Needs the `gcs` extra.

    >>> GCSResult("bucket", location="{task_name}.pkl").bucket
    'bucket'
    """

    protocol, package, extra = "gcs", "gcsfs", "gcs"

    def __init__(self, bucket: str | None = None, **kwargs: Any) -> None:
        self.bucket = bucket
        super().__init__(**kwargs)

    @property
    def root(self) -> str:
        """Name of the bucket."""
        if not self.bucket:
            raise ValueError("This GCSResult has no bucket; say GCSResult(bucket='...').")
        return self.bucket

    def _client_class(self) -> Any:
        # Not the class that fsspec would choose: that one asks every bucket by gRPC whether it is zonal or
        # hierarchical, which emulators cannot answer and results do not need.
        from gcsfs.core import GCSFileSystem

        return GCSFileSystem

    def _options(self) -> dict[str, Any]:
        if os.environ.get("STORAGE_EMULATOR_HOST"):
            return {"token": "anon", "endpoint_url": os.environ["STORAGE_EMULATOR_HOST"]}
        credentials = secret_from_context("GCP_CREDENTIALS")
        return {"token": credentials} if credentials else {}
