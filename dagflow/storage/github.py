"""Flows as scripts on GitHub."""

from __future__ import annotations

import re
from typing import Any

from dagflow.exceptions import FlowStorageError
from dagflow.storage._repository import first_secret
from dagflow.storage._rest import Api, RestStorage, quoted, with_scheme

__all__ = ["GitHub"]

PUBLIC_URL = "https://api.github.com"
EMPTY_OR_MISSING = (404, 409, 422)
"""409 is what a repository without any commit answers."""


class GitHub(RestStorage):
    """
    Fetch a script from a GitHub repository.

    Args:
        repo: such as ``"owner/name"``.
        path: the script in the repository.
        ref: a branch, tag or commit; default the repository's default branch.
        access_token_secret: the secret that holds an access token; default the secret or environment variable
            ``GITHUB_ACCESS_TOKEN``, and no token without these.
        base_url: the API of a GitHub of your own, such as ``https://github.example/api/v3``.
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

    def _repository(self) -> str:
        return self.repo

    def _api(self) -> Api:
        headers = {"X-GitHub-Api-Version": "2022-11-28", "Accept": "application/vnd.github+json"}
        token = first_secret(self.access_token_secret, "GITHUB_ACCESS_TOKEN")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return Api("GitHub", with_scheme(self.base_url or PUBLIC_URL), headers)

    def _fetch(self, path: str, ref: str | None) -> tuple[str, bytes]:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.repo) or {".", ".."} & set(self.repo.split("/")):
            raise FlowStorageError(f"repo is {self.repo!r}; expected 'owner/name'.")
        api, home = self._api(), f"/repos/{self.repo}"
        about = api.document(home, (404,))
        if about is None:
            raise self._no_repository()
        commit = api.document(f"{home}/commits/{quoted(ref or about['default_branch'])}", EMPTY_OR_MISSING)
        if commit is None:
            raise self._no_ref(ref)
        sha = str(commit["sha"])
        raw = {"Accept": "application/vnd.github.raw+json"}
        file = api.ask(f"{home}/contents/{quoted(path, '/')}", (404,), params={"ref": sha}, headers=raw)
        # A folder is answered with a list of what is in it.
        if file is None or file.headers.get("Content-Type", "").startswith("application/json"):
            raise self._no_file(path, sha)
        return sha, file.content
