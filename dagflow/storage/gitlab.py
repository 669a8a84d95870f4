"""Flows as scripts on GitLab."""

from __future__ import annotations

from typing import Any

from dagflow.storage._repository import first_secret
from dagflow.storage._rest import Api, RestStorage, quoted, with_scheme

__all__ = ["GitLab"]

PUBLIC_HOST = "gitlab.com"


class GitLab(RestStorage):
    """
    Fetch a script from a GitLab repository.

    Args:
        repo: such as ``"group/name"``.
        host: the GitLab server; default gitlab.com.
        path: the script in the repository.
        ref: a branch, tag or commit; default the project's default branch.
        access_token_secret: the secret that holds an access token; default the secret or environment variable
            ``GITLAB_ACCESS_TOKEN``, and no token without these.
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

    def _repository(self) -> str:
        return self.repo

    def _api(self) -> Api:
        token = first_secret(self.access_token_secret, "GITLAB_ACCESS_TOKEN")
        # GitLab has a header of its own for tokens too, but that one would go along to wherever it redirects.
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return Api("GitLab", f"{with_scheme(self.host or PUBLIC_HOST)}/api/v4", headers)

    def _fetch(self, path: str, ref: str | None) -> tuple[str, bytes]:
        api, home = self._api(), f"/projects/{quoted(self.repo)}"
        about = api.document(home, (404,))
        if about is None:
            raise self._no_repository()
        ref = ref or about.get("default_branch")
        commit = None if ref is None else api.document(f"{home}/repository/commits/{quoted(ref)}", (404,))
        if commit is None:
            raise self._no_ref(ref)
        sha = str(commit["id"])
        file = api.ask(f"{home}/repository/files/{quoted(path)}/raw", (404,), params={"ref": sha})
        if file is None:
            raise self._no_file(path, sha)
        return sha, file.content
