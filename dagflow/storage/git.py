"""Flows as scripts in any git repository."""

from __future__ import annotations

from typing import Any

from dagflow.storage._later import RepositoryStorage

__all__ = ["Git"]


class Git(RepositoryStorage):
    """
    Name a script in a git repository.

    Args:
        flow_path: the script in the repository.
        repo: such as ``"owner/name"``.
        repo_host: the host of the repository.
        flow_name: the flow's name, when the script holds several.
        git_token_secret_name: the secret that holds an access token.
        git_token_username: the user the token belongs to; default the owner of the repository.
        git_clone_url_secret_name: the secret that holds the whole URL; it wins over all other parts of it.
        branch_name: the branch to take; at most one of branch, tag and commit.
        tag: the tag to take.
        commit: the commit to take.
        clone_depth: how much history to fetch.
        use_ssh: clone over ssh.
        format_access_token: put the user's name before the token.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    Raises:
        ValueError: for more than one of branch, tag and commit, and without a repository.

    >>> Git("flow.py", repo="me/flows", tag="v1").path
    'flow.py'
    """

    _fields = (
        "flow_path",
        "repo",
        "repo_host",
        "flow_name",
        "git_token_secret_name",
        "git_token_username",
        "git_clone_url_secret_name",
        "branch_name",
        "tag",
        "commit",
        "clone_depth",
        "use_ssh",
        "format_access_token",
    )

    def __init__(
        self,
        flow_path: str,
        repo: str | None = None,
        repo_host: str = "github.com",
        flow_name: str | None = None,
        git_token_secret_name: str | None = None,
        git_token_username: str | None = None,
        git_clone_url_secret_name: str | None = None,
        branch_name: str | None = None,
        tag: str | None = None,
        commit: str | None = None,
        clone_depth: int = 1,
        use_ssh: bool = False,
        format_access_token: bool = True,
        **kwargs: Any,
    ) -> None:
        chosen = {name: one for name, one in (("branch_name", branch_name), ("tag", tag), ("commit", commit)) if one}
        if len(chosen) > 1:
            raise ValueError(f"Git storage takes one of branch_name, tag and commit; found {' and '.join(chosen)}.")
        if not repo and not git_clone_url_secret_name:
            raise ValueError("Git storage needs repo, such as 'owner/name', or git_clone_url_secret_name.")
        super().__init__(stored_as_script=True, **kwargs)
        self.flow_path = flow_path
        self.repo = repo
        self.repo_host = repo_host
        self.flow_name = flow_name
        self.git_token_secret_name = git_token_secret_name
        self.git_token_username = git_token_username
        self.git_clone_url_secret_name = git_clone_url_secret_name
        self.branch_name = branch_name
        self.tag = tag
        self.commit = commit
        self.clone_depth = clone_depth
        self.use_ssh = use_ssh
        self.format_access_token = format_access_token

    @property
    def path(self) -> str:  # type: ignore[override]
        """The script, under the name that all repository storages use."""
        return self.flow_path
