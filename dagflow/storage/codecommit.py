"""Flows as scripts on AWS CodeCommit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.exceptions import FlowStorageError
from dagflow.storage._repository import RepositoryStorage, checked_path, checked_ref

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["CodeCommit"]

TIMEOUT_SECONDS = 20
MISSING = {
    "RepositoryDoesNotExistException": "there is no such repository in this account and region",
    "FileDoesNotExistException": "the repository has no such file at this commit",
    "CommitDoesNotExistException": "the repository has no such commit",
    "InvalidCommitException": "the repository has no such branch, tag or commit",
    "PathDoesNotExistException": "the repository has no such file at this commit",
}
"""What CodeCommit's errors mean to somebody who looks for a flow."""


class CodeCommit(RepositoryStorage):
    """
    Fetch a script from a CodeCommit repository; needs the ``s3`` extra, which brings the client, when it is used.

    Args:
        repo: the repository.
        path: the script in it.
        commit: a branch, tag or commit; default the repository's default branch.
        client_options: what ``boto3.client`` takes; no credentials, because it is serialized.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    >>> CodeCommit("flows", path="flow.py").path
    'flow.py'
    """

    _fields = ("repo", "path", "commit", "client_options")

    def __init__(
        self,
        repo: str,
        path: str | None = None,
        commit: str | None = None,
        client_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(stored_as_script=True, **kwargs)
        self.repo = repo
        self.path = path
        self.commit = commit
        self.client_options = None if client_options is None else dict(client_options)

    def _load(self, flow_name: str, location: str) -> Flow:
        path = checked_path(location)
        request = {"repositoryName": self.repo, "filePath": path}
        if self.commit is not None:
            request["commitSpecifier"] = checked_ref(self.commit)
        found = self._ask(request, flow_name)
        commit, data = str(found["commitId"]), bytes(found["fileContent"])
        self.logger.info("Flow %r: %s of %s at commit %s.", flow_name, path, self.repo, commit)
        return self._open(data, flow_name, f"{path} of {self.repo} at {commit[:12]}")

    def _ask(self, request: Mapping[str, str], flow_name: str) -> Mapping[str, Any]:
        client = self._client()
        # After the client, which explains what to install.
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found: Mapping[str, Any] = client.get_file(**request)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise self._explained(flow_name, request, MISSING.get(code, str(error)), error) from error
        except BotoCoreError as error:
            raise self._explained(flow_name, request, str(error), error) from error
        return found

    def _client(self) -> Any:
        from dagflow.engine.results._object_store import secret_from_context

        try:
            from botocore.config import Config
            from botocore.session import get_session
        except ImportError as error:
            raise ImportError(
                "CodeCommit storage needs botocore, which is not installed: run pip install '.[s3]' in the checkout "
                "of dagflow."
            ) from error
        options: dict[str, Any] = {**(self.client_options or {})}
        secret = secret_from_context("AWS_CREDENTIALS")
        if secret and "aws_access_key_id" not in options:
            options["aws_access_key_id"] = secret.get("ACCESS_KEY")
            options["aws_secret_access_key"] = secret.get("SECRET_ACCESS_KEY")
            options["aws_session_token"] = secret.get("SESSION_TOKEN")
        options.setdefault(
            "config",
            Config(connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries={"mode": "standard"}),
        )
        return get_session().create_client("codecommit", **options)

    def _explained(self, flow_name: str, request: Mapping[str, str], why: str, error: Exception) -> FlowStorageError:
        at = request.get("commitSpecifier", "its default branch")
        message = (
            f"Flow {flow_name!r} cannot be fetched from CodeCommit: {request['filePath']!r} of {self.repo!r} at {at}: "
            f"{why.rstrip('.')} ({type(error).__name__}). Check repo, path, commit, the region and the credentials."
        )
        self.logger.error(message)
        return FlowStorageError(message)
