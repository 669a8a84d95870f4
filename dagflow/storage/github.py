"""Flows as scripts on GitHub."""

from __future__ import annotations

from typing import Any

from dagflow.storage._later import RepositoryStorage

__all__ = ["GitHub"]


class GitHub(RepositoryStorage):
    """
    Name a script in a GitHub repository.

    Args:
        repo: such as ``"owner/name"``.
        path: the script in the repository.
        ref: a branch, tag or commit; default the repository's default branch.
        access_token_secret: the secret that holds an access token.
        base_url: the API of a GitHub of your own.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    >>> GitHub("me/flows", "flow.py").path
    'flow.py'
    """

    _fields = ("repo", "path", "ref", "access_token_secret", "base_url")

    def __init__(
        self,
        repo: str,
        path: str,
        ref: str | None = None,
        access_token_secret: str | None = None,
        base_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(stored_as_script=True, **kwargs)
        self.repo = repo
        self.path = path
        self.ref = ref
        self.access_token_secret = access_token_secret
        self.base_url = base_url
