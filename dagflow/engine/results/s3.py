"""Results in Amazon S3 or any store that speaks its protocol."""

from __future__ import annotations

from typing import Any

from dagflow.engine.results._object_store import ObjectStoreResult, secret_from_context

__all__ = ["S3Result"]

# boto3's names for what s3fs takes by other names.
_RENAMED = {
    "aws_access_key_id": "key",
    "aws_secret_access_key": "secret",
    "aws_session_token": "token",
    "endpoint_url": "endpoint_url",
    "use_ssl": "use_ssl",
    "profile_name": "profile",
}


class S3Result(ObjectStoreResult):
    """
    Keep results as objects of an S3 bucket.

    *boto3_kwargs* are what `boto3.client` takes: `endpoint_url`, `aws_access_key_id`, `region_name` and so on.
    Without a key there, a secret `AWS_CREDENTIALS` in the run's context is used (`ACCESS_KEY`, `SECRET_ACCESS_KEY`,
    `SESSION_TOKEN`), else whatever AWS finds in the environment. Needs the `s3` extra.

    >>> S3Result("bucket", location="{task_name}.pkl").bucket
    'bucket'
    """

    protocol, package, extra = "s3", "s3fs", "s3"

    def __init__(self, bucket: str, boto3_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self.bucket = bucket
        self.boto3_kwargs = dict(boto3_kwargs or {})
        super().__init__(**kwargs)

    @property
    def root(self) -> str:
        """Name of the bucket."""
        return self.bucket

    def _options(self) -> dict[str, Any]:
        given = dict(self.boto3_kwargs)
        if "aws_access_key_id" not in given:
            secret = secret_from_context("AWS_CREDENTIALS")
            if secret:
                given["aws_access_key_id"] = secret.get("ACCESS_KEY")
                given["aws_secret_access_key"] = secret.get("SECRET_ACCESS_KEY")
                given["aws_session_token"] = secret.get("SESSION_TOKEN")
        options = {_RENAMED[name]: given.pop(name) for name in list(given) if name in _RENAMED}
        return {**options, "client_kwargs": given}
