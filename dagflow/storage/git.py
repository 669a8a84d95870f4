"""Flows as scripts in any git repository."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dagflow.exceptions import FlowStorageError
from dagflow.storage._git import Remote, Wanted, check_out, parse_remote
from dagflow.storage._repository import RepositoryStorage, checked_path, checked_ref, secret_text
from dagflow.storage._script import flow_from_script

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["Git"]

DEFAULT_HOST = "github.com"


class Git(RepositoryStorage):
    """
    Clone a git repository and run a script of it; needs the ``git`` extra when it is used.

    The clone stays until the process ends, so the script may import and read what lies beside it, while its tasks run
    as well. Tokens are masked in whatever is logged or raised.

    Args:
        flow_path: the script in the repository.
        repo: such as ``"owner/name"``.
        repo_host: the host of the repository.
        flow_name: the flow's name, when the script holds several; adding another one is refused.
        git_token_secret_name: the secret that holds an access token.
        git_token_username: the user the token belongs to; default the owner of the repository.
        git_clone_url_secret_name: the secret that holds the whole URL; it wins over all other parts of it.
        branch_name: the branch to take; at most one of branch, tag and commit.
        tag: the tag to take.
        commit: the commit to take.
        clone_depth: how many commits of the history to fetch.
        use_ssh: clone over ssh.
        format_access_token: put the user's name before the token; else the secret stands in the address as it is.
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
        repo_host: str = DEFAULT_HOST,
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
        if isinstance(clone_depth, bool) or not isinstance(clone_depth, int) or clone_depth < 1:
            raise ValueError(f"Git storage takes a clone_depth of 1 or more; found {clone_depth!r}.")
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
        self._warn_of_overridden()

    @property
    def path(self) -> str:  # type: ignore[override]
        """The script, under the name that all repository storages use."""
        return self.flow_path

    def _warn_of_overridden(self) -> None:
        given = {
            "repo": self.repo,
            "repo_host": self.repo_host != DEFAULT_HOST,
            "git_token_secret_name": self.git_token_secret_name,
            "git_token_username": self.git_token_username,
            "use_ssh": self.use_ssh,
            "format_access_token": not self.format_access_token,
        }
        names = [name for name, one in given.items() if one]
        if self.git_clone_url_secret_name and names:
            import warnings

            warnings.warn(
                f"Git storage takes the whole address from the secret {self.git_clone_url_secret_name!r}, so "
                f"{', '.join(names)} will be passed over; leave them out.",
                stacklevel=3,
            )

    def _put(self, flow: Flow) -> str:
        if self.flow_name and flow.name != self.flow_name:
            raise ValueError(
                f"Flow {flow.name!r} cannot be added: Git storage was made with flow_name={self.flow_name!r}."
            )
        return super()._put(flow)

    # --- address ---------------------------------------------------------------------------------------------

    def clone_url(self) -> str:
        """
        Return the address that is cloned, the token in it and all: not for messages.

        >>> Git("flow.py", repo="me/flows").clone_url()
        'https://github.com/me/flows.git'
        >>> Git("flow.py", repo="me/flows", use_ssh=True).clone_url()
        'git@github.com:me/flows.git'

        Raises:
            FlowStorageError: when a secret is not known, or host and repository cannot be parts of an address.
        """
        if self.git_clone_url_secret_name:
            return secret_text(self.git_clone_url_secret_name)
        repo = self._checked_repo()
        if self.use_ssh:
            # A port has no place in the short form.
            return f"ssh://git@{self.repo_host}/{repo}" if ":" in self.repo_host else f"git@{self.repo_host}:{repo}"
        return f"https://{self._credentials(repo)}{self.repo_host}/{quote(repo)}"

    def _checked_repo(self) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?", self.repo_host):
            raise FlowStorageError(f"repo_host is {self.repo_host!r}; expected a host such as 'github.com'.")
        repo = checked_path((self.repo or "").removesuffix(".git"))
        if repo.startswith("-"):
            raise FlowStorageError(f"repo is {self.repo!r}; expected a repository such as 'owner/name'.")
        return f"{repo}.git"

    def _credentials(self, repo: str) -> str:
        if not self.git_token_secret_name:
            return ""
        token = secret_text(self.git_token_secret_name)
        if not self.format_access_token:
            return ":".join(quote(part, safe="") for part in token.split(":", 1)) + "@"
        user = self.git_token_username or repo.split("/")[0]
        return f"{quote(user, safe='')}:{quote(token, safe='')}@"

    def _wanted(self) -> Wanted:
        for kind, name in (("branch", self.branch_name), ("tag", self.tag), ("commit", self.commit)):
            if name:
                return Wanted(kind, checked_ref(name))
        return Wanted()

    # --- loading ---------------------------------------------------------------------------------------------

    def _load(self, flow_name: str, location: str) -> Flow:
        path, wanted, remote = checked_path(location), self._wanted(), parse_remote(self.clone_url())
        folder = _folder_until_exit()
        self.logger.info("Cloning %s at %s.", remote.url, wanted)
        commit = check_out(remote, wanted, self.clone_depth, folder)
        self.logger.info("Flow %r: %s of %s at commit %s.", flow_name, path, remote.url, commit)
        return _flow_in(folder, path, flow_name, remote, commit)


def _flow_in(folder: str, path: str, flow_name: str, remote: Remote, commit: str) -> Flow:
    import sys

    where = f"{path} of {remote.url} at {commit[:12]}"
    script = os.path.realpath(os.path.join(folder, path))
    if not os.path.isfile(script) or os.path.commonpath((folder, script)) != folder:
        raise FlowStorageError(f"Flow {flow_name!r}: there is no file {where}. Check flow_path and the commit.")
    flow = flow_from_script(script, flow_name, where)
    # Last of all, so that it hides nothing: a task may import what lies beside its script when it runs.
    sys.path.append(os.path.dirname(script))
    return flow


def _folder_until_exit() -> str:
    """Return a new folder that is removed when this process, and not a copy of it, ends."""
    import atexit
    import shutil
    import tempfile

    folder = os.path.realpath(tempfile.mkdtemp(prefix="dagflow-git-"))
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return folder
