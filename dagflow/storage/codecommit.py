"""Flows as scripts on AWS CodeCommit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagflow.storage._later import RepositoryStorage

__all__ = ["CodeCommit"]


class CodeCommit(RepositoryStorage):
    """
    Name a script in a CodeCommit repository.

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
