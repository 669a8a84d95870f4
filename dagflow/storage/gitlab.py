"""Flows as scripts on GitLab."""

from __future__ import annotations

from typing import Any

from dagflow.storage._later import RepositoryStorage

__all__ = ["GitLab"]


class GitLab(RepositoryStorage):
    """
    Name a script in a GitLab repository.

    Args:
        repo: such as ``"group/name"``.
        host: the GitLab server; default gitlab.com.
        path: the script in the repository.
        ref: a branch, tag or commit; default the project's default branch.
        access_token_secret: the secret that holds an access token.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    >>> GitLab("me/flows", path="flow.py").path
    'flow.py'
    """

    _fields = ("repo", "host", "path", "ref", "access_token_secret")

    def __init__(
        self,
        repo: str,
        host: str | None = None,
        path: str | None = None,
        ref: str | None = None,
        access_token_secret: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(stored_as_script=True, **kwargs)
        self.repo = repo
        self.host = host
        self.path = path
        self.ref = ref
        self.access_token_secret = access_token_secret
