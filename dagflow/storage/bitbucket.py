"""Flows as scripts on Bitbucket, the cloud and the server."""

from __future__ import annotations

from typing import Any

from dagflow.storage._later import RepositoryStorage

__all__ = ["Bitbucket"]


class Bitbucket(RepositoryStorage):
    """
    Name a script in a Bitbucket repository.

    Args:
        project: the project's key.
        repo: the repository.
        workspace: the workspace on Bitbucket Cloud; without it the repository is on a server of your own.
        host: that server.
        path: the script in the repository.
        ref: a branch, tag or commit.
        access_token_secret: the secret that holds a token for the server; not together with *workspace*.
        cloud_username_secret: the secret that holds the user's name in the cloud.
        cloud_app_password_secret: the secret that holds an app password in the cloud.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    Raises:
        ValueError: for a workspace together with an access token.

    >>> Bitbucket("PRO", "flows", path="flow.py").path
    'flow.py'
    """

    _fields = (
        "project",
        "repo",
        "workspace",
        "host",
        "path",
        "ref",
        "access_token_secret",
        "cloud_username_secret",
        "cloud_app_password_secret",
    )

    def __init__(
        self,
        project: str,
        repo: str,
        workspace: str | None = None,
        host: str | None = None,
        path: str | None = None,
        ref: str | None = None,
        access_token_secret: str | None = None,
        cloud_username_secret: str | None = None,
        cloud_app_password_secret: str | None = None,
        **kwargs: Any,
    ) -> None:
        if workspace and access_token_secret:
            raise ValueError(
                "Bitbucket storage takes workspace, for the cloud, or access_token_secret, for a server; found both. "
                "The cloud takes cloud_username_secret and cloud_app_password_secret."
            )
        super().__init__(stored_as_script=True, **kwargs)
        self.project = project
        self.repo = repo
        self.workspace = workspace
        self.host = host
        self.path = path
        self.ref = ref
        self.access_token_secret = access_token_secret
        self.cloud_username_secret = cloud_username_secret
        self.cloud_app_password_secret = cloud_app_password_secret
